"""`lambda-zoo train`: a recipe in, a run folder out."""

import contextlib
import io
import time
from pathlib import Path

import keras
import orbit
import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import NonFiniteLossError, StoppedError, UserError, WorkerLostError
from lambda_keras.zoo.training import assemble, outputs
from lambda_keras.zoo.training.checkpoints import Checkpoints
from lambda_keras.zoo.training.evaluator import Evaluator
from lambda_keras.zoo.training.metrics_log import MetricsLog
from lambda_keras.zoo.training.position_images import position_table_images
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.progress import Progress
from lambda_keras.zoo.training.strategy import is_chief
from lambda_keras.zoo.training.trainer import CORRECT, IMAGES, LOSS, UNREADABLE

# What collectives end in when a worker of the training is gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


def train(recipe, out, data_dir=None, strategy=None, overwrite=False, verbose=True, is_last=True, dataset=None):
    """Trains the recipe's model, evaluates it once on the test split and writes the run folder.

    A run that was stopped goes on from its newest checkpoint, with the same numbers as if it had not been stopped.

    The folder holds `recipe.yaml`, `metrics.csv`, `model.keras` (float32, softmax, with the averaged or best weights
    where the recipe asks for such), `record.json`, `test.npz`, `curves.png`, `predictions.png`, `checkpoints/` and
    `tensorboard/`; `start.txt` says what became of the weights that the recipe starts from.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        out: The folder to write.
        data_dir: Folder of prepared data, for datasets that need one.
        strategy: From `lambda_keras.zoo.training.strategy.create`; by default that of one device.
        overwrite: Whether to remove the run that the folder holds instead of going on with it.
        verbose: Whether to show the progress.
        is_last: Whether the training is whole. Otherwise another one starts from its model: the test split is not
            looked at, and there are neither `test.npz` nor pictures.
        dataset: What `lambda_keras.zoo.data.catalog.load` made of the recipe's data and `data_dir`, if it is loaded
            already.

    Returns:
        The accuracy on the test split, 0..1; `None` if that was not looked at.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, the data are missing, the folder holds
            another run or cannot be written, or the loss is not finite.
        lambda_keras.zoo.errors.TryAgainError: A signal stopped it, or another worker is gone; the same call goes on.
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(f"training needs KERAS_BACKEND=tensorflow, got {keras.config.backend()}")
    strategy = strategy or tf.distribute.get_strategy()
    if recipe.training.xla and strategy.num_replicas_in_sync > 1:
        raise UserError("training.xla is for --strategy default; a TPU always compiles with XLA, the others cannot")
    if not overwrite:
        run_folder.check(out, recipe)
    dataset = dataset or catalog.load(recipe.data, data_dir)
    is_new = overwrite or tf.train.latest_checkpoint(Path(out, run_folder.CHECKPOINTS)) is None
    with StopFlag() as stop:
        trainer = assemble.build_trainer(recipe, dataset, strategy, stop.raised, is_new)
        # Built before the folder is touched: whatever can fail for the user's sake should fail there.
        model = assemble.build_model(recipe, dataset)
        if is_chief(strategy):
            run_folder.start(out, recipe, overwrite)
        # The others read the folder once it is there.
        _mean_over_replicas(strategy, 0)
        if trainer.start is not None and is_chief(strategy):
            with replacing(Path(out, run_folder.START)) as partial:
                partial.write_text(f"{trainer.start}\n", encoding="utf-8")
        run = _Run(trainer, model, Path(out), verbose and is_chief(strategy))
        try:
            run.train()
            return run.finish() if is_last else run.hand_over()
        except NonFiniteLossError as error:
            raise UserError(f"{error}; {run.checkpoints.describe_latest()}") from error
        except LOST as error:
            raise WorkerLostError(
                f"another worker is gone; start all again, {run.checkpoints.describe_latest()}"
            ) from error
        finally:
            run.close()


def _mean_over_replicas(strategy, number):
    """The mean of a number over all replicas, each of which has its worker's; all workers wait for each other."""

    @tf.function
    def mean():
        return strategy.reduce("MEAN", strategy.run(lambda: tf.constant(number, tf.float64)), axis=None)

    return float(mean())


