"""``demo``: the commands a person would type, shown and run in turn, on real photographs."""

import contextlib
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, overwrite_option, require_torch
from dunhuang_data.atomic import new_folder, write_text
from dunhuang_data.errors import EnvironmentProblem, OutputExistsError

MARKER = "demo.txt"
CONTENTS = (
    MARKER, "pictures", "overlay", "plan", "masks", "masks.png", "shards", "stats.png",
    "samples.png", "run", "scores", "coffee-hole", "restored",
)  # fmt: skip
PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "retina.jpg",
    "rocket.jpg",
)
"""In the scikit-image wheel, public domain or CC0; seed 3 puts coffee into the test split."""


def photographs() -> list[Path]:
    """Return the photographs that ship inside the scikit-image wheel.

    Raises
    ------
    EnvironmentProblem
        If scikit-image is not installed, or no longer ships them.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentProblem(
            "The demo uses the photographs inside scikit-image, which is not installed. Install "
            "with: pip install 'dunhuang-data[demo,train]'"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    missing = [name for name in PHOTOGRAPHS if not (folder / name).is_file()]
    if missing:
        raise EnvironmentProblem(
            f"The installed scikit-image has no {', '.join(missing)} in {folder}. Install another "
            "version: pip install 'scikit-image>=0.25'"
        )
    return [folder / name for name in PHOTOGRAPHS]


def commands(steps: int) -> list[str]:
    """Return the demo's command lines, to be run in its folder."""
    return [
        "dunhuang-data sample-patches pictures -o plan --per-picture 16 --split 0.6,0.2,0.2 "
        "--seed 3 --overlay overlay",
        "dunhuang-data make-masks -o masks --steps 50000 --count 112 --sheet masks.png",
        "dunhuang-data build --plan plan --masks masks -o shards --shard-size 40",
        "dunhuang-data stats shards --figure stats.png",
        "dunhuang-data preview shards -o samples.png",
        "dunhuang-train --dataset shards -o run --preset tiny --width 16 --batch 8 "
        f"--steps {steps}",
        "dunhuang-train evaluate run/best.safetensors --dataset shards --split test -o scores",
        "dunhuang-data make-masks -o coffee-hole --size 400x600 --steps 120000 --count 1 --png",
        "dunhuang-train restore run/best.safetensors pictures/coffee.png "
        "--mask coffee-hole/png/00000.png --white-is known -o restored --compare",
    ]


WHERE_TO_LOOK = {
    "overlay/coffee.png": "patches on a picture, and how often each pixel is covered",
    "masks.png": "the holes, sorted by how much they take away",
    "stats.png": "statistics of the holes, split by split",
    "samples.png": "samples as the network sees them",
    "run/curve.png": "the error over the training",
    "scores/sheet.png": "test patches: masked, restored, target, error",
    "restored/coffee-compare.png": "a whole picture it never saw: masked and restored",
}


def run_demo(out: Path, steps: int, overwrite: bool) -> None:
    """Copy the photographs into a folder, run `commands` there, and say where to look.

    Raises
    ------
    EnvironmentProblem
        If an extra is missing.
    OutputExistsError
        If ``out`` is in use.
    """
    from dunhuang_cli.data import dunhuang_data
    from dunhuang_cli.train import dunhuang_train

    require_torch()
    sources = photographs()
    lines = commands(steps)
    groups = {"dunhuang-data": dunhuang_data, "dunhuang-train": dunhuang_train}
    added = {path.name for path in (out / "pictures").glob("*")} - set(PHOTOGRAPHS)
    if added:
        raise OutputExistsError(
            f"{out}/pictures also holds {', '.join(sorted(added)[:3])}, so it is not replaced. "
            "Choose another folder with -o."
        )
    with new_folder(out, CONTENTS, overwrite) as folder:
        (folder / "pictures").mkdir()
        for source in sources:
            shutil.copyfile(source, folder / "pictures" / source.name)
        write_text(folder / MARKER, "\n".join(lines) + "\n")
    with contextlib.chdir(out):
        for line in lines:
            console.say(f"\n$ {line}")
            program, *arguments = shlex.split(line)
            groups[program].main(arguments, prog_name=program, standalone_mode=False)
    console.say("\nDone. Look at:")
    for name, meaning in WHERE_TO_LOOK.items():
        console.say(f"  {out / name}  {meaning}")
    console.say(
        f"\nThe {steps} steps of a network this small only show that every part works: what it "
        "does is mostly the smooth fill from which it starts, as the table above says. The "
        "commands are in "
        f"{out / MARKER}; run them with your own pictures and more steps."
    )


@click.command()
@click.option("-o", "--out", type=FILE, default=Path("demo"), help="A new folder for everything.")
@click.option("--steps", default=100, help="Training steps.")
@overwrite_option
@config_option
def demo(out: Path, steps: int, overwrite: bool) -> None:
    """Run the whole job on real photographs.

    It takes about a minute on two cores and says where to look.

    Needs two extras: pip install 'dunhuang-data[demo,train]', or -e '.[demo,train]' in a clone.
    """
    run_demo(out, steps, overwrite)
