"""Tables beside the pictures."""

from pathlib import Path

import pytest

from dunhuang_data.errors import PlanError
from dunhuang_data.sidecar import entry_of, read_sidecar


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_found_by_id_or_by_name_with_suffix(tmp_path: Path) -> None:
    text = "\ufeffpicture,note,group\ncave/a,x,Cave 220\nb.tif,, Höhle 17 \n"
    table = read_sidecar(write(tmp_path / "groups.csv", text), ["group"])
    assert entry_of(table, "cave/a", "murals/cave/a.jpg") == {"group": "Cave 220"}
    assert entry_of(table, "b", "murals/b.tif") == {"group": "Höhle 17"}
    assert entry_of(table, "c", "c.png") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "picture,cave\na,1\n",
            "has no column group; its first line names picture, cave",
        ),
        ("", "has no column picture, group"),
        ("picture,group\na,1\nb,2\na,3\n", "line 4: 'a' stands there twice"),
        ("picture,group\na\n", None),
    ],
)
def test_what_is_no_such_table_is_a_sentence(
    tmp_path: Path, text: str, sentence: str | None
) -> None:
    path = write(tmp_path / "groups.csv", text)
    if sentence is None:
        assert read_sidecar(path, ["group"]) == {"a": {"group": ""}}
    else:
        with pytest.raises(PlanError, match=sentence):
            read_sidecar(path, ["group"])


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nowhere\.csv cannot be read as a table of pictures"):
        read_sidecar(tmp_path / "nowhere.csv", ["group"])
    (tmp_path / "latin.csv").write_bytes(b"picture,group\na,H\xf6hle\n")
    with pytest.raises(PlanError, match="cannot be read as a table of pictures"):
        read_sidecar(tmp_path / "latin.csv", ["group"])
