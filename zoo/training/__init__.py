"""The training loop and its parts; `zoo.train` is the command that runs it."""
