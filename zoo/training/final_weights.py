"""Which weights a training ends with: the averaged ones of its last step, or those of its best epoch."""

from pathlib import Path
from typing import Any

import keras

from lambda_keras.atomic import replacing
from lambda_keras.keras_internals import weights_h5
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.errors import writing_run
from lambda_keras.zoo.training.strategy import is_chief
from lambda_keras.zoo.training.trainer import Trainer


class FinalWeights:
    """Brings the weights of a training into the model that is exported.

    All workers call its methods alike, because they exchange averaged weights together; the chief alone writes.

    Args:
        trainer: The trainer whose weights they are.
        model: The model to export, with the same variables as the trainer's.
        folder: The run folder, where the best weights are kept.
    """

    def __init__(self, trainer: Trainer[Any], model: keras.Model, folder: Path):
        self._trainer = trainer
        self._model = model
        self._best = folder / run_folder.BEST_WEIGHTS

    @property
    def are_best(self) -> bool:
        """Whether the weights of the best epoch are kept, as with early stopping, and not those of the last step."""
        return self._trainer.training.early_stopping_epochs is not None

    def keep_as_best(self) -> None:
        """Writes the averaged weights to the run folder as the best so far."""
        self._export()
        if is_chief(self._trainer.strategy):
            with writing_run(self._best.parent), replacing(self._best) as partial:
                partial.write_bytes(weights_h5(self._model))

    def take(self) -> None:
        """Gives the model to export its weights; where the best ones are kept, the trainer's model gets them too."""
        if self.are_best:
            self._trainer.model.load_weights(self._best)
            self._model.load_weights(self._best)
        else:
            self._export()

    def _export(self):
        with self._trainer.averages.in_place_of_weights():
            self._model.set_weights(self._trainer.model.get_weights())