class _Run:
    """The epochs of a training, and what is written along the way.

    Args:
        trainer: From `assemble.build_trainer`.
        model: The model to export, from `assemble.build_model`.
        folder: The run folder.
        verbose: Whether to show the progress.
    """

    def __init__(self, trainer, model, folder, verbose):
        self.trainer = trainer
        self.model = model
        self.folder = folder
        self.verbose = verbose
        self.recipe = trainer.recipe
        self.dataset = trainer.dataset
        self.is_chief = is_chief(trainer.strategy)
        self.steps_per_epoch = assemble.steps_per_epoch(self.recipe, self.dataset)
        self.interval = self.recipe.training.checkpoint_steps or self.steps_per_epoch
        self.checkpoints = Checkpoints(trainer, folder / run_folder.CHECKPOINTS, self.interval, self.is_chief)
        board = folder / run_folder.TENSORBOARD
        with _orbit_quiet():
            self.controller = orbit.Controller(
                global_step=trainer.step,
                trainer=trainer,
                evaluator=Evaluator(trainer, self.dataset.validation),
                strategy=trainer.strategy,
                train_actions=[self._show],
                steps_per_loop=self._steps_of_loop,
                checkpoint_manager=self.checkpoints,
                summary_dir=str(board / "training") if self.is_chief else None,
                eval_summary_dir=str(board / "validation") if self.is_chief else None,
            )
        self._check_that_workers_agree()
        self.log = MetricsLog(folder / run_folder.METRICS, epochs=self.step // self.steps_per_epoch)
        training = self.recipe.training
        images = training.epochs * self.steps_per_epoch * training.batch_size
        self.progress = Progress(images, self.step * training.batch_size, verbose)
        self.tables = tf.summary.create_file_writer(str(board / "position_tables")) if self.is_chief else None

    @property
    def step(self):
        return int(self.trainer.step.numpy())

    @property
    def keeps_best(self):
        return self.recipe.training.early_stopping_epochs is not None

    def train(self):
        """Trains the epochs that are left, or until early stopping; leaves a checkpoint of the last step done."""
        if self.verbose:
            outputs.introduce(self.trainer, self.step)
        self.trainer.train_dataset = assemble.training_dataset(self.trainer, self.step)
        try:
            self._train_epochs()
        except StoppedError:
            self._save()
            raise
        self._save()

    def _train_epochs(self):
        training = self.recipe.training
        seconds, first_step = 0.0, self.step
        while True:
            epoch, steps_into_epoch = divmod(self.step, self.steps_per_epoch)
            if steps_into_epoch == 0 and epoch > len(self.log.rows):
                self._end_epoch(epoch, seconds, (self.step - first_step) * training.batch_size)
            if epoch == training.epochs or self._stops_early():
                break
            if steps_into_epoch == 0:
                self.trainer.start_epoch()
            start, first_step = time.perf_counter(), self.step
            with _orbit_quiet():
                self.controller.train((epoch + 1) * self.steps_per_epoch, checkpoint_at_completion=False)
            seconds = time.perf_counter() - start

    def _save(self):
        self.checkpoints.save(self.step, check_interval=False)

    def close(self):
        """Ends the progress bar."""
        self.progress.close()

    def hand_over(self):
        """Writes the model for another training to start from."""
        self._take_final_weights()
        if self.is_chief:
            outputs.write_model(self.model, self.dataset, self.recipe, self.folder)

    def finish(self):
        """Evaluates on the test split, writes the files of a finished run and returns the accuracy."""
        trainer = self.trainer
        self._take_final_weights()
        test = Evaluator(trainer, self.dataset.test, averaged=not self.keeps_best).evaluate()
        if self.is_chief:
            outputs.write(self.model, self.dataset, self.recipe, self.log.rows, self.folder)
        if self.verbose:
            outputs.report(test["accuracy"], test["images"], self.folder)
        return test["accuracy"]

    def _end_epoch(self, epoch, seconds, images):
        """Evaluates after an epoch and writes its row."""
        with _orbit_quiet():
            validation = self.controller.evaluate()
        sums = self.trainer.sums.numpy()
        self.log.add(
            epoch=epoch,
            loss=sums[LOSS] / sums[IMAGES],
            accuracy=sums[CORRECT] / sums[IMAGES],
            val_loss=validation["loss"],
            val_accuracy=validation["accuracy"],
            learning_rate=self.trainer.learning_rate,
            seconds=seconds if images else None,
            images_per_second=images / seconds if images else None,
            unreadable_images=sums[UNREADABLE],
        )
        if self.keeps_best and self.log.epochs_without_progress() == 0:
            self._export_weights()
            if self.is_chief:
                with replacing(self.folder / run_folder.BEST_WEIGHTS) as partial:
                    self.model.save_weights(partial)
        if self.is_chief:
            self.log.write()
            with self.tables.as_default():
                for name, image in position_table_images(self.trainer.model).items():
                    tf.summary.image(name, image, step=epoch)
        self.progress.epoch(self.log.rows[-1], self.recipe.training.epochs)

    def _take_final_weights(self):
        """Gives the model to export its weights: the best ones where they are kept, otherwise the last."""
        if self.keeps_best:
            best = self.folder / run_folder.BEST_WEIGHTS
            self.trainer.model.load_weights(best)
            self.model.load_weights(best)
        else:
            self._export_weights()

    def _export_weights(self):
        """Copies the averaged weights to the model to export."""
        with self.trainer.averages.in_place_of_weights():
            self.model.set_weights(self.trainer.model.get_weights())

    def _stops_early(self):
        patience = self.recipe.training.early_stopping_epochs
        return self.keeps_best and self.log.epochs_without_progress() >= patience

    def _steps_of_loop(self, step):
        """Steps until the next look at the loss or the next checkpoint."""
        return min(self.recipe.training.steps_per_loop, self.interval - int(step) % self.interval)

    def _show(self, output):
        self.progress.update(self.step * self.recipe.training.batch_size, output)

    def _check_that_workers_agree(self):
        """Makes sure that all workers go on from the same step.

        Raises:
            UserError: They do not see the same checkpoints.
        """
        if _mean_over_replicas(self.trainer.strategy, self.step) != self.step:
            raise UserError(
                f"the workers restored different checkpoints; --out ({self.folder}) must be a folder of all"
            )


@contextlib.contextmanager
def _orbit_quiet():
    """Keeps Orbit's reports, which it prints, from between the lines of the progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
