"""``SHA256SUMS``: the hashes of many files as ``sha256sum -c`` of GNU coreutils reads them."""

from collections.abc import Iterable

SUMS = "SHA256SUMS"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r"})


def sums(files: Iterable[tuple[str, str]]) -> str:
    """Return the text of ``SHA256SUMS``, ordered by path. Pure.

    Parameters
    ----------
    files : iterable of (str, str)
        Path below the folder that the list lies in, POSIX; and SHA-256 in hexadecimal.

    Returns
    -------
    str
        One line a file: hash, two blanks, path. A path with a backslash, line feed or carriage
        return is escaped, and its line begins with a backslash, as coreutils (9.0 and later) do.
    """
    # by their bytes, as sort does with LC_ALL=C: the order depends on no locale
    return "".join(_line(path, digest) for path, digest in sorted(files, key=_path_bytes))


def _path_bytes(file: tuple[str, str]) -> bytes:
    return file[0].encode("utf-8", "surrogateescape")


def _line(path: str, digest: str) -> str:
    escaped = path.translate(_ESCAPES)
    mark = "\\" if escaped != path else ""
    return f"{mark}{digest}  {escaped}\n"
