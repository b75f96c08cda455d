"""A process that forks builds and kills them: no build waits for imports.

It takes one request a line, as JSON, and answers with a line; see `BuildServer.build`.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self


class BuildServer:
    """Start the process; to be used in a ``with`` statement."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def build(
        self,
        plan: Path,
        bank: Path,
        out: Path,
        format: str,
        *,
        workers: int = 1,
        kill_after: float | None = None,
        kill_before_rename: int = 0,
    ) -> dict[str, Any]:
        """Build in a process of its own; kill that after so many seconds, or before a rename.

        Returns
        -------
        dict
            ``killed``: whether it was; ``error``: what it ended with, ``""`` if well; ``seconds``;
            ``renames``: how many it did; ``orphans``: whether a worker outlived it by 5 s.
        """
        request = {
            "plan": str(plan), "bank": str(bank), "out": str(out), "format": format,
            "workers": workers, "after": kill_after, "rename": kill_before_rename,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _dying(rename: Callable[..., None], count: list[int], last: int) -> Callable[..., None]:
    def maybe(*paths: Any, **options: Any) -> None:
        count[0] += 1
        if count[0] == last:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths, **options)

    return maybe


def _build(request: dict[str, Any], answers: int) -> None:
    """Run in the forked process, and end it."""
    from dunhuang_data.build import build_dataset
    from dunhuang_data.mask_bank import open_bank
    from dunhuang_data.plan import read_plan
    from dunhuang_data.recipe import BuildRecipe

    os.setsid()  # workers are in this group
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the killed leave behind is reported there
    count = [0]
    os.replace = _dying(os.replace, count, request["rename"])
    os.rename = _dying(os.rename, count, request["rename"])
    error = ""
    try:
        build_dataset(
            read_plan(Path(request["plan"])),
            open_bank(Path(request["bank"])),
            Path(request["out"]),
            BuildRecipe(request["format"], 7),
            workers=request["workers"],
        )
    except BaseException as problem:
        error = repr(problem)
    os.write(answers, json.dumps({"error": error, "renames": count[0]}).encode())
    os._exit(0)


PR_SET_CHILD_SUBREAPER = 36


def _adopt_orphans() -> None:
    """Become the parent of workers whose parent was killed: nobody else reaps them soon."""
    with suppress(AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _group_is_gone(group: int) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with suppress(ChildProcessError):
            while os.waitpid(-group, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _build(request, writing)
    os.close(writing)
    if request["after"] is not None:
        time.sleep(request["after"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    with os.fdopen(reading, "rb") as stream:
        answer = json.loads(stream.read(100_000) or b"{}") if not os.WTERMSIG(status) else {}
    return {
        "killed": os.WIFSIGNALED(status),
        "seconds": seconds,
        "orphans": not _group_is_gone(child),
        "error": "",
        "renames": 0,
        **answer,
    }


if __name__ == "__main__":
    import dunhuang_data.build
    import dunhuang_data.format_hdf5
    import dunhuang_data.zarr_codec  # noqa: F401

    _adopt_orphans()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)  # noqa: T201
