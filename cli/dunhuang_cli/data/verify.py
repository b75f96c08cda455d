"""``verify``: check a plan or a dataset against its hashes, and look for leaks between splits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option, workers_option

if TYPE_CHECKING:
    from dunhuang_data.leaks import LeakReport

MANY = 10_000  # samples: they take as long as a second worker takes to start (measured: 2 s)


@click.command()
@click.argument("source", metavar="PLAN|SHARDS", type=FILE)
@click.option(
    "--quick",
    is_flag=True,
    help="Of a dataset: read no samples, only manifest, sums, sizes, and which shard each file is.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Of a dataset: also read every sample through zarr-python or h5py, and look for leaks.",
)
@workers_option("one per core for 10,000 samples or more, else one")
@click.option(
    "--check-leaks",
    is_flag=True,
    help="Also look for what the splits share: equal pictures, near-duplicates and crops.",
)
@click.option(
    "--pictures",
    type=FILE,
    help="With --check-leaks: the folder the pictures are in now, instead of where the plan found "
    "them; for a dataset, look at them instead of its patches.",
)
@json_option
@config_option
def verify(
    source: Path,
    quick: bool,
    full: bool,
    workers: int,
    check_leaks: bool,
    pictures: Path | None,
    json: bool,
) -> None:
    """Check a plan or a dataset byte for byte.

    A dataset's files, arrays and rows of the plan are compared with its manifest, a plan's tables
    with their hashes; exit code 3 if any differs. Every problem names the file, or the shard, row
    and array. With --check-leaks or --full, every picture is compared with those of the other
    splits too; exit code 3 if two splits share something.
    """
    from dunhuang_data.errors import DatasetError, LeakError, UsageProblem

    if quick and (full or check_leaks):
        raise UsageProblem("--quick reads no samples; leave out --full and --check-leaks.")
    check_leaks = check_leaks or full
    if pictures is not None and not check_leaks:
        raise UsageProblem("--pictures says where --check-leaks finds the pictures; give both.")
    depth = "quick" if quick else "full" if full else "default"
    what, document, problems, line = _verified(source, depth, workers)
    leaks = _leaks(source, what, pictures) if check_leaks and not problems else None
    if leaks is not None:
        document["leaks"] = [
            {"kind": one.kind, "ids": one.ids, "splits": one.splits, "evidence": one.evidence}
            for one in leaks.leaks
        ]
        document["compared"] = leaks.sentence()
        line = f"{line}\n{leaks.sentence()}"
    found = leaks.leaks if leaks else ()
    console.result(document, json, "" if problems or found else line)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise DatasetError(
            f"{source} is not what was built, or not what the format asks for:\n{listed}\n"
            "Copy or build it again."
        )
    if leaks and found:
        listed = "\n".join(f"  - {one}" for one in found)
        raise LeakError(
            f"{source}: its splits share something:\n{listed}\n{leaks.sentence()}\nTake one of "
            "each pair out, and make the plan again."
        )


def _verified(source: Path, depth: str, workers: int) -> tuple[str, dict[str, Any], list[str], str]:
    """Return what the source is, its JSON document, its problems, and the line if it has none."""
    from dunhuang_data import manifest, plan
    from dunhuang_data.executors import cores
    from dunhuang_data.verify import verify_dataset, verify_plan

    if (source / plan.MARKER).is_file():
        read = verify_plan(source)
        line = f"{source}: {len(read.pictures)} pictures, {len(read.patches)} patches, sound"
        return "plan", {"plan": str(source), "sound": True, "problems": []}, [], line
    total = sum(shard.samples for shard in manifest.read_manifest(source).shards)
    started = workers or (cores() if total >= MANY and depth != "quick" else 1)
    with console.progress(total, "verifying") as progress:
        problems = verify_dataset(source, progress, depth, started)
    document = {
        "dataset": str(source),
        "depth": depth,
        "sound": not problems,
        "problems": problems,
    }
    seen = " as far as --quick looks" if depth == "quick" else ""
    return "dataset", document, problems, f"{source}: {total} samples, sound{seen}"


def _leaks(source: Path, what: str, pictures: Path | None) -> "LeakReport":
    from dunhuang_data.leaks import find_leaks, stored_patches, whole_pictures
    from dunhuang_data.plan import read_plan

    plan = read_plan(source if what == "plan" else source / "plan")
    if what == "dataset" and pictures is None:
        views = stored_patches(source, plan)
    else:
        views = whole_pictures(pictures or plan.pictures_root, plan.recipe.reading)
    with console.progress(2 * len(plan.pictures), "comparing") as progress:
        return find_leaks(plan, views, progress)
