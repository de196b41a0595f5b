curl -sS -d @- http://localhost:8501/v1/models/$name:predict <<END
{"signature_name": "$signature", "instances": [{"$input": $value}]}
END
