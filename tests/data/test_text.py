"""Names of files, made fit to be shown."""

from dunhuang_data.text import visible


def test_what_steers_a_terminal_is_replaced_and_all_else_is_kept() -> None:
    assert visible("wall-1 \u58c1\u753b [x] $a$ <b>") == "wall-1 \u58c1\u753b [x] $a$ <b>"
    assert visible("a\x1b[31m\n\x00") == "a\u241b[31m\u240a\u2400"
    assert visible("\x7f\x85\udcff") == "\u2421\ufffd\ufffd"
