"""What happens beside Keras' training loop."""

import csv
import math
import time

import keras

from zoo.errors import UserError
from zoo.run_folder import replacing

COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
    "images_per_second",
)


class MetricsLog(keras.callbacks.Callback):
    """Writes a row after every epoch, and keeps the rows.

    `loss` and `accuracy` are means over the epoch's training steps, on augmented images; `val_loss` and
    `val_accuracy` are of the validation images after the epoch. Both losses include label smoothing. `learning_rate`
    is that of the next step; `seconds` is the time of the training steps, without the validation (the first epoch
    includes the tracing of the graph).

    Args:
        path: The CSV file.
        images_per_epoch: Training images in an epoch.

    Attributes:
        rows: A dictionary with the keys `COLUMNS` for each epoch.
    """

    def __init__(self, path, images_per_epoch):
        super().__init__()
        self.path = path
        self.images_per_epoch = images_per_epoch
        self.rows = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Keeps the time of the epoch's last training step."""
        self._seconds = time.perf_counter() - self._start

    def on_epoch_end(self, epoch, logs=None):
        """Writes the file again with the new row."""
        values = {
            **{name: logs[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")},
            "learning_rate": self.model.optimizer.learning_rate,
            "seconds": self._seconds,
            "images_per_second": self.images_per_epoch / self._seconds,
        }
        self.rows.append({"epoch": epoch + 1, **{name: float(f"{float(value):.6g}") for name, value in values.items()}})
        with replacing(self.path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends the training as soon as the loss is infinite or not a number.

    Raises:
        UserError: With the step and the learning rate.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss of the epoch so far."""
        if not math.isfinite(logs["loss"]):
            step = int(self.model.optimizer.iterations)
            rate = float(self.model.optimizer.learning_rate)
            raise UserError(
                f"the loss is {logs['loss']} at step {step} (learning rate {rate:.3g}); lower training.learning_rate "
                "or raise training.warmup_epochs"
            )
