"""The page of measured masks: whole in itself, readable, and quiet in a browser."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.mask_bank import write_bank
from dunhuang_data.mask_page import page, write_page
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats import Report, make_report, measure_source, open_source
from dunhuang_data.pictures import read_picture

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)  # fmt: skip
BLUE = (0, 114, 178)  # of the figures


@pytest.fixture
def report(tmp_path: Path) -> Report:
    sources = []
    for name, steps in (("<b>&train", 900), ("judged", 90)):
        write_bank(
            MaskRecipe(shape_hw=(40, 64), steps=(steps, steps), count=40, seed=2), tmp_path / name
        )
        sources.append(open_source(tmp_path / name))
    one, other = sources
    return make_report(one, "all", measure_source(one), other, measure_source(other))


class Reader(HTMLParser):
    """Collects what a page names and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.alts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values[name] or "" for name in ("src", "href") if name in values]
        self.alts += [values.get("alt") or ""] if tag == "img" else []


def test_the_page_is_whole_in_itself(report: Report) -> None:
    text = page(report)
    read = Reader(text)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    for link in read.links:
        assert link.startswith(("data:", "#")), link[:60]
    assert {"script", "iframe", "object", "video"}.isdisjoint(read.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_its_contents_lead_somewhere_and_figures_have_words(report: Report) -> None:
    read = Reader(page(report))
    targets = [link.removeprefix("#") for link in read.links if link.startswith("#")]
    assert targets == read.ids
    assert len(targets) == len(set(targets)) >= 10
    assert len(read.alts) == 3  # the comparison, and a figure a set
    assert all(len(alt) > 60 for alt in read.alts)
    assert "do not match" in read.alts[0]
    assert "masks. Histogram of the hole ratio: median " in read.alts[1]


def test_names_are_text_and_not_markup(report: Report) -> None:
    text = page(report)
    assert "&lt;b&gt;&amp;train do not" not in text
    assert "&lt;b&gt;&amp;train and " in text
    assert "<b>" not in text


def test_light_dark_and_paper_are_thought_of(report: Report) -> None:
    text = page(report)
    for media in ("color-scheme: light dark", "prefers-color-scheme: dark", "@media print"):
        assert media in text


def test_the_same_report_is_the_same_page(report: Report) -> None:
    assert page(report) == page(report)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_it_and_complains_of_nothing(report: Report, tmp_path: Path) -> None:
    path, picture = tmp_path / "masks.html", tmp_path / "masks.png"
    write_page(report, path)
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--enable-logging=stderr", "--window-size=900,2400",
            f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert said == []  # a refused request, a broken picture or a fault of the page would be here
    shown = read_picture(picture)
    assert shown.shape == (2400, 900, 3)
    blue = (np.abs(shown.astype(int) - BLUE).max(axis=-1) < 4).sum()
    assert blue > 2000  # the figures were drawn
