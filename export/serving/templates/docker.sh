docker run --rm -p 8500:8500 -p 8501:8501 -v $folder:/models/$name -e MODEL_NAME=$name $image
