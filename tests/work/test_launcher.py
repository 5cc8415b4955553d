"""The launcher, with clusters of real processes that do nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.work.launched import PATIENCE_SECONDS, ROLES, launched, wait_for_death
from transcription.work.processes import all_processes
from transcription.work.supervised import restart_delay_seconds

STEADY = {"engine-0": "steady"}


@pytest.mark.parametrize("role", ROLES)
def test_the_death_of_any_process_of_a_cluster_brings_a_whole_new_cluster(
    tmp_path: Path, role: str
) -> None:
    with launched(tmp_path, STEADY) as launcher:
        old = launcher.cluster_up()
        launcher.wait_for("ready")
        os.kill(old[role], signal.SIGKILL)
        new = launcher.cluster_up()
        assert not set(new.values()) & set(old.values())
        for pid in old.values():
            wait_for_death(pid)
        launcher.wait_for_words("engine-0 works again")


def test_the_work_of_a_dead_cluster_is_given_back_under_its_own_name_once(tmp_path: Path) -> None:
    with launched(tmp_path, STEADY) as launcher:
        first = launcher.wait_for("up", role="worker")
        os.kill(first["pid"], signal.SIGKILL)
        assert launcher.wait_for("released")["holder"] == first["cluster"]
        second = launcher.wait_for("up", role="worker")
        assert second["cluster"] != first["cluster"]
        assert launcher.stop() == 0
        released = [said["holder"] for said in launcher.rest() if said["event"] == "released"]
        assert released == [second["cluster"]]


def test_work_is_given_back_after_the_database_came_back(tmp_path: Path) -> None:
    with launched(tmp_path, STEADY, release_fails=1) as launcher:
        os.kill(launcher.cluster_up()["worker"], signal.SIGKILL)
        failed = launcher.wait_for("release_failed")
        # The cluster did not wait for the database.
        launcher.cluster_up()
        assert launcher.wait_for("released")["holder"] == failed["holder"]


def test_a_web_process_that_dies_is_started_again(tmp_path: Path) -> None:
    with launched(tmp_path, {"web": "alone"}) as launcher:
        first = launcher.wait_for("up")
        os.kill(first["pid"], signal.SIGKILL)
        assert launcher.wait_for("up")["pid"] != first["pid"]


def test_a_death_in_one_cluster_leaves_the_others_alone(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "steady", "web": "alone"}) as launcher:
        web = launcher.wait_for("up", role="main")
        while web["cluster"].startswith("engine"):
            web = launcher.wait_for("up", role="main")
        os.kill(launcher.wait_for("up", role="monitor")["pid"], signal.SIGKILL)
        launcher.wait_for("up", role="monitor")
        os.kill(web["pid"], 0)


def test_everything_dies_with_a_launcher_that_is_killed(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "steady", "web": "alone"}) as launcher:
        launcher.wait_for("ready")
        pids = {said["pid"] for said in launcher.wait_for_all("up", count=6)}
        launcher.process.kill()
        for pid in pids:
            wait_for_death(pid)


def test_the_next_launcher_gives_back_what_a_killed_one_left(tmp_path: Path) -> None:
    with launched(tmp_path, STEADY) as launcher:
        cluster = launcher.wait_for("up", role="worker")["cluster"]
        launcher.process.kill()
    with launched(tmp_path, {"web": "alone"}) as launcher:
        assert launcher.wait_for("released")["holder"] == cluster


def test_a_stop_lets_every_worker_finish(tmp_path: Path) -> None:
    with launched(tmp_path, STEADY) as launcher:
        pids = launcher.cluster_up()
        launcher.wait_for("ready")
        assert launcher.stop() == 0
        finished = [said for said in launcher.rest() if said["event"] == "finished"]
        assert {said["role"] for said in finished} == {"worker", "monitor", "pusher"}
        assert all(said["stop_requested"] for said in finished)
        for pid in pids.values():
            wait_for_death(pid)


def test_a_stop_ends_the_web_before_the_clusters_that_serve_it(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "steady", "web": "alone"}) as launcher:
        launcher.wait_for("ready")
        assert launcher.stop() == 0
        roles = [said["role"] for said in launcher.rest() if said["event"] == "finished"]
        assert roles[0] == "main"
        assert len(roles) == 4


def test_ctrl_c_reaches_the_launcher_alone(tmp_path: Path) -> None:
    with launched(tmp_path, STEADY) as launcher:
        launcher.cluster_up()
        launcher.wait_for("ready")
        os.killpg(launcher.pid, signal.SIGINT)  # what a terminal does
        assert launcher.process.wait(PATIENCE_SECONDS) == 0
        assert len([said for said in launcher.rest() if said["event"] == "finished"]) == 3


def test_what_does_not_stop_in_time_is_killed_and_given_back(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "stubborn"}, timing={"stop_seconds": 0.5}) as launcher:
        pids = launcher.cluster_up()
        launcher.wait_for("ready")
        assert launcher.stop() == 1
        for pid in pids.values():
            wait_for_death(pid)
        events = [said["event"] for said in launcher.rest()]
        assert events.count("ignored") == 1
        assert events.count("released") == 1


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "stubborn"}, timing={"stop_seconds": 3600}) as launcher:
        launcher.cluster_up()
        launcher.wait_for("ready")
        launcher.process.send_signal(signal.SIGINT)
        launcher.wait_for("ignored")
        launcher.process.send_signal(signal.SIGINT)
        assert launcher.process.wait(PATIENCE_SECONDS) == 1


def test_a_cluster_told_to_stop_by_somebody_else_finishes_and_is_started_again(
    tmp_path: Path,
) -> None:
    with launched(tmp_path, STEADY) as launcher:
        pids = launcher.cluster_up()
        launcher.wait_for("ready")
        os.kill(pids["main"], signal.SIGTERM)
        launcher.wait_for_all("finished", count=3)
        assert launcher.wait_for_words("engine-0 stopped")["level"] == "INFO"
        launcher.cluster_up()


def test_what_fails_at_every_start_is_tried_again_and_disturbs_nobody(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "failing", "web": "alone"}) as launcher:
        web = launcher.wait_for("up")
        launcher.wait_for_all("failing", count=3)
        said = launcher.wait_for_words("Starting it again in 0.5 s")
        assert "exit code 1" in said["words"]
        os.kill(web["pid"], 0)
        assert launcher.stop() == 0


def test_what_hangs_while_it_starts_is_started_again(tmp_path: Path) -> None:
    timing = {"start_seconds": 0.2}
    with launched(tmp_path, {"engine-0": "hanging"}, timing=timing) as launcher:
        launcher.wait_for_words("it was not ready within 0.2 s. Starting it again now")


def test_a_program_in_a_session_of_its_own_dies_with_the_worker_that_started_it(
    tmp_path: Path,
) -> None:
    with launched(tmp_path, {"engine-0": "with_stray"}) as launcher:
        stray = launcher.wait_for("stray")["stray"]
        os.kill(launcher.wait_for("up", role="worker")["pid"], signal.SIGKILL)
        wait_for_death(stray)


def test_a_hundred_restarts_leave_no_descriptor_and_no_zombie_behind(tmp_path: Path) -> None:
    programs = {f"web-{number}": "alone" for number in range(4)}
    with launched(tmp_path, programs, timing={"restart_limit_seconds": 0.0}) as launcher:
        descriptors = Path(f"/proc/{launcher.pid}/fd")
        pids = {said["pid"] for said in launcher.wait_for_all("up", count=4)}
        launcher.wait_for("ready")
        before = len(list(descriptors.iterdir()))
        for _ in range(25):
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            pids = {said["pid"] for said in launcher.wait_for_all("up", count=4)}
        launcher.wait_for_all("released", count=100)
        children = [at.pid for at in all_processes() if at.parent_pid == launcher.pid]
        assert set(children) == pids
        assert len(list(descriptors.iterdir())) == before
        assert len(list((tmp_path / "holders").iterdir())) == 4


def test_a_launcher_that_waits_does_nothing(tmp_path: Path) -> None:
    with launched(tmp_path, {"engine-0": "failing"}) as launcher:
        launcher.wait_for_words("Starting it again in 0.5 s")
        before = _turns(launcher.pid)
        launcher.wait_for("failing", count=3)  # the third comes after that half second
        assert _turns(launcher.pid) - before < 50


def _turns(pid: int) -> int:
    """How often the process has gone to sleep: a busy loop or a fast poll shows here."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise AssertionError("the kernel counts no context switches")


def test_a_restart_comes_at_once_first_and_then_after_longer_and_longer_pauses() -> None:
    delays = [restart_delay_seconds(deaths, 30.0) for deaths in range(1, 11)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert restart_delay_seconds(1_000_000, 30.0) == 30.0
