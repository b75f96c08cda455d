"""The three places where jobs run give the same results."""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec

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


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers: int) -> None:
    assert sorted(run_jobs(square, range(7), workers)) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_is_raised_as_it_is(workers: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(run_jobs(fail, range(5), workers))


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
