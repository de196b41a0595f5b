"""Runs `python -m zoo …`, the same as `lambda-zoo …`."""

import sys

from zoo.cli import main

sys.exit(main())
