"""The commands of `lambda-export`: a file for each, with its options and one call.

Keras and TensorFlow take seconds to import: a command imports what it needs when it runs, so that `--help` is quick.
"""

from lambda_keras.export.commands import benchmark, detector, saved_model, serve_check, tflite, verify, web

# In the order of `lambda-export --help`.
COMMANDS = (saved_model, tflite, web, detector, verify, benchmark, serve_check)
