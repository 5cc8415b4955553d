"""What the service is made of, decided by its settings."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from transcription.work.devices import device_of_cluster
from transcription.work.programs import queue_of, service_programs
from transcription.work.service import (
    CannotListenError,
    allowed_host,
    answers,
    open_listening_socket,
    url_of,
)
from transcription.work.supervised import Program


def programs(**changes: object) -> dict[str, Program]:
    settings = {
        "manage": "manage.py",
        "web_processes": 1,
        "listening_fd": 9,
        "engine_clusters": 1,
        "chores_workers": 2,
        "device": "auto",
        "gpu_present": False,
        "metrics_dir": "metrics",
        **changes,
    }
    return {program.name: program for program in service_programs(**settings)}  # type: ignore[arg-type]


def test_the_service_is_web_engine_and_chores() -> None:
    made = programs()
    assert list(made) == ["web", "engine-0", "chores"]
    assert made["web"].descriptors == (9,)
    assert made["web"].stops_first
    assert made["engine-0"].workers == 1
    assert made["chores"].workers == 2
    assert made["chores"].environment["Q_CLUSTER_NAME"] == "chores"


def test_a_host_that_only_works_has_no_web() -> None:
    assert list(programs(web_processes=0)) == ["engine-0", "chores"]


def test_several_web_processes_share_one_socket() -> None:
    made = programs(web_processes=2)
    assert made["web-0"].descriptors == made["web-1"].descriptors == (9,)


def test_every_engine_cluster_has_a_gpu_of_its_own() -> None:
    made = programs(engine_clusters=2, gpu_present=True)
    devices = [made[f"engine-{number}"].environment["ASR_DEVICE"] for number in (0, 1)]
    assert devices == ["cuda:0", "cuda:1"]
    assert {made[f"engine-{number}"].environment["Q_CLUSTER_NAME"] for number in (0, 1)} == {
        "engine"
    }


@pytest.mark.parametrize(
    ("clusters", "device", "gpu_present", "expected"),
    [
        (1, "auto", True, "auto"),
        (1, "cuda:3", True, "cuda:3"),
        (2, "auto", False, "auto"),
        (2, "cpu", True, "cpu"),
        (2, "cuda", False, "cuda:1"),
    ],
)
def test_the_device_of_the_last_cluster(
    clusters: int, device: str, gpu_present: bool, expected: str
) -> None:
    assert (
        device_of_cluster(clusters - 1, clusters=clusters, device=device, gpu_present=gpu_present)
        == expected
    )


def test_two_clusters_on_one_named_gpu_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="ASR_DEVICE=cuda for one GPU each"):
        device_of_cluster(0, clusters=2, device="cuda:1", gpu_present=True)


def test_a_cluster_serves_the_queue_of_its_name() -> None:
    assert queue_of("engine-12") == "engine"
    assert queue_of("chores") == "chores"
    with pytest.raises(ValueError, match="There is no cluster 'engine'"):
        queue_of("engine")


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with open_listening_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert url_of(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(CannotListenError, match=f"port {port}.*--port"):
            open_listening_socket("127.0.0.1", port)
    with pytest.raises(CannotListenError, match="is no port"):
        open_listening_socket("127.0.0.1", 70_000)


def test_every_interface_is_reached_by_the_loopback() -> None:
    with open_listening_socket("0.0.0.0", 0) as listening:
        assert url_of(listening).startswith("http://127.0.0.1:")


def test_a_service_that_is_not_there_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert not answers(f"http://127.0.0.1:{port}", "localhost")


def test_the_probe_asks_under_a_name_that_is_allowed() -> None:
    assert allowed_host(["*"]) == "localhost"
    assert allowed_host([".example.com", "localhost"]) == "example.com"
    assert allowed_host([]) == "localhost"


def test_the_launcher_loads_no_library_of_the_engines() -> None:
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'asr_project.settings'\n"
        "django.setup()\n"
        "import transcription.work.service, transcription.work.upkeep\n"
        "import transcription.management.commands.serve\n"
        "heavy = {'torch', 'onnxruntime', 'av', 'numpy', 'ctranslate2', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    root = Path(__file__).resolve().parents[2]
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"
