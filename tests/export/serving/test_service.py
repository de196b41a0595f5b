import pytest

from lambda_keras.export.serving.service import find_service
from lambda_keras.zoo.errors import UserError


def test_a_model_with_a_record_is_asked_about_files(server_model, image_files):
    service = find_service(server_model.parent, "letters", image_files[0])
    assert (service.name, service.versions) == ("letters", (server_model,))
    assert (service.signature, service.input, service.takes_files) == ("classify_bytes", "image_bytes", True)


def test_one_without_is_asked_about_arrays(saved_model):
    service = find_service(saved_model.parent)
    assert service.name == "saved_model", "that of the folder"
    assert (service.signature, service.input, service.image_shape) == ("serving_default", "images", (32, 32, 3))


def write_version(folder, content):
    (folder / "1").mkdir()
    if content is not None:
        (folder / "1" / "saved_model.pb").write_bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read .*saved_model.pb: No such file"), (b"text", "is damaged"), (b"", "is damaged")],
)
def test_a_version_that_is_none(tmp_path, content, message):
    write_version(tmp_path, content)
    with pytest.raises(UserError, match=message):
        find_service(tmp_path, "name")


def test_a_folder_from_which_no_server_could_load_is_refused(tmp_path):
    (tmp_path / "x[1]").mkdir()
    with pytest.raises(UserError, match="loads no SavedModel from"):
        find_service(tmp_path / "x[1]")


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UserError, match="there is no version in"):
        find_service(tmp_path)
    with pytest.raises(UserError, match=r"no such folder: .*missing; expected a folder of versions"):
        find_service(tmp_path / "missing")


def test_a_savedmodel_of_others(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.float32)])
    def add(one, other):
        return one + other

    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures=add)
    with pytest.raises(UserError, match=r"has the signatures .*serving_default; expected"):
        find_service(tmp_path)


@pytest.mark.parametrize("name", ["two words", "a/b", "a:b", "ä"])
def test_a_name_that_fits_into_no_address(server_model, name):
    with pytest.raises(UserError, match="give another by --name"):
        find_service(server_model.parent, name)


def test_an_image_that_is_missing_or_not_wanted(server_model, saved_model, image_files, tmp_path):
    with pytest.raises(UserError, match=r"no such image: .*missing\.png"):
        find_service(server_model.parent, image=tmp_path / "missing.png")
    with pytest.raises(UserError, match="has no classify_bytes, as its model had no record"):
        find_service(saved_model.parent, image=image_files[0])
