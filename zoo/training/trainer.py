"""The training step, the same under every strategy, in the loop of Orbit.

A batch is shared out among the replicas, and a replica processes its share in `gradient_accumulation` passes. A task
divides the losses of a share by what there is of the whole batch, so the sum of the gradients over passes and replicas
is the gradient of the mean, whatever the number of either.
"""

import math
from collections.abc import Callable, Iterator
from typing import Generic

import keras
import orbit
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.errors import NonFiniteLossError, StoppedError, UserError
from lambda_keras.zoo.recipe import CommonTraining
from lambda_keras.zoo.training import optimizers, randomness
from lambda_keras.zoo.training.averages import Averages, batch_norms, statistics_of
from lambda_keras.zoo.training.task import TaskSums, TaskType


class Trainer(orbit.StandardTrainer, Generic[TaskType]):
    """Trains a model for a task by the steps of its recipe.

    Set `train_dataset` before training: a distributed dataset, of which each replica takes `images_per_pass` images.

    Args:
        model: What the task's `build_model` returned in the strategy's scope.
        optimizer: From `lambda_keras.zoo.training.optimizers.build_optimizer`, made there too.
        task: A `lambda_keras.zoo.training.task.Task`: the loss, what is counted, and the images.
        strategy: A `tf.distribute.Strategy`.
        stopping: The variable of a `lambda_keras.zoo.training.preemption.StopFlag`.
        start: What became of the weights that the training starts from, if there are any and it is new.

    Attributes:
        step: Steps done, an int64 variable.
        passes: Forward passes done, `gradient_accumulation` a step.
        averages: Its `lambda_keras.zoo.training.averages.Averages`.
        weights: The variables that are trained.
        frozen_weights: Those of frozen layers, but for BatchNorm's statistics.
        sums: float64 variable of the sums of the task since `start_epoch`.
        images_per_pass: Images that a replica takes at a time.

    Raises:
        UserError: The batch cannot be shared out equally.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        task: TaskType,
        strategy: tf.distribute.Strategy,
        stopping: tf.Variable,
        start: lk.weights.LoadReport | None = None,
    ):
        super().__init__(train_dataset=None)
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.training = training = task.training
        self.strategy = strategy
        self.stopping = stopping
        self.start = start
        self.images_per_pass = images_per_pass(training, strategy.num_replicas_in_sync)
        task.check_pass(self.images_per_pass)
        with strategy.scope():
            self.step = orbit.utils.create_global_step()
            self.passes = orbit.utils.create_global_step()
        with tf.device("CPU:0"):
            self.sums = tf.Variable(tf.zeros(len(task.sums._fields), tf.float64), trainable=False)
            self._stopping = tf.Variable(False, trainable=False)
            self._interrupted = tf.Variable(False, trainable=False)
        self.averages = Averages(model, optimizer, strategy)
        self.weights = [variable.value for variable in model.trainable_variables]
        self.frozen_weights = _frozen_weights(model)
        self._decayed = [optimizers.decays(variable, training) for variable in model.trainable_variables]
        randomness.derive_seeds(model, training.seed, self.passes)
        if training.gradient_accumulation > 1:
            with strategy.scope():
                self._accumulators = [self._make_accumulator(weight) for weight in self.weights]
        self._train_on_replica = self.train_on_replica
        if training.xla:
            self._train_on_replica = tf.function(self.train_on_replica, jit_compile=True)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(optimizers.inner_optimizer(self.optimizer).learning_rate)

    def stream(self, start_step: int) -> tf.distribute.DistributedDataset:
        """The task's training images from a step on, for `train_dataset`.

        Args:
            start_step: Steps that are done already.
        """

        def batches_of_worker(context):
            return self.task.batches(
                batch_size=self.images_per_pass,
                start=start_step * self.training.batch_size,
                shard=context.input_pipeline_id,
                num_shards=context.num_input_pipelines,
            )

        return self.strategy.distribute_datasets_from_function(batches_of_worker)

    def start_epoch(self) -> None:
        """Sets the sums to zero."""
        self.sums.assign(tf.zeros_like(self.sums))

    def create_train_loop_fn(self) -> Callable[[Iterator, tf.Tensor], None]:
        """Orbit's loop of steps, which also ends when a signal came or the loss is not finite."""

        @tf.function
        def loop(iterator, num_steps):
            last = self.step + tf.cast(num_steps, tf.int64)
            while self.step < last and not self._interrupted:
                self.train_step(iterator)

        return loop

    def train_loop_begin(self) -> None:
        """Remembers the sums, for the means of the loop."""
        self._sums_before = self.sums.numpy()

    def train_step(self, iterator: Iterator) -> None:
        """One step on all replicas; called in a graph.

        Args:
            iterator: Of `train_dataset`; a step takes `gradient_accumulation` of its elements.
        """
        passes = self.training.gradient_accumulation
        if passes == 1:
            sums = self._run(self._train_on_replica, next(iterator))
            self.passes.assign_add(1)
        else:
            sums = tf.zeros(len(self.task.sums._fields))
            for _ in tf.range(passes):
                sums += self._run(self._accumulate_on_replica, next(iterator))
                self.passes.assign_add(1)
            self.strategy.run(self._apply_accumulated)
        self.step.assign_add(1)
        sums = self.task.sums.of(sums)
        self._stopping.assign(sums.stopping > 0)
        self._interrupted.assign(self._stopping | ~tf.math.is_finite(sums.loss))
        # Without the signal: the checkpoint of a run that was stopped is as that of one that was not.
        self.sums.assign_add(tf.cast(tf.stack(sums._replace(stopping=0.0)), tf.float64))

    def train_loop_end(self) -> dict[str, float]:
        """Ends Orbit's loop of steps, or the whole training.

        Returns:
            The means of the task over the loop's images, `loss` among them, and the `learning_rate` of the next step.

        Raises:
            StoppedError: A signal asked for it; all workers get here after the same step.
            NonFiniteLossError: The loss is infinite or not a number.
            UserError: No image of the loop could be read.
        """
        sums = self.task.sums.of(self.sums.numpy() - self._sums_before)
        if not math.isfinite(sums.loss):
            raise NonFiniteLossError(
                f"the loss is not finite at step {self.step.numpy()} (learning rate {self.learning_rate:.3g}); "
                f"lower training.learning_rate or raise training.{self.task.warmup_key}"
            )
        if self._stopping.numpy():
            raise StoppedError(int(self.step.numpy()))
        if sums.unreadable == sums.images:
            raise UserError(
                f"none of the {sums.images:.0f} training images up to step {self.step.numpy()} could be read; "
                f"look at them with {self.task.inspection}"
            )
        return {**self.task.means(sums), "learning_rate": self.learning_rate}

    def gradients(self, batch: dict[str, tf.Tensor]) -> tuple[list[tf.Tensor], TaskSums]:
        """The gradients of one pass of a replica, and what it counts.

        It is called in a graph, in the replica's context, and must compile with XLA where the recipe asks for that.

        Args:
            batch: `images_per_pass` images, as the task's `batches` gives them.

        Returns:
            A dense gradient for each of `weights`, of the task's loss times the optimizer's loss scale if there is one;
            and the sums of the pass.
        """
        with tf.GradientTape() as tape:
            loss, sums = self.task.loss(self.model, batch, self.passes)
            loss = self.optimizer.scale_loss(loss)
        # Position tables are gathered, which makes their gradients sparse.
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, self.weights)], sums

    # On a replica there is no loop or condition for AutoGraph, whose search takes a second.
    @tf.autograph.experimental.do_not_convert
    def train_on_replica(self, batch: dict[str, tf.Tensor], stopping: tf.Tensor) -> tf.Tensor:
        """A step of one pass on one replica: gradients and update. It compiles with XLA as a whole.

        Args:
            batch: As for `gradients`.
            stopping: The value of the stop flag.

        Returns:
            The sums of the pass as a vector.
        """
        gradients, sums = self.gradients(batch)
        self._apply(gradients)
        return tf.stack(sums._replace(stopping=stopping))

    @tf.autograph.experimental.do_not_convert
    def _accumulate_on_replica(self, batch, stopping):
        gradients, sums = self.gradients(batch)
        for accumulator, gradient in zip(self._accumulators, gradients, strict=True):
            accumulator.assign_add(gradient)
        return tf.stack(sums._replace(stopping=stopping))

    @tf.autograph.experimental.do_not_convert
    def _apply_accumulated(self):
        self._apply([tf.identity(accumulator) for accumulator in self._accumulators])
        for accumulator in self._accumulators:
            accumulator.assign(tf.zeros_like(accumulator))

    def _apply(self, gradients):
        """Adds the weight decay, clips the whole batch's gradient and updates the weights, on one replica."""
        training = self.training
        replicas = self.strategy.num_replicas_in_sync
        scale = self.optimizer.scale_loss(1.0)
        # Clipping is of the sum over replicas, and whether a gradient is finite must be decided by all alike. The
        # optimizer sums over the replicas once more, which the division at the end allows for.
        reduce_first = replicas > 1 and (
            training.gradient_clipping is not None or training.precision == "mixed_float16"
        )
        if reduce_first:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        share = 1.0 if reduce_first else 1.0 / replicas
        if training.optimizer in optimizers.REGULARISED and training.weight_decay:
            decay = training.weight_decay * share * scale
            gradients = [
                gradient + decay * weight if decayed else gradient
                for gradient, weight, decayed in zip(gradients, self.weights, self._decayed, strict=True)
            ]
        if training.gradient_clipping is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, training.gradient_clipping * scale)
        if reduce_first:
            gradients = [gradient / replicas for gradient in gradients]
        self.optimizer.apply(gradients, self.model.trainable_variables)

    def _run(self, function, batch):
        """Runs a function of a batch and the flag on all replicas, and sums what it returns."""
        # The flag is read here, on the host, because a TPU cannot.
        per_replica = self.strategy.run(function, (batch, self.stopping.read_value()))
        return self.strategy.reduce("SUM", per_replica, axis=None)

    @staticmethod
    def _make_accumulator(weight):
        # Each replica has its own sum; the optimizer adds them up.
        return tf.Variable(
            tf.zeros_like(weight),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )


def _frozen_weights(model):
    """The weights that are not trained and are no statistics of BatchNorm: those of frozen layers."""
    others = [*model.trainable_variables, *(value for layer in batch_norms(model) for value in statistics_of(layer))]
    paths = {variable.path for variable in others}
    return [variable.value for variable in model.weights if variable.path not in paths]


def images_per_pass(training: CommonTraining, replicas: int) -> int:
    """Images that a replica takes at a time.

    Args:
        training: A `lambda_keras.zoo.recipe.CommonTraining`.
        replicas: Number of replicas.

    Raises:
        UserError: The batch cannot be shared out equally.
    """
    shares = replicas * training.gradient_accumulation
    if training.batch_size % shares:
        raise UserError(
            f"training.batch_size {training.batch_size} must be a multiple of {shares}, the replicas ({replicas}) "
            f"times training.gradient_accumulation ({training.gradient_accumulation})"
        )
    return training.batch_size // shares
