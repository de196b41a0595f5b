"""`lambda-zoo`, killed while it writes the label of an image: SIGKILL after so many labels; run by test_labelling.py.

python label_and_die.py LABELS ARGUMENTS…
"""

import os
import signal
import sys

import tensorflow as tf

import lambda_keras.zoo.cli


def main(labels, *arguments):
    left = int(labels)
    write = tf.io.TFRecordWriter.write

    def write_or_die(self, record):
        nonlocal left
        left -= 1
        write(self, record)
        if left == 0:
            self.flush()  # A part of the file is on the disk.
            os.kill(os.getpid(), signal.SIGKILL)

    tf.io.TFRecordWriter.write = write_or_die
    return lambda_keras.zoo.cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
