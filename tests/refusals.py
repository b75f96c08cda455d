"""What a refused command leaves: its code, its sentence, nothing on stdout."""

from typing import Any


def check(outcome: Any, code: int, *parts: str) -> None:
    """Assert that a command ended with a code and a sentence that holds some parts."""
    text = " ".join(outcome.err.split())
    assert outcome.code == code, text
    for part in parts:
        assert part in text
    assert "Traceback" not in text
    assert outcome.out == ""
