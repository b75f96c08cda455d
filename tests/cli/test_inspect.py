"""``inspect``: a table for people, JSON for programs, and exit codes for scripts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import tiff_files as tiff
from drawings import draw_picture, save_picture
from dunhuang_cli.options import config_option, resolved_toml
from dunhuang_cli.reading_options import reading_options
from dunhuang_data.recipe import ReadingRecipe
from tiff_files import Page, write_tiff

Invoke = Callable[..., Any]
PIXELS = draw_picture(40, 60, "inspect")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_picture(tmp_path / "murals" / "a.png", PIXELS)
    ink = np.dstack([PIXELS, PIXELS[..., 0]])
    write_tiff(tmp_path / "murals" / "ink.tif", Page(ink, tiff.CMYK, orientation=6))
    return tmp_path / "murals"


def test_people_get_a_table_and_what_is_to_decide(invoke: Invoke, folder: Path) -> None:
    outcome = invoke("dunhuang-data", "inspect", folder)
    assert outcome.code == 0
    assert outcome.out == ""
    row = next(line for line in outcome.err.splitlines() if "│ ink" in line)
    assert "60 x 40" in row
    assert "CMYK" in row
    assert "To decide (cmyk-without-profile): " in outcome.err
    assert "--assume-profile FILE.icc" in outcome.err


def test_programs_get_json(invoke: Invoke, folder: Path) -> None:
    document = json.loads(invoke("dunhuang-data", "inspect", folder, "--json").out)
    first, ink = document["pictures"]
    assert document["problems"] == []
    assert (first["id"], first["height"], first["width"], first["mode"]) == ("a", 40, 60, "RGB")
    assert first["warnings"] == []
    assert (ink["id"], ink["height"], ink["width"], ink["orientation"]) == ("ink", 60, 40, 6)
    assert [warning["option"] for warning in ink["warnings"]] == ["--assume-profile"]


def test_strict_fails_until_all_is_decided(invoke: Invoke, folder: Path) -> None:
    outcome = invoke("dunhuang-data", "inspect", folder, "--strict", "--json")
    assert outcome.code == 3
    assert "1 of 2 pictures need a decision: ink." in outcome.err
    assert len(json.loads(outcome.out)["pictures"]) == 2
    decided = ("--strict", "--assume-profile", "cmyk")
    outcome = invoke("dunhuang-data", "inspect", folder, *decided)
    assert outcome.code == 0
    assert "To decide" not in outcome.err


def test_bad_files_are_named_together_at_the_end(invoke: Invoke, folder: Path) -> None:
    (folder / "bad.jpg").write_text("a shopping list")
    save_picture(folder / "a.jpg", PIXELS)
    save_picture(folder / "good.png", PIXELS)
    outcome = invoke("dunhuang-data", "inspect", folder, "--json")
    assert outcome.code == 3
    assert "Error: 2 problems with 3 pictures:" in outcome.err
    assert "Two pictures would have the id 'a'" in outcome.err
    assert "bad.jpg: " in outcome.err
    document = json.loads(outcome.out)
    assert [one["id"] for one in document["pictures"]] == ["good", "ink"]
    assert len(document["problems"]) == 2


def test_headers_only_is_quick_and_finds_no_damage(invoke: Invoke, tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", draw_picture(200, 301, "cut"))
    path.write_bytes(path.read_bytes()[:-5000])
    assert invoke("dunhuang-data", "inspect", path, "--headers-only").code == 0
    assert invoke("dunhuang-data", "inspect", path).code == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--channels", "1,two"), "'1,two' is no list of channels such as 1,2,3"),
        (("--channels", "1,2"), "--channels is 1,2; expected three"),
        (("--white-level", "70000"), "--white-level is 70000"),
        (("--assume-profile", "swop"), "--assume-profile swop cannot be read"),
    ],
)
def test_wrong_decisions_are_usage(
    invoke: Invoke, folder: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    outcome = invoke("dunhuang-data", "inspect", folder, *arguments)
    assert outcome.code == 2
    assert sentence in outcome.err


def test_the_reading_options_make_one_recipe_and_come_back_from_run_toml(tmp_path: Path) -> None:
    seen: list[ReadingRecipe] = []
    texts: list[str] = []

    @click.command("stats")  # a name that the configuration knows
    @reading_options
    @config_option
    @click.pass_context
    def command(ctx: click.Context, reading: ReadingRecipe) -> None:
        seen.append(reading)
        texts.append(resolved_toml(ctx))

    profile = tmp_path / "a.icc"
    profile.write_bytes(b"whatever")
    given = ["--assume-profile", str(profile), "--white-level", "4095", "--page", "2",
             "--channels", "3,2,1", "--bilevel", "grey", "--trust-size"]  # fmt: skip
    for number, arguments in enumerate(([], given)):
        command.main(arguments, prog_name="stats", standalone_mode=False)
        (tmp_path / f"{number}.toml").write_text(texts[-1])
        command.main(
            ["--config", str(tmp_path / f"{number}.toml")], prog_name="stats", standalone_mode=False
        )
    decided = ReadingRecipe(str(profile), 4095, 2, (3, 2, 1), "grey", True)
    assert seen == [ReadingRecipe(), ReadingRecipe(), decided, decided]
