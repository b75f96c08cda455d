"""The three places where jobs run give the same results."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_data.executors import AHEAD, run_jobs


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def say_who_and_wait(folder: Path) -> None:
    (folder / f"{os.getpid()}").touch()
    time.sleep(60)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers: int) -> None:
    assert sorted(run_jobs(square, range(7), workers)) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_is_raised_as_it_is(workers: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(run_jobs(fail, range(5), workers))


PARENT = """
import pathlib, sys
from data.test_executors import say_who_and_wait
from dunhuang_data.executors import run_jobs
if __name__ == "__main__":
    list(run_jobs(say_who_and_wait, [pathlib.Path(sys.argv[1])] * 2, 2))
"""


def is_alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked for its exit code does not."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    path = os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])
    (tmp_path / "alive").mkdir()
    command = [sys.executable, str(script), str(tmp_path / "alive")]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    while len(list((tmp_path / "alive").iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.05)
    workers = [int(file.name) for file in (tmp_path / "alive").iterdir()]
    assert all(map(is_alive, workers))
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while any(map(is_alive, workers)):
        assert time.monotonic() < until, "workers go on without their parent"
        time.sleep(0.05)


def test_a_dead_worker_is_a_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match=r"One of the 2 worker processes died.*--workers"):
        list(run_jobs(die, range(4), 2))


@pytest.mark.skipif(find_spec("distributed") is not None, reason="Dask is installed")
def test_without_dask_the_extra_is_named() -> None:
    with pytest.raises(EnvironmentProblem, match=r"pip install 'dunhuang-data\[dask\]'"):
        list(run_jobs(square, range(2), scheduler="tcp://127.0.0.1:1"))


@pytest.mark.dask
@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_a_dask_cluster_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert sorted(run_jobs(square, range(5), scheduler=address)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_are_taken_as_they_are_needed(workers: int) -> None:
    taken = []

    def jobs() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = run_jobs(str, jobs(), workers)
    first = [next(results) for _ in range(3)]
    assert len(set(first)) == 3
    assert len(taken) <= 3 + 2 * workers * AHEAD
    results.close()  # type: ignore[attr-defined]
