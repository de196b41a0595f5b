"""The JobSet for Kubernetes: it parses, its numbers agree, and its command makes TF_CONFIG. No cluster is here."""

import json
import os
import pathlib
import subprocess

import pytest
import yaml

FILE = pathlib.Path(__file__).parents[2] / "scripts" / "kubernetes.yaml"


@pytest.fixture(scope="module")
def job_set():
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def job(job_set):
    (replicated_job,) = job_set["spec"]["replicatedJobs"]
    return replicated_job["template"]["spec"]


def test_one_failure_restarts_all_and_a_user_error_ends_all(job_set, job):
    assert job["backoffLimit"] == 0
    assert job_set["spec"]["failurePolicy"]["maxRestarts"] > 0
    (rule,) = job_set["spec"]["failurePolicy"]["rules"]
    assert rule == {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert 2 in rule["onExitCodes"]["values"]
    assert 75 not in rule["onExitCodes"]["values"]


def test_every_pod_finds_its_place_in_tf_config(job_set, job, tmp_path):
    (container,) = job["template"]["spec"]["containers"]
    workers = job["completions"]
    assert job["parallelism"] == workers
    assert container["env"] == [{"name": "WORKERS", "value": str(workers)}]
    (tmp_path / "lambda-zoo").write_text('#!/bin/sh\necho "$TF_CONFIG"\nprintf "%s\\n" "$@"\n')
    (tmp_path / "lambda-zoo").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "WORKERS": str(workers),
        "JOB_COMPLETION_INDEX": "2",
    }
    command = [*container["command"], *container["args"]]
    config, *arguments = subprocess.check_output(command, env=environment, text=True).splitlines()
    name = f"{job_set['metadata']['name']}-{job_set['spec']['replicatedJobs'][0]['name']}-0"
    port = container["ports"][0]["containerPort"]
    hosts = [f"{name}-{index}.{job_set['metadata']['name']}:{port}" for index in range(workers)]
    assert json.loads(config) == {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": 2}}
    assert arguments == ["train", "--strategy", "multi_worker", *container["args"]]
