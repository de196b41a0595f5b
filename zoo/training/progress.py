"""What a training shows while it runs: a bar on a terminal, a line an epoch elsewhere."""

import sys
from typing import Any

from tqdm import tqdm

from lambda_keras.zoo.training.task import Row, Task


class Progress:
    """Images done of all, images a second, the time left and the newest loss.

    Args:
        images: Images of the whole training.
        task: The `lambda_keras.zoo.training.task.Task` that words its figures.
        done: Images that an earlier process has done.
        show: Whether to show anything; only one of several workers does.
    """

    def __init__(self, images: int, task: Task[Any], done: int = 0, show: bool = True):
        self._task = task
        self._show = show
        self._bar = tqdm(
            total=images,
            initial=done,
            unit="image",
            unit_scale=True,
            smoothing=0.1,
            file=sys.stdout,
            # A bar in a file is noise.
            disable=not (show and sys.stdout.isatty()),
        )

    def update(self, images: int, output: dict[str, float]) -> None:
        """Moves the bar.

        Args:
            images: Images done by now.
            output: What `lambda_keras.zoo.training.trainer.Trainer` returns after a loop.
        """
        self._bar.set_postfix(self._task.brief(output), refresh=False)
        self._bar.update(images - self._bar.n)

    def epoch(self, row: Row, epochs: int) -> None:
        """Writes the line of an epoch.

        Args:
            row: A row of `lambda_keras.zoo.training.metrics_log.MetricsLog`.
            epochs: Epochs of the whole training.
        """
        if self._show:
            rate = row["images_per_second"]
            line = f"epoch {row['epoch']}/{epochs}  {self._task.line(row)}"
            if rate:
                line += f"  {rate:.0f} images/s"
            if row["unreadable_images"]:
                line += f"  {row['unreadable_images']:.0f} images could not be read"
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()
