"""Runs `python -m lambda_keras.zoo …`, the same as `lambda-zoo …`."""

import sys

from lambda_keras.zoo.cli import main

sys.exit(main())
