"""Write small colour profiles by hand, from the specification (ICC.1:2001-04, version 2)."""

import struct

D50 = (0.9642, 1.0, 0.8249)
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def rgb_profile(name: str, primaries: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    """Return a profile of three primaries (X, Y, Z, adapted to D50) and a gamma."""
    tags = {b"desc": _text(name), b"cprt": _copyright(), b"wtpt": _xyz(D50)}
    for letter, primary in zip("rgb", primaries, strict=True):
        tags[f"{letter}XYZ".encode()] = _xyz(primary)
        tags[f"{letter}TRC".encode()] = _gamma(gamma)
    return _profile(b"RGB ", tags)


def grey_profile(name: str, gamma: float) -> bytes:
    """Return a profile of grey with a gamma."""
    tags = {b"desc": _text(name), b"cprt": _copyright(), b"wtpt": _xyz(D50)}
    return _profile(b"GRAY", tags | {b"kTRC": _gamma(gamma)})


def without_way_back(profile: bytes) -> bytes:
    """Return a profile of tables without those that lead into its colours."""
    (count,) = struct.unpack(">I", profile[128:132])
    table = profile[132 : 132 + 12 * count].replace(b"B2A", b"no2")
    return profile[:132] + table + profile[132 + 12 * count :]


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, data = b"", b""
    for kind, content in tags.items():
        offset = 132 + 12 * len(tags) + len(data)
        table += struct.pack(">4sII", kind, offset, len(content))
        data += content.ljust(-(-len(content) // 4) * 4, b"\0")
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIII3i", 128 + len(body), b"", 0x02400000, b"mntr", space, b"XYZ ",
        2026, 1, 1, 0, 0, 0, b"acsp", b"", 0, 0, 0, 0, 0, *(round(65536 * one) for one in D50),
    )  # fmt: skip
    return head.ljust(128, b"\0") + body


def _text(text: str) -> bytes:
    ascii_text = text.encode("ascii") + b"\0"
    return b"desc" + struct.pack(">II", 0, len(ascii_text)) + ascii_text + bytes(4 + 4 + 2 + 1 + 67)


def _copyright() -> bytes:
    return b"text" + bytes(4) + b"CC0\0"


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * one) for one in values))


def _gamma(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))
