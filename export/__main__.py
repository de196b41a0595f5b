"""`python -m lambda_keras.export …` is `lambda-export …`."""

import sys

from lambda_keras.export.cli import main

if __name__ == "__main__":
    sys.exit(main())
