"""Hashes as coreutils reads them."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from dunhuang_data.sums import SUMS, sums

NAMES = (
    "b.bin",
    "a/z.bin",
    "a/zwei Wörter.bin",
    "Ω",
    " leading",
    "back\\slash",
    "line\nfeed",
    "a.b",
)


def files_in(folder: Path) -> list[tuple[str, str]]:
    found = []
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 3)
        found.append((name, hashlib.sha256(name.encode() * 3).hexdigest()))
    return found


def test_a_line_is_hash_two_blanks_path_ordered_by_path() -> None:
    text = sums([("b", "2" * 64), ("a\\\r\n", "1" * 64), ("Ω", "3" * 64)])
    one, two, three = ("1" * 64, "2" * 64, "3" * 64)
    assert text == f"\\{one}  a\\\\\\r\\n\n{two}  b\n{three}  Ω\n"
    assert sums([]) == ""


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no GNU coreutils here")
def test_coreutils_check_it_and_write_the_same(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    (tmp_path / SUMS).write_text(sums(files), encoding="utf-8")
    check = ["sha256sum", "--check", "--strict", SUMS]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0
    ordered = sorted(NAMES, key=lambda name: name.encode())
    written = subprocess.run(["sha256sum", *ordered], cwd=tmp_path, capture_output=True, check=True)
    assert written.stdout.decode().replace(" *", "  ") == sums(files)
    (tmp_path / "line\nfeed").write_bytes(b"changed")
    found = subprocess.run(check, cwd=tmp_path, capture_output=True)
    assert found.returncode == 1
    assert found.stdout.count(b"FAILED") == 1
