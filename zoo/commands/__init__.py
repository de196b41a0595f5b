"""The commands of `lambda-zoo`: a file for each, with its options and one call.

Keras and TensorFlow take seconds to import: a command imports what it needs when it runs, so that `--help` is quick.
"""

from lambda_keras.zoo.commands import (
    detect,
    evaluate,
    explain,
    fine_tune,
    inspect_data,
    models,
    predict,
    pseudo_label,
    recipes,
    train,
    weights,
    write_images,
    write_record,
)

# In the order of `lambda-zoo --help`.
COMMANDS = (
    train,
    fine_tune,
    evaluate,
    predict,
    explain,
    detect,
    pseudo_label,
    inspect_data,
    write_images,
    write_record,
    recipes,
    models,
    weights,
)
