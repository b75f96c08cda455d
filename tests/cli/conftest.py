"""Run a command in this process, as its console script would."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dunhuang_cli import data, train

MAINS = {"dunhuang-data": data.main, "dunhuang-train": train.main}


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Outcome]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Return a function (program, *arguments) -> Outcome."""

    def run(program: str, *arguments: object) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            MAINS[program]()
        streams = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, streams.out, streams.err)

    return run
