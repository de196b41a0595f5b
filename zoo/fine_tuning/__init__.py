"""The parts of `lambda-zoo fine-tune`."""
