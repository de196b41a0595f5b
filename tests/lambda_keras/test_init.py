"""`import lambda_keras`: every public name is there, and Keras can read files of models after it alone."""

import lambda_keras as lk


def test_each_public_name_is_there():
    for name in lk.__all__:
        assert getattr(lk, name) is not None
    assert set(lk.applications.__all__) - {"get_config"} <= set(lk.__all__)
    assert set(dir(lk)) == set(lk.__all__)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(lk, "LambdaResNet51")


def test_the_import_alone_lets_keras_read_a_model(tmp_path, run_python):
    lk.create_model("lambda_resnet_tiny").save(tmp_path / "model.keras")
    script = "import sys, lambda_keras, keras; print(keras.models.load_model(sys.argv[1]).count_params())"
    assert int(run_python(script, tmp_path / "model.keras", cold=True)) == 101_098
