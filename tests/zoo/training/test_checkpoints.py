import pathlib

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.training.checkpoints import KEEP, Checkpoints, written
from lambda_keras.zoo.training.sums import Sums
from tests.zoo.training.test_trainer import flat, make_trainer


@pytest.fixture(scope="module")
def trainer():
    return make_trainer("training.ema_decay=0.9")


@pytest.fixture
def checkpoints(trainer, tmp_path):
    return Checkpoints(trainer, tmp_path, interval=1)


def save(checkpoints, trainer, steps):
    """Trains, saves after each step and returns the weights that each checkpoint has."""
    weights = {}
    for _ in range(steps):
        trainer.train(tf.constant(1))
        step = int(trainer.step.numpy())
        assert checkpoints.save(checkpoint_number=step)
        weights[step] = flat(trainer.weights)
    return weights


def data_file(checkpoints, age):
    """The file with the numbers of the newest checkpoint (age 0) or an older one."""
    return pathlib.Path(f"{checkpoints.checkpoints[-1 - age]}.data-00000-of-00001")


def test_everything_comes_back(checkpoints, trainer, tmp_path):
    weights = save(checkpoints, trainer, 1)
    before = [variable.numpy() for variable in [*trainer.optimizer.variables, *trainer.averages.statistics]]
    sums, passes, step = trainer.sums.numpy(), trainer.passes.numpy(), trainer.step.numpy()
    trainer.train(tf.constant(2))
    assert Checkpoints(trainer, tmp_path, interval=1).restore_or_initialize().endswith(f"ckpt-{step}")
    np.testing.assert_array_equal(flat(trainer.weights), weights[int(step)])
    after = [variable.numpy() for variable in [*trainer.optimizer.variables, *trainer.averages.statistics]]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(trainer.sums.numpy(), sums)
    assert (trainer.passes.numpy(), trainer.step.numpy()) == (passes, step)


def test_only_multiples_of_the_interval_are_saved_unless_told(trainer, tmp_path):
    checkpoints = Checkpoints(trainer, tmp_path, interval=3)
    # Orbit saves nothing where this is not set.
    assert checkpoints.checkpoint_interval == 3
    trainer.step.assign(6)
    assert checkpoints.save(checkpoint_number=6)
    trainer.step.assign(7)
    assert checkpoints.save(checkpoint_number=7) is None
    assert checkpoints.save(checkpoint_number=7, check_interval=False)
    assert [path.rpartition("-")[2] for path in checkpoints.checkpoints] == ["6", "7"]


def test_a_signal_ends_the_loop_and_is_not_in_the_checkpoint(checkpoints, trainer):
    """It would differ from that of a run that was not stopped."""
    trainer.start_epoch()
    trainer.stopping.assign(1.0)
    step = int(trainer.step.numpy()) + 1
    try:
        with pytest.raises(StoppedError, match=f"after step {step};"):
            trainer.train(tf.constant(5))
    finally:
        trainer.stopping.assign(0.0)
        trainer._interrupted.assign(False)
    reader = tf.train.load_checkpoint(checkpoints.save(checkpoint_number=step))
    sums = Sums.of(reader.get_tensor("sums/.ATTRIBUTES/VARIABLE_VALUE"))
    assert (sums.images, sums.stopping) == (trainer.training.batch_size, 0)


def test_the_newest_are_kept(checkpoints, trainer, tmp_path):
    save(checkpoints, trainer, KEEP + 2)
    assert len(list(tmp_path.glob("*.index"))) == KEEP


def test_what_was_restored_is_not_written_again(checkpoints, trainer, tmp_path):
    save(checkpoints, trainer, 1)
    step = int(trainer.step.numpy())
    written = data_file(checkpoints, 0).stat().st_mtime_ns
    restored = Checkpoints(trainer, tmp_path, interval=1)
    restored.restore_or_initialize()
    assert restored.save(checkpoint_number=step, check_interval=False) is None
    assert data_file(checkpoints, 0).stat().st_mtime_ns == written


def test_without_a_checkpoint_nothing_is_restored(checkpoints):
    assert checkpoints.restore_or_initialize() is None
    assert checkpoints.describe_latest() == "there is no checkpoint yet"


