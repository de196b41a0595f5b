"""What the training loop asks of a task, such as classification: its model, its images, its loss and its figures."""

import abc
import dataclasses
from typing import Any, Generic, Protocol, Self, TypeVar

import keras
import numpy as np
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.recipe import AnyRecipe, CommonTraining

Row = dict[str, float | None]


class TaskSums(Protocol):
    """Sums over images: a `NamedTuple` of what a task counts, with these four fields among others.

    A vector of them, in their order, is what replicas add up and checkpoints hold.

    Attributes:
        loss: The losses of the images.
        images: Images that are counted.
        unreadable: Those of them that could not be read.
        stopping: Above 0 once a signal has asked to stop.
    """

    # The names; each NamedTuple types them in its own way.
    _fields: Any

    @property
    def loss(self) -> float | tf.Tensor:
        """The losses of the images."""

    @property
    def images(self) -> float | tf.Tensor:
        """Images that are counted."""

    @property
    def unreadable(self) -> float | tf.Tensor:
        """Those of them that could not be read."""

    @property
    def stopping(self) -> float | tf.Tensor:
        """Above 0 once a signal has asked to stop."""

    @classmethod
    def of(cls, vector: tf.Tensor | tf.Variable | np.ndarray) -> Self:
        """The sums in a vector, in a graph or outside of one."""

    def _replace(self, *args: Any, **kwargs: Any) -> Self: ...


@dataclasses.dataclass(frozen=True)
class Length:
    """How long a training is.

    Attributes:
        steps: All its steps.
        steps_per_epoch: Steps from one evaluation to the next: a pass over the images, or as many as a recipe says. The
            last epoch may be shorter.
    """

    steps: int
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return -(-self.steps // self.steps_per_epoch)

    def epochs_after(self, step: int) -> int:
        """How many epochs have ended when so many steps are done.

        Example:
            >>> [Length(steps=10, steps_per_epoch=4).epochs_after(step) for step in (3, 4, 9, 10)]
            [0, 1, 2, 3]
        """
        return self.epochs if step == self.steps else step // self.steps_per_epoch

    def end_of_epoch(self, epoch: int) -> int:
        """The number of steps that are done when an epoch ends; the first epoch is 1."""
        return min(epoch * self.steps_per_epoch, self.steps)


SumsType = TypeVar("SumsType", bound=TaskSums)


class Task(abc.ABC, Generic[SumsType]):
    """What is trained. Everything that differs between classification, detection and so on is here.

    Attributes:
        recipe: Its recipe.
        training: The section of it that the loop reads.
        length: Its `Length`.
        sums: The class of its sums.
        columns: What `metrics.csv` has of it, `loss` among them; see `figures`.
        best_by: The column whose highest value is that of the best epoch.
        warmup_key: The key of the section `training` that says how long the learning rate rises.
        inspection: The command that looks at its images.
        images: What a run must find again to be continued with the same images in the same order, and its recipe does
            not say.
    """

    recipe: AnyRecipe
    training: CommonTraining
    length: Length
    sums: type[SumsType]
    columns: tuple[str, ...]
    best_by: str
    warmup_key: str
    inspection: str
    images: dict[str, str]

    @abc.abstractmethod
    def build_model(self) -> keras.Model:
        """Builds the model that is trained, in the strategy's scope and under the recipe's precision.

        Raises:
            UserError: The recipe does not fit it.
        """

    @abc.abstractmethod
    def build_exported_model(self) -> keras.Model:
        """Builds the model that is saved at the end: float32, with the same variables."""

    @abc.abstractmethod
    def load_start(self, model: keras.Model) -> lk.weights.LoadReport | None:
        """Gives a model the weights that the recipe starts from, if any, and prints what became of each.

        Args:
            model: From `build_model`.

        Returns:
            What is printed; `None` where all weights are random.

        Raises:
            UserError: The weights are unavailable or do not fit.
        """

    @abc.abstractmethod
    def freeze(self, model: keras.Model) -> None:
        """Freezes the layers that the recipe does not train.

        Args:
            model: From `build_model`.
        """

    @abc.abstractmethod
    def schedule(self) -> keras.optimizers.schedules.LearningRateSchedule:
        """The learning rate by step."""

    def shares_of_rate(self, model: keras.Model) -> list[float] | None:
        """What the learning rate of each trainable variable is multiplied by, or `None` for the same rate everywhere.

        Args:
            model: From `build_model`.
        """
        return None

    def check_pass(self, images: int) -> None:
        """Refuses a number of images that a replica takes at a time; most tasks take any.

        Args:
            images: The number.

        Raises:
            UserError: The recipe cannot be trained with so many.
        """
        return None

    @abc.abstractmethod
    def batches(self, *, batch_size: int, start: int, shard: int, num_shards: int) -> tf.data.Dataset:
        """Endless full batches of training images; a random choice depends on the seed and the image's position alone.

        Args:
            batch_size: Images of a batch of this shard.
            start: Images of the whole stream, all shards together, to pass over.
            shard: Which of the shards, from 0.
            num_shards: Number of shards that share the stream.
        """

    @abc.abstractmethod
    def loss(self, model: keras.Model, batch: dict[str, tf.Tensor], passes: tf.Variable) -> tuple[tf.Tensor, SumsType]:
        """The loss of one pass of a replica, and what it counts; called in a graph, in the replica's context.

        Args:
            model: From `build_model`.
            batch: An element of `batches`.
            passes: Forward passes that are done.

        Returns:
            The replica's share of the loss of the whole batch: these shares add up to it. And the sums of the pass,
            `stopping` aside.
        """

    @abc.abstractmethod
    def means(self, sums: SumsType) -> dict[str, float]:
        """What is shown of some steps, and drawn by TensorBoard.

        Args:
            sums: Of these steps.
        """

    @abc.abstractmethod
    def figures(self, sums: SumsType, validation: dict[str, float | None]) -> Row:
        """The row of an epoch: a value for each of `columns`, or `None`.

        Args:
            sums: Of the epoch.
            validation: What the evaluator returned after it.
        """

    @abc.abstractmethod
    def introduction(self) -> list[str]:
        """Lines that say on what is trained."""

    @abc.abstractmethod
    def epochs_of_images(self, step: int) -> float:
        """How often the training images have been seen after so many steps."""

    @abc.abstractmethod
    def brief(self, means: dict[str, float]) -> dict[str, str]:
        """What the bar shows, by name.

        Args:
            means: From `means`.
        """

    @abc.abstractmethod
    def line(self, row: Row) -> str:
        """What the line of an epoch says of it.

        Args:
            row: From `figures`.
        """


TaskType = TypeVar("TaskType", bound=Task[Any])
