"""A final name is only ever carried by a whole thing."""

import json
import resource
from pathlib import Path

import pytest

from dunhuang_data.atomic import locked, new_file, new_folder, write_json, write_text
from dunhuang_data.errors import OutputError, OutputExistsError, UsageProblem
from dunhuang_data.refusals import refuse_existing, refuse_existing_png


def test_a_file_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "a.json"
    with new_file(target) as temporary:
        temporary.write_text("{}")
        assert temporary.parent == target.parent
        assert temporary.suffix == ".json"  # libraries choose the format by it
        assert not target.exists()
    assert target.read_text() == "{}"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail_half_way() -> None:
        with new_file(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_refusal_of_the_system_is_a_sentence(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(
            OutputError, match=r"Could not write .*a\.json: File too large.*with -o"
        ):
            write_json(tmp_path / "a.json", ["x" * 1000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_block_is_not_taken_for_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "out", ("m",)):
        (tmp_path / "missing").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_if_it_is_ours_and_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with new_folder(out, ("made.json",)) as folder:
        write_json(folder / "made.json", 1)
    with pytest.raises(OutputExistsError, match="Give --overwrite to replace it"):
        refuse_existing(out, ("made.json",), overwrite=False)
    with new_folder(out, ("made.json",), overwrite=True) as folder:
        write_json(folder / "made.json", 2)
        assert json.loads((out / "made.json").read_text()) == 1  # the old one until the end
    assert json.loads((out / "made.json").read_text()) == 2
    with pytest.raises(OutputExistsError, match=r"no other\.json in it"):
        refuse_existing(out, ("other.json",), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_may_be_filled_and_a_file_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty", ("m",)) as folder:
        write_text(folder / "m", "")
    assert (tmp_path / "empty" / "m").is_file()
    with pytest.raises(OutputExistsError, match="m is a file; a folder is written there"):
        refuse_existing(tmp_path / "empty" / "m", ("m",), overwrite=True)


def test_a_new_folder_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    with new_folder(tmp_path / "out", ("m",)):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    picture = tmp_path / "wall.png"
    picture.write_text("")
    refuse_existing_png(picture, overwrite=True)
    with pytest.raises(OutputExistsError, match="is an input and would be replaced"):
        refuse_existing_png(picture, overwrite=True, inputs=[tmp_path / "gone", picture])
    with pytest.raises(OutputExistsError, match="is already there"):
        refuse_existing_png(picture, overwrite=False)
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(UsageProblem, match=r"wall\.tif does not end in \.png"):
        refuse_existing_png(tmp_path / "wall.tif", overwrite=True)
    with pytest.raises(OutputExistsError, match="is a folder; a file is written there"):
        refuse_existing_png(folder, overwrite=True)


def test_inputs_foreign_files_and_the_current_folder_are_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with new_folder(out, ("m", "data-*")) as folder:
        write_text(folder / "m", "")
        write_text(folder / "data-1", "")
    with pytest.raises(OutputExistsError, match=r"data-1 is an input and lies in .*would be"):
        refuse_existing(out, ("m", "data-*"), overwrite=True, inputs=[out / "data-1"])
    with pytest.raises(OutputExistsError, match="also holds data-1, which this command did not"):
        refuse_existing(out, ("m", "other-*"), overwrite=True)
    refuse_existing(out, ("m", "data-*"), overwrite=True)
    monkeypatch.chdir(out)
    with pytest.raises(OutputExistsError, match="is the folder you are in"):
        refuse_existing(Path(), ("m", "data-*"), overwrite=True)


def test_what_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def write() -> None:
        with new_folder(out, ("m",)) as folder:
            write_text(folder / "m", "")
            (out / "thesis.txt").write_text("years of work")

    with pytest.raises(OutputExistsError, match="not an output of this command"):
        write()
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "big" / "out")
    for text in ("1", "2"):
        with new_folder(tmp_path / "link", ("m",), overwrite=True) as folder:
            write_text(folder / "m", text)
    assert (tmp_path / "big" / "out" / "m").read_text() == "2"
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "big").iterdir()] == ["out"]


def test_killed_between_the_two_renames_the_old_one_is_named(tmp_path: Path) -> None:
    kept = tmp_path / ".out.old-12345678"
    kept.mkdir()
    with pytest.raises(OutputExistsError, match=r"what was there before is kept in .*old-12345678"):
        refuse_existing(tmp_path / "out", ("m",), overwrite=True)


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    with (
        locked(tmp_path, "building"),
        pytest.raises(OutputExistsError, match="Another process is building"),
        locked(tmp_path, "building"),
    ):
        pass
    with locked(tmp_path, "building"):  # free again
        pass
