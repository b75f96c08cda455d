"""Measured masks as one page: a single file that needs no network, no script and no other file."""

import base64
import html
from collections.abc import Iterator, Sequence
from pathlib import Path

from dunhuang_data import __version__
from dunhuang_data.atomic import write_text
from dunhuang_data.figures import png_of
from dunhuang_data.mask_figures import MOST_ROWS, comparison_figure, scales_of, set_figure
from dunhuang_data.mask_stats import (
    Comparison,
    MaskStats,
    Report,
    Table,
    glossary,
    pooled,
    title,
)
from dunhuang_data.text import visible

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --line: #c9c9c9;
  --soft: #f3f3f1; --link: #00558c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #17191b; --line: #45494d;
  --soft: #22262a; --link: #7cc4f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem 1.2rem 3rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { margin-top: 2.2rem; font-size: 1.25rem; }
a { color: var(--link); } nav ul { columns: 2 18rem; padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th { vertical-align: bottom; } tbody th { font-weight: normal; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
thead th { background: var(--soft); }
figure { margin: 1rem 0; } figcaption { font-size: .9rem; }
figure img { display: block; width: 100%; height: auto; background: #ffffff;
  border: 1px solid var(--line); }
.verdict { padding: .6rem 1rem; border-left: .35rem solid var(--link); background: var(--soft); }
p, li { overflow-wrap: anywhere; }
@media print { :root { color-scheme: light; --ink: #000000; --paper: #ffffff; --line: #999999;
  --soft: #ffffff; --link: #000000; } body { max-width: none; padding: 0; font-size: 9pt; }
  .scroll { overflow: visible; } th, td { padding: .1rem .3rem; }
  figure, table, .verdict { break-inside: avoid; } h2 { break-after: avoid; }
  nav { display: none; } }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What the page may load: its own figures and style. A browser holds it to that."""


def write_page(report: Report, path: Path) -> None:
    """Write the page of a report, whole or not at all.

    Raises
    ------
    OutputError
    """
    write_text(path, page(report))


def page(report: Report) -> str:
    """Return a report as one HTML document; the same report gives the same bytes."""
    name = f"Masks of {report.source.root}"
    sections = list(_sections(report))
    contents = "".join(
        f'<li><a href="#{_anchor(heading)}">{escape(heading)}</a></li>' for heading, _ in sections
    )
    body = "".join(
        f'<section><h2 id="{_anchor(heading)}">{escape(heading)}</h2>\n{text}</section>\n'
        for heading, text in sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(name)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(name)}</h1>\n<p>{escape(_opening(report))}</p></header>\n"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>\n{body}</main>\n'
        f"<footer><p>Made by dunhuang-data {__version__}.</p></footer>\n</body>\n</html>\n"
    )


def _opening(report: Report) -> str:
    kinds = {"bank": "mask bank", "dataset": "dataset", "files": "folder of mask files"}
    what = f"{len(report.source)} masks of a {kinds[report.source.kind]}"
    if report.by != "all":
        what += f", measured by {report.by}"
    if report.against is not None:
        what += f", compared with {len(report.against[0])} masks of {title(report.against[0])}"
    return (
        f"{what}. Read the depth beside the hole ratio: of two masks of one ratio the deeper one "
        "is the harder, because its missing pixels lie farther from every known one."
    )


REMARKS = (
    "Quantiles are p0 (the smallest) to p100 (the largest); sd is the standard deviation. Holes "
    "are 8-connected. The border of the picture does not count as known. Masks that are all hole "
    "have no finite depth or radius and are left out of mean, sd and quantiles; "
    "limits see them. The centre is the middle quarter of each axis, the edge the outer 1/32, the "
    "corners 1/16 of each."
)


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    """Yield headings and what stands below them."""
    tables = {table.title: table for table in report.tables()}
    for comparison in report.comparisons:
        several = len(report.comparisons) > 1
        heading = f"Does {comparison.name} match?" if several else "Do they match?"
        yield (
            heading,
            (
                _verdict(comparison.sentences())
                + _table(tables.pop(comparison.heading))
                + _comparison_figure(report, comparison)
            ),
        )
    notes = report.notes()
    if notes:
        yield "Notes", "".join(f"<p>{escape(note)}</p>" for note in notes)
    yield "Figures", _figures(report)
    for heading, table in tables.items():
        yield heading, _table(table)
    words = _table(glossary(), words=True)
    yield "What the words mean", f"{words}<p>{escape(REMARKS)}</p>"


def _verdict(sentences: Sequence[str]) -> str:
    """Return a verdict in a box, its first sentence in bold."""
    listed = "".join(f"<li>{escape(line)}</li>" for line in sentences[1:])
    more = f"<ul>{listed}</ul>" if listed else ""
    return f'<div class="verdict"><p><strong>{escape(sentences[0])}</strong></p>{more}</div>\n'


def _comparison_figure(report: Report, comparison: Comparison) -> str:
    """Return the figure of one comparison, embedded."""
    assert report.against is not None
    by_name = {one.name: one for one in report.sets}
    one = by_name.get(comparison.name) or pooled(report.sets, comparison.name)
    said = " ".join(comparison.sentences())
    alt = f"Six plots, one a statistic: the share of masks up to each value, of both sets. {said}"
    caption = "The largest vertical gap between the two lines is the distance."
    return _image(png_of(comparison_figure(comparison, one, report.against[1])), alt, caption)


def _figures(report: Report) -> str:
    sets = {name: one.stats for name, one in report.everything().items()}
    shown = dict(list(sets.items())[:MOST_ROWS])
    scales = scales_of(shown.values())
    images = [
        _image(png_of(set_figure(name, stats, scales)), _alt(name, stats), name)
        for name, stats in shown.items()
    ]
    if len(sets) > len(images):
        images.append(f"<p>These are the first {len(images)} of {len(sets)} sets.</p>")
    return "".join(images)


def _alt(name: str, stats: MaskStats) -> str:
    """Return what the figure of a set shows, for those who cannot see it."""
    ratio, depth = stats.summary_of("hole_ratio"), stats.summary_of("depth_px")
    areas, where = stats.areas(), stats.where()
    parts = [
        f"{name}, {len(stats)} masks. Histogram of the hole ratio: median {ratio['p50']:.3f}, "
        f"nine tenths from {ratio['p5']:.3f} to {ratio['p95']:.3f}."
    ]
    if depth["p50"] is not None:
        parts.append(f"Depth against ratio: median depth {depth['p50']:.1f} px.")
    if areas["holes"]:
        parts.append(f"Areas of {areas['holes']} connected holes: median {areas['p50']:.0f} px.")
    if where is not None:
        parts.append(
            f"Heat map: a pixel of the centre is a hole in {where['centre']:.1%} of the masks, of "
            f"the edge in {where['edge']:.1%}, of the corners in {where['corner']:.1%}."
        )
    return " ".join(parts)


def _image(png: bytes, alt: str, caption: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _table(table: Table, words: bool = False) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in table.rows
    )
    kind = ' class="words"' if words else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.title)}">'
        f"<table{kind}><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
    )


def escape(text: str) -> str:
    """Return a text as HTML, with what cannot be seen made visible."""
    return html.escape(visible(text))


def _anchor(heading: str) -> str:
    """Return a heading as a name in the page."""
    return "".join(one if one.isalnum() else "-" for one in heading.lower())
