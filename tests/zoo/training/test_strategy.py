import json
from types import SimpleNamespace
from unittest import mock

import pytest
import tensorflow as tf

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training import strategy


def tf_config(worker=("host0:12345", "host1:12345"), task_type="worker", index=0, **others):
    return json.dumps({"cluster": {"worker": worker, **others}, "task": {"type": task_type, "index": index}})


@pytest.mark.parametrize(
    ("name", "tpu", "expected"),
    [
        ("horovod", None, r"unknown strategy 'horovod' \(known: default, mirrored, multi_worker, tpu\)"),
        ("tpu", None, "--tpu NAME .* got strategy tpu and TPU None"),
        ("mirrored", "local", "--tpu NAME .* got strategy mirrored and TPU local"),
        ("default", "local", "--tpu NAME .* got strategy default and TPU local"),
    ],
)
def test_names_that_do_not_fit(name, tpu, expected):
    with pytest.raises(UserError, match=expected):
        strategy.create(name, tpu)


def test_a_machine_without_a_tpu():
    with pytest.raises(UserError, match="cannot use TPU 'local': "):
        strategy.create("tpu", "local")


@pytest.mark.parametrize("text", [None, ""])
def test_several_workers_need_tf_config(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=r"needs TF_CONFIG in the environment, such as \{\"cluster\""):
        strategy.create("multi_worker")


@pytest.mark.parametrize(
    "text",
    [
        "worker 0 of 2",
        "[]",
        "{}",
        '{"cluster": {}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["host0:12345"]}}',
        tf_config(index=2),
        tf_config(index=-1),
        tf_config(index="0"),
        tf_config(task_type="chief"),
        tf_config(ps=["host2:12345"]),
    ],
)
def test_a_tf_config_that_does_not_fit(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG must list workers and name one of them as the task") as error:
        strategy.create("multi_worker")
    assert str(error.value).endswith(f"got {text}")


def test_an_address_at_which_no_worker_can_serve(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(index=1))
    error = tf.errors.UnknownError(None, None, "Could not start gRPC server")
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", mock.Mock(side_effect=error))
    with pytest.raises(UserError, match=r"worker 1 cannot serve at host1:12345, .*: Could not start gRPC server;"):
        strategy.create("multi_worker")


@pytest.mark.parametrize(("gpus", "implementation"), [([], "RING"), (["GPU:0"], "AUTO")])
def test_how_workers_communicate(monkeypatch, gpus, implementation):
    monkeypatch.setenv("TF_CONFIG", tf_config(index=1))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    made = mock.Mock()
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", made)
    assert strategy.create("multi_worker") is made.return_value
    assert made.call_args.kwargs["communication_options"].implementation.name == implementation


def test_default_is_one_device():
    distribution = strategy.create("default")
    assert distribution.num_replicas_in_sync == 1
    assert strategy.is_chief(distribution)


@pytest.mark.parametrize(
    ("devices", "taken"),
    [({"GPU": 2, "CPU": 3}, ["GPU:0", "GPU:1"]), ({"CPU": 3}, ["CPU:0", "CPU:1", "CPU:2"])],
)
def test_mirrored_takes_all_gpus_or_else_all_cpus(monkeypatch, devices, taken):
    def devices_of(kind):
        return [SimpleNamespace(name=f"{kind}:{number}") for number in range(devices.get(kind, 0))]

    monkeypatch.setattr(tf.config, "list_logical_devices", devices_of)
    made = mock.Mock()
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", made)
    assert strategy.create("mirrored") is made.return_value
    made.assert_called_once_with(taken)


@pytest.mark.parametrize(("task_id", "expected"), [(0, True), (None, True), (1, False)])
def test_one_worker_is_the_chief(task_id, expected):
    resolver = SimpleNamespace(task_id=task_id)
    distribution = mock.Mock(spec=tf.distribute.MultiWorkerMirroredStrategy, cluster_resolver=resolver)
    assert strategy.is_chief(distribution) is expected
