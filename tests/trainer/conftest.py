"""The trainer's tests need torch; without it this folder is left out as a whole."""

from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []
