import pytest

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import schedule
from lambda_keras.zoo.fine_tuning.settings import Settings
from lambda_keras.zoo.fine_tuning.start import Start

DATA = {"name": "image_table", "image_size": 224}
PRETRAINED = Start("imagenet", None, Preprocessor(224))
RANDOM = Start(None, None, Preprocessor(224))
WARM = Start(None, "resnet_rs", Preprocessor(224))


def recipe(*overrides, start=PRETRAINED, images=500, epochs=None, size=224, fresh_classifier=False):
    settings = Settings("pictures", "lambda_resnet50ts", "out", overrides=overrides)
    return schedule.whole_recipe(settings, start, {**DATA, "image_size": size}, images, epochs, fresh_classifier)


def plan(start=PRETRAINED, head_epochs=None, **options):
    return schedule.phases(recipe(start=start, **options), start, head_epochs, "out")


def test_more_images_need_fewer_epochs_and_less_variation():
    recipes = [recipe(images=images) for images in (100, 5_000, 50_000, 500_000)]
    epochs = [recipe.training.epochs for recipe in recipes]
    assert epochs == sorted(epochs, reverse=True)
    assert [recipe.data.mixup > 0 for recipe in recipes] == [True, True, False, False]
    magnitudes = [recipe.data.randaugment_magnitude for recipe in recipes]
    assert magnitudes == sorted(magnitudes, reverse=True)
    assert [recipe.training.batch_size for recipe in recipes] == [8, 64, 64, 64]
    assert [recipe.training.frozen_batch_norm for recipe in recipes] == [True, True, False, False]


@pytest.mark.parametrize("images", range(1, 9))
def test_a_batch_is_no_larger_than_what_there_is(images):
    assert recipe(images=images).training.batch_size == images


def test_small_images_are_neither_cropped_to_pieces_nor_varied_as_photographs():
    for small in (recipe(size=32), recipe("data.image_size=32")):
        assert (small.data.image_size, small.data.crop, small.data.crop_padding) == (32, "pad", 2)
        assert small.data.randaugment_layers == 0
    assert recipe().data.crop == "inception"


def test_what_a_dataset_by_name_is_loaded_with():
    overrides = (
        "training.xla=true",
        "data.image_size=64",
        "data.crop=pad",
        "data.train=train[10:]",
        "data.validation=x",
    )
    settings = Settings("cats_vs_dogs", "lambda_resnet50ts", "out", overrides=overrides)
    data = schedule.data_without_number(settings, {"name": "cats_vs_dogs", "image_size": 224})
    assert (data.name, data.image_size, data.crop, data.crop_padding) == ("cats_vs_dogs", 64, "pad", 4)
    assert (data.train, data.validation, data.randaugment_layers) == ("train[10:]", "x", 0)
    with pytest.raises(UserError, match=r"command line: data.image_size must be .*integer.*, got 'large'"):
        recipe("data.image_size=large")


def test_the_users_values_win():
    changed = recipe("training.learning_rate=0.01", "data.horizontal_flip=false", "training.frozen_batch_norm=false")
    assert (changed.training.learning_rate, changed.data.horizontal_flip) == (0.01, False)
    assert not changed.training.frozen_batch_norm
    with pytest.raises(UserError, match="command line: unknown key training"):
        recipe("training.rate=1")
    with pytest.raises(UserError, match=r"fine-tune: training.epochs must be greater than or equal to 1, got 0"):
        recipe(epochs=0)


def test_the_first_phase_trains_the_head_and_the_second_goes_on_from_it():
    both = plan(epochs=20)
    assert both.head.model.weights == "imagenet"
    assert (both.head.training.trained_layers, both.head.training.epochs) == ("head", 4)
    assert both.head.training.early_stopping_epochs is None
    assert both.head.data == both.whole.data
    assert both.whole.model.weights == "out/head/model.keras"
    assert (both.whole.training.trained_layers, both.whole.training.epochs) == ("all", 20)
    assert both.whole.training.stage_decay < 1


def test_a_fresh_classifier_is_that_of_the_first_phase():
    # Also where the image size is the user's, which makes the recipe anew.
    for both in (plan(fresh_classifier=True), plan(fresh_classifier=True, size=32), plan_of_small_images()):
        assert both.first is both.head
        assert (both.head.model.fresh_classifier, both.whole.model.fresh_classifier) == (True, False)
    one = plan(fresh_classifier=True, head_epochs=0)
    assert one.first is one.whole
    assert one.whole.model.fresh_classifier


def plan_of_small_images():
    whole = recipe("data.image_size=32", fresh_classifier=True)
    return schedule.phases(whole, PRETRAINED, None, "out")


@pytest.mark.parametrize("start", [RANDOM, WARM])
def test_there_is_one_phase_where_layers_are_random(start):
    one = plan(start)
    assert one.head is None
    assert (one.whole.model.weights, one.whole.model.warm_start) == (None, start.warm_start)
    assert one.whole.training.stage_decay == 1
    assert not one.whole.training.frozen_batch_norm


def test_the_user_may_choose_the_epochs_of_the_first_phase():
    assert plan(head_epochs=0).head is None
    assert plan(head_epochs=7).head.training.epochs == 7
    assert plan(head_epochs=0).whole.model.weights == "imagenet"


def test_a_plan_says_what_will_be_done():
    head, whole, images = plan(epochs=20).describe(500)
    assert head == "phase 1: the classifier alone, epochs: 4, learning rate 0.001"
    assert whole == (
        "phase 2: all layers, epochs: at most 20, steps: 31 an epoch, with 16 images each, learning rate 0.0003, times "
        "0.75 for each stage before the classifier, BatchNorm stays as it was"
    )
    assert images.startswith("images: 224x224, crop inception, RandAugment 2 x 9, mixup 0.2, mirrored at random")
    assert plan(RANDOM).describe(500)[0].startswith("training: all layers")


def head(epochs):
    return max(1, epochs // 5)


def test_the_epochs_that_a_budget_allows():
    # One epoch: 300 images and 100 of the head, twice 10 of validation; in the end 40 of the test split.
    counts = (300, 30, 40)
    assert schedule.epochs_within(46, counts, images_per_second=10, most=9, head=head) == 1
    assert schedule.epochs_within(76.9, counts, images_per_second=10, most=9, head=head) == 1
    assert schedule.epochs_within(77, counts, images_per_second=10, most=9, head=head) == 2
    assert schedule.epochs_within(7700, counts, images_per_second=10, most=9, head=head) == 9


@pytest.mark.parametrize("seconds", [45, -3])
def test_a_budget_that_is_too_small(seconds):
    with pytest.raises(UserError, match=r"one epoch of it takes about 0.8 here, at 10.0 images a second"):
        schedule.epochs_within(seconds, (300, 30, 40), images_per_second=10, most=9, head=head)