@pytest.mark.parametrize("part", ["data", "index", "gone"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_and_says_so(
    part, checkpoints, trainer, tmp_path, capsys
):
    weights = save(checkpoints, trainer, 2)
    newest = data_file(checkpoints, 0)
    if part == "gone":
        newest.unlink()
    else:
        file = newest if part == "data" else newest.with_name(newest.name.replace(".data-00000-of-00001", ".index"))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    restored = Checkpoints(trainer, tmp_path, interval=1)
    step = min(weights)
    assert restored.restore_or_initialize().endswith(f"ckpt-{step}")
    np.testing.assert_array_equal(flat(trainer.weights), weights[step])
    err = capsys.readouterr().err
    assert f"cannot read checkpoint {newest.parent / f'ckpt-{step + 1}'}" in err
    assert "trying the one before it" in err


def test_where_no_checkpoint_can_be_read_it_is_an_error(checkpoints, trainer, tmp_path):
    save(checkpoints, trainer, 2)
    for age in range(2):
        data_file(checkpoints, age).write_bytes(b"")
    with pytest.raises(UserError, match=r"no checkpoint in .* can be read; give another folder with --out"):
        Checkpoints(trainer, tmp_path, interval=1).restore_or_initialize()


@pytest.mark.parametrize(("name", "neighbour"), [("runs[1]", "runs1"), ("run*", "run2")])
def test_wildcards_in_the_path_are_letters(name, neighbour, trainer, tmp_path, capsys):
    folder, others = (tmp_path / run / "checkpoints" for run in (name, neighbour))
    for run in (folder.parent, others.parent):
        run.mkdir()
    save(Checkpoints(trainer, others, interval=1), trainer, 1)
    before = sorted(others.iterdir())
    checkpoints = Checkpoints(trainer, folder, interval=1)
    assert not written(folder)
    weights = save(checkpoints, trainer, KEEP + 1)
    steps = sorted(weights, reverse=True)
    assert sorted(others.iterdir()) == before, "nothing is pruned there"
    assert written(folder) == [folder / f"ckpt-{step}" for step in steps[:KEEP]]
    assert len(list(folder.glob("*.index"))) == KEEP
    # The newest is damaged, and called by its own path.
    (folder / f"ckpt-{steps[0]}.index").write_bytes(b"")
    restored = Checkpoints(trainer, folder, interval=1)
    assert restored.restore_or_initialize() == str(folder / f"ckpt-{steps[1]}")
    np.testing.assert_array_equal(flat(trainer.weights), weights[steps[1]])
    assert f"cannot read checkpoint {folder / f'ckpt-{steps[0]}'} (" in capsys.readouterr().err
    for opened in (checkpoints, restored):
        opened.close()
        assert not pathlib.Path(opened.directory).exists()
    assert written(folder)


def test_what_a_killed_run_has_not_finished_is_removed(checkpoints, trainer, tmp_path):
    save(checkpoints, trainer, 1)
    whole = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "ckpt-7_temp").mkdir()
    mine = ("ckpt-good.index", "checkpoint-notes.txt")
    for name in (*mine, "ckpt-7_temp/part-00000-of-00001.index", "ckpt-7.index.tempstate123", "checkpoint.tmp0123abc"):
        (tmp_path / name).touch()
    Checkpoints(trainer, tmp_path, interval=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*whole, *mine])


FULL_DISK = """
import resource, sys, signal
import tensorflow as tf
from tests.zoo.training.test_trainer import make_trainer
from lambda_keras.zoo.training.checkpoints import Checkpoints
from lambda_keras.zoo.errors import StoppedError, UserError
trainer = make_trainer()
checkpoints = Checkpoints(trainer, sys.argv[1], interval=1)
checkpoints.save(checkpoint_number=0)
trainer.step.assign(1)
# No file may grow beyond 100 kB, less than a checkpoint: the disk is full.
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoints.save(checkpoint_number=1)
except UserError as error:
    print(error)
"""


def test_a_full_disk_is_a_clear_error_and_loses_no_earlier_checkpoint(tmp_path, run_python):
    printed = run_python(FULL_DISK, tmp_path)
    assert printed.startswith(f"cannot write the checkpoint of step 1 to {tmp_path}: ")
    assert f"the last good checkpoint is {tmp_path / 'ckpt-0'}; make room and run the same command again" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint",
        "ckpt-0.data-00000-of-00001",
        "ckpt-0.index",
    ]
    assert tf.train.load_checkpoint(str(tmp_path / "ckpt-0")).get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE") == 0
