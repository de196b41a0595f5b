import types

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.recipe import Pseudo
from lambda_keras.zoo.training.co_training import CoTraining, CoTrainingSums, task_of
from lambda_keras.zoo.training.dry_run import dry_run
from tests.zoo import pseudo_shards

COUNT = 60
PLAIN = ["data.image_size=8", "data.crop=none", "data.crop_padding=0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pseudo_shards.write(tmp_path_factory.mktemp("pseudo") / "selected", COUNT)[0]


def make(folder, *overrides, share=0.75):
    pseudo = f"data.pseudo={{folder: {folder}, share: {share}, streams: 4}}"
    recipe = recipe_file.load("digits", [pseudo, *PLAIN, *overrides])
    return task_of(recipe, catalog.load(recipe.data))


def rows(task, count, **place):
    place = {"batch_size": 16, "start": 0, "shard": 0, "num_shards": 1, **place}
    return list(task.batches(**place).take(count).as_numpy_iterator())


def test_every_pass_has_the_exact_numbers_of_both_streams(folder):
    task = make(folder, "training.batch_size=32", "training.gradient_accumulation=2")
    # 1,212 labelled images in batches that have 8 of them.
    assert task.length.steps_per_epoch == 1212 // 8
    assert task.epochs_of_images(303) == 2
    whole = rows(task, 20)
    for batch in whole:
        assert batch["image"].shape == (16, 8, 8, 1)
        np.testing.assert_array_equal(batch["target"].max(axis=1) < 0.7, [False] * 4 + [True] * 12)
    # An epoch of the pseudo-labelled images is 5 passes.
    images = [batch["image"][4:].tobytes() for batch in whole]
    assert sorted(map(bytes, np.split(np.frombuffer(b"".join(images[:5]), "uint8"), COUNT))) == sorted(
        map(bytes, np.split(np.frombuffer(b"".join(images[5:10]), "uint8"), COUNT))
    )


def test_a_resumed_and_a_shared_stream_are_the_stream(folder):
    task = make(folder, "training.batch_size=32", "data.crop=pad", "data.crop_padding=1", "data.random_erasing=0.5")
    whole = rows(task, 6, batch_size=32)
    resumed = rows(task, 2, batch_size=32, start=4 * 32)
    parts = [rows(task, 2, start=4 * 32, shard=shard, num_shards=2) for shard in (0, 1)]
    for step, (expected, found) in enumerate(zip(whole[4:], resumed, strict=True)):
        for key in ("image", "target", "valid"):
            np.testing.assert_array_equal(found[key], expected[key])
            for shard in (0, 1):
                # Of 8 labelled and 24 pseudo-labelled images each worker has every second one.
                mine = np.concatenate([expected[key][:8][shard::2], expected[key][8:][shard::2]])
                np.testing.assert_array_equal(parts[shard][step][key], mine)


def test_the_same_position_of_both_streams_is_varied_in_another_way(folder):
    """Both streams show one white picture, so that nothing but the crop differs."""
    task = make(folder, "training.batch_size=32", "data.crop=pad", "data.crop_padding=3", share=0.5)
    white = types.SimpleNamespace(shuffled=white_images)
    task.dataset = types.SimpleNamespace(**{**vars(task.dataset), "train": white})
    task._pseudo = types.SimpleNamespace(split=white)
    labelled, pseudo = np.split(np.concatenate([batch["image"] for batch in rows(task, 4)]).reshape(4, 2, 8, -1), 2, 1)
    same = (labelled == pseudo).all(axis=-1).mean()
    # Of 7 × 7 crops few agree by chance.
    assert same < 0.2


def white_images(seed, start, shard, num_shards):
    images = tf.data.Dataset.range(start + shard, np.iinfo(np.int64).max, num_shards)
    return images.map(lambda position: (position, tf.fill([8, 8, 1], tf.constant(255, tf.uint8)), np.int64(0)))


def test_pseudo_labelled_images_may_have_an_augmentation_of_their_own(folder):
    task = make(folder, "training.batch_size=16", "data.pseudo.augmentation={random_erasing: 1}")
    plain = make(folder, "training.batch_size=16")
    (erased,), (whole,) = rows(task, 1), rows(plain, 1)
    same = (erased["image"] == whole["image"]).all(axis=(1, 2, 3))
    assert same[:4].all()
    # A rectangle may be too small to be seen.
    assert same[4:].sum() <= 2


def test_the_loss_is_the_mean_over_all_images_and_smooths_hard_labels_alone(folder):
    task = make(folder, "training.batch_size=16", "training.label_smoothing=0.2")
    (batch,) = rows(task, 1)
    random = np.random.default_rng(0)
    logits = random.normal(size=(16, 10)).astype("float32")
    batch = {name: tf.constant(values) for name, values in batch.items()}
    batch["valid"] = tf.constant([False, *[True] * 15])
    loss, sums = task.loss(lambda images, training: tf.constant(logits), batch, None)
    targets = batch["target"].numpy()
    smooth = np.concatenate([targets[:4] * 0.8 + 0.02, targets[4:]])
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    losses = -(smooth * log_shares).sum(axis=1)
    assert float(loss) == pytest.approx(losses.mean(), rel=1e-5)
    correct = (logits.argmax(axis=1) == targets.argmax(axis=1))[:4].sum()
    expected = (losses.sum(), correct, 16, 1, losses[4:].sum(), 12, 0)
    np.testing.assert_allclose(sums, expected, rtol=1e-5)
    means = task.means(CoTrainingSums.of(np.array(expected)))
    assert means["labelled_loss"] == pytest.approx(losses[:4].mean())
    assert means["pseudo_loss"] == pytest.approx(losses[4:].mean())
    assert (means["loss"], means["accuracy"]) == (pytest.approx(losses.mean()), correct / 4)
    row = task.figures(CoTrainingSums.of(np.array(expected)), {"loss": 1.0, "accuracy": 0.5})
    assert set(row) == set(task.columns)
    assert f"(labelled {losses[:4].mean():.4f}, pseudo-labelled {losses[4:].mean():.4f})" in task.line(row)


def test_class_weights_are_of_labelled_images(folder):
    task = make(folder, "training.batch_size=16", "training.class_weights=true")
    (batch,) = rows(task, 1)
    batch = {name: tf.constant(values) for name, values in batch.items()}
    logits = tf.zeros([16, 10])
    task._class_weights = tf.fill([10], 3.0)
    loss, _ = task.loss(lambda images, training: logits, batch, None)
    assert float(loss) == pytest.approx(np.log(10) * (4 * 3 + 12) / 16, rel=1e-5)


def test_two_thirds_need_not_be_written_out():
    assert Pseudo(folder="x", share=0.66667).images_of(96) == 64


@pytest.mark.parametrize(
    ("share", "overrides", "expected"),
    [
        (0.7, [], "data.pseudo.share 0.7 of 32 images must be a whole number of them, .* got 22.4"),
        (0.01, [], "share 0.01 of 32 images must be a whole number"),
        (0.75, ["training.gradient_accumulation=16"], "share 0.75 of 2 images must be a whole number"),
    ],
)
def test_a_share_that_does_not_come_out_even(folder, share, overrides, expected):
    recipe = recipe_file.load("digits", [f"data.pseudo={{folder: {folder}, share: {share}}}", *overrides])
    with pytest.raises(UserError, match=expected):
        dry_run(recipe)


def test_a_dry_run_counts_the_images_of_both_streams(folder, tmp_path):
    def dry(folder):
        recipe = recipe_file.load("digits", [f"data.pseudo={{folder: {folder}, share: 0.75}}"])
        return dry_run(recipe)

    assert "# pseudo-labelled   60 images, 24 of 32 in a batch" in dry(folder)
    text = dry(tmp_path / "later")
    assert f"# pseudo-labelled   unknown (there is no folder {tmp_path / 'later'}), 24 of 32 in a batch" in text
    assert "# steps             151 an epoch" in text


def test_a_wrong_key_says_which_there_are():
    with pytest.raises(UserError, match=r"unknown key data\.pseudo\.shares, did you mean 'share'\? \(allowed: folder,"):
        recipe_file.load("digits", ["data.pseudo={folder: x, shares: 0.5}"])


def test_the_run_is_bound_to_its_selection(folder):
    task = make(folder)
    assert isinstance(task, CoTraining)
    assert task.images.keys() == {"pseudo_labels", "pseudo_label_order"}
    assert task.introduction()[-1] == "60 images with pseudo-labels of a teacher, 24 of 32 in a batch"
