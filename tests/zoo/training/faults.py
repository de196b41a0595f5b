"""A training that gets signals, and what it leaves: for the tests of runs that are killed and started again."""

import pathlib
import subprocess

import tensorflow as tf

from tests.conftest import ROOT

SCRIPT = pathlib.Path(__file__).with_name("train_and_die.py")
# 2 epochs of 9 steps; everything that has a state.
RECIPE = [
    "--recipe",
    "digits",
    "data.image_size=16",
    "data.horizontal_flip=true",
    "data.random_erasing=0.5",
    "model.overrides.blocks=[0,0,0,1]",
    "model.overrides.lambda_blocks=[[],[],[],[1]]",
    "model.overrides.dropout_rate=0.3",
    "model.overrides.stochastic_depth_rate=0.2",
    "training.epochs=2",
    "training.batch_size=128",
    "training.ema_decay=0.9",
    "training.checkpoint_steps=3",
    "training.steps_per_loop=1",
]
STEPS = 18


def on_pseudo_labels(folder):
    """The overrides for as many steps, with as many labelled images in a batch, and pseudo-labelled ones."""
    return [f"data.pseudo={{folder: {folder}, share: 0.5}}", "training.batch_size=256", "training.warmup_epochs=0"]


def train(python, out, faults="", strategy="default", overrides=()):
    """Trains to the folder `out` as one command; `python` stands for the interpreter, `faults` for what happens to it.

    Args:
        python: Words of the command: the interpreter, or the fixture `warm_python`, and what starts it.
        out: The folder of the run.
        faults: Steps and signals that the process gets, such as `"5=SIGKILL,11=SIGTERM"`; each once for a folder.
        strategy: The value of `--strategy`.
        overrides: Keys of the recipe that differ.
    """
    command = [*python, SCRIPT, faults, f"{out}.signal", "train", *RECIPE, *overrides]
    command += ["--out", out, "--strategy", strategy]
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=1200)


def state(run, step=STEPS):
    """All tensors of a checkpoint but the number of times it was saved."""
    reader = tf.train.load_checkpoint(run / "checkpoints" / f"ckpt-{step}")
    names = [name for name in reader.get_variable_to_shape_map() if "GRAPH" not in name and "save_counter" not in name]
    return {name: reader.get_tensor(name) for name in names}
