"""What ``sample-patches`` shows of a plan: counts, how patches lie, what was left out."""

from typing import TYPE_CHECKING

from dunhuang_cli import console

if TYPE_CHECKING:
    from dunhuang_data.plan import PatchPlan


def show_left_out(plan: "PatchPlan") -> None:
    """List the pictures that are not in the plan, each with the reason."""
    if plan.left_out:
        console.say(f"{len(plan.left_out)} left out:")
        for sentence in plan.left_out:
            console.say(f"  - {sentence}")


def show_plan(plan: "PatchPlan") -> None:
    """Show how many patches there are, and how they lie."""
    counts, size = plan.count_by_split(), plan.recipe.patch_size
    rows = []
    for split, count in counts.items():
        pictures = sum(picture.split == split for picture in plan.pictures)
        rows.append([split, str(pictures), str(count)])
    console.table("Patch plan", ["split", "pictures", "patches"], rows)
    sample_bytes = 3 * size**2 + 2 * size * -(-size // 8)
    total = console.size(sample_bytes * len(plan.patches))
    console.say(f"{len(plan.patches)} patches; the dataset will take {total}.")
    _show_report(plan)
    _show_empty_splits(plan)


def _show_report(plan: "PatchPlan") -> None:
    """Show how patches lie on the pictures, the least covered first."""
    shown = sorted(plan.reports, key=lambda one: (one.coverage, one.share_of_layout))[:10]
    rows = [
        [
            one.id,
            str(one.patches),
            f"{one.coverage:.1%}" + ("" if one.patches >= one.cover_number else " *"),
            f"{one.mean_depth:.1f} / {one.most_depth}",
            f"{one.smallest_px:.1f} / {one.mean_px:.1f}",
            f"{one.layout_px:.1f} - {one.bound_px:.1f}",
            f"{one.share_of_layout:.3f}",
        ]
        for one in shown
    ]
    every = "every picture" if len(plan.reports) <= 10 else f"10 of {len(plan.reports)} pictures"
    console.table(
        f"How patches lie, least covered first ({every}; all in report.csv)",
        ["picture", "patches", "covered", "depth mean / most", "apart min / mean (px)",
         "best possible (px)", "share"],
        rows,
    )  # fmt: skip
    console.say(
        "Best possible: between the best row layout and Oler's bound. Share: of the row layout."
        + (" * fewer patches than cover it." if any("*" in row[2] for row in rows) else "")
    )


def _show_empty_splits(plan: "PatchPlan") -> None:
    from dunhuang_data.splits import first_seed_that_fills

    counts = plan.count_by_split()
    empty = [
        name
        for name, share in zip(counts, plan.recipe.split, strict=True)
        if share and not counts[name]
    ]
    if empty:
        by_group = plan.recipe.split_by == "group"
        names = {picture.group if by_group else picture.id for picture in plan.pictures}
        seed = first_seed_that_fills(names, plan.recipe.split)
        way_out = "Add pictures." if seed is None else f"With --seed {seed} every split is filled."
        what = "group" if by_group else "picture"
        console.say(
            f"Note: no {what} fell into {' and '.join(empty)}; with few {what}s that happens, "
            f"because each {what}'s split depends on its own name alone. {way_out}"
        )
