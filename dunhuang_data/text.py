"""Names as they can be shown: nothing in them steers a terminal or breaks a file."""

import unicodedata

CONTROL_PICTURES = 0x2400  # U+2400 to U+241F stand for the control characters 0 to 31
DELETE, DELETE_PICTURE = 0x7F, 0x2421


def visible(text: str) -> str:
    """Return a text with control characters replaced by what can be seen.

    Names of files can hold anything: an escape character would steer the terminal, and a byte that
    is no UTF-8 (a lone surrogate in Python) cannot be written as UTF-8.

    Returns
    -------
    str
        As long as ``text``. ASCII's control characters have pictures (U+2400 …), the others and
        lone surrogates become U+FFFD.
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    kind, code = unicodedata.category(character), ord(character)
    if kind not in ("Cc", "Cs"):
        return character
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    return chr(DELETE_PICTURE) if code == DELETE else "\ufffd"
