"""Where independent jobs run: in this process, in worker processes, or on a Dask cluster.

Jobs are pure functions of their argument and may run in any order; results come as they finish.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

from dunhuang_data.errors import EnvironmentProblem

Job = TypeVar("Job")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Run ``function`` on every job and yield the results as they come.

    Parameters
    ----------
    function : callable
        Importable by name, so that other processes find it.
    jobs : iterable
        Picklable. They are taken as they are needed, so that there may be very many.
    workers : int
        Processes on this machine; 1 runs everything here. Processes are spawned, never forked:
        picture decoders have threads.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``); then ``workers`` does not count.

    Raises
    ------
    EnvironmentProblem
        If workers die, or Dask is not installed. An error of a job is raised as it is.
    """
    if scheduler is not None:
        yield from _dask(function, jobs, scheduler)
        return
    waiting = iter(jobs)
    first = list(islice(waiting, max(1, workers)))
    if len(first) <= 1:
        yield from map(function, chain(first, waiting))
    else:
        yield from _processes(function, chain(first, waiting), len(first))


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, which answers it once, and end when the parent is gone.

    A worker that outlived a killed parent would go on writing into a folder that nobody holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_the_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=end_with_the_parent, daemon=True).start()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back while workers are started: they inherit this, and die without a word.

    In a worker it stays held back, and is ignored as soon as it can be.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


AHEAD = 4  # jobs a worker that are handed out before there are results


def _processes(
    function: Callable[[Job], Result], jobs: Iterator[Job], workers: int
) -> Iterator[Result]:
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_start_worker,
        initargs=(os.getpid(),),
    ) as pool:
        futures: set[Future[Result]] = set()
        try:
            while True:
                wanted = AHEAD * workers - len(futures)
                with _interrupts_wait():
                    futures |= {pool.submit(function, job) for job in islice(jobs, wanted)}
                if not futures:
                    break
                done, futures = wait(futures, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise EnvironmentProblem(
                f"One of the {workers} worker processes died; most often the system ended it for "
                "want of memory. What was whole is kept: run the same command again, with fewer "
                "--workers."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _dask(
    function: Callable[[Job], Result], jobs: Iterable[Job], scheduler: str
) -> Iterator[Result]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise EnvironmentProblem(
            "--scheduler needs Dask, which is not installed. Install it with "
            "pip install 'dunhuang-data[dask]'."
        ) from error
    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, ValueError) as error:
        raise EnvironmentProblem(
            f"No Dask scheduler answered at {scheduler}: {error}. Start one with dask scheduler."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=30)
        except TimeoutError as error:
            raise EnvironmentProblem(
                f"The Dask scheduler at {scheduler} has no workers (30 s waited). Start one with "
                f"dask worker {scheduler}."
            ) from error
        waiting = iter(jobs)
        ahead = AHEAD * max(1, sum(client.nthreads().values()))
        first = [client.submit(function, job, pure=False) for job in islice(waiting, ahead)]
        futures: Any = as_completed(first)
        for future in futures:
            for job in islice(waiting, 1):
                futures.add(client.submit(function, job, pure=False))
            yield future.result()
