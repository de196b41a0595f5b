"""The training loop and its parts; `lambda_keras.zoo.training.run` is the command that runs it."""
