"""When a run is asked to stop."""

import os
import signal
import time

import pytest

from dunhuang_trainer.training.stopping import StopRequest


def test_it_stops_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stop = StopRequest(60.0)
    now[0] += 59.9
    assert stop.why is None
    now[0] += 0.1
    assert stop.why == "the time limit is reached"


def test_without_a_limit_it_does_not_stop() -> None:
    assert StopRequest().why is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_and_the_old_handler_comes_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = StopRequest()
    with stop.on_signals():
        os.kill(os.getpid(), number)
        assert stop.why == f"{number.name} was received"
    assert stop.interrupted == (number == signal.SIGINT)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    stop = StopRequest()
    with stop.on_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_under_torchrun_a_second_one_may_be_the_first_passed_on() -> None:
    stop = StopRequest(passed_on=True)
    with stop.on_signals():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.interrupted
    assert stop.why == "SIGINT was received"


def test_the_first_reason_is_kept() -> None:
    stop = StopRequest()
    stop.ask("one")
    stop.ask("two")
    assert stop.why == "one"
