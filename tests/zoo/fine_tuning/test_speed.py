import itertools
from types import SimpleNamespace

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.fine_tuning import speed


def test_it_counts_the_images_of_the_steps_that_it_times(monkeypatch):
    recipe = recipe_file.load("digits", ["data.image_size=16", "training.batch_size=16"])
    # A clock that is ten seconds later each time.
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=itertools.count(0, 10).__next__))
    assert speed.measure(recipe, catalog.load(recipe.data)) == (speed.STEPS * 16 / 10, 10)
