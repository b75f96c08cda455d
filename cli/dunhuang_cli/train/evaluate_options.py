"""What ``evaluate`` judges on, and what it computes."""

import click

from dunhuang_cli.options import FILE, all_of

judging_options = all_of(
    click.option("--dataset", type=FILE, help="Judge on a dataset of dunhuang-data build."),
    click.option(
        "--split",
        type=click.Choice(["train", "val", "test"]),
        default="test",
        help="Judge on this split of it.",
    ),
    click.option("--pictures", type=FILE, help="Judge on a folder of undamaged pictures."),
    click.option("--masks", type=FILE, help="Their masks, of the same names."),
    click.option(
        "--white-is",
        type=click.Choice(["hole", "known"]),
        help="What white stands for in the masks; both are in use, so it is never guessed.",
    ),
    click.option(
        "--grey",
        type=click.Choice(["refuse", "threshold"]),
        default="refuse",
        help="What to do with masks that are not black and white alone.",
    ),
    click.option(
        "--damage", type=FILE, help="Masks of real damage in the pictures, which never counts."
    ),
    click.option(
        "--damage-is",
        type=click.Choice(["white", "black"]),
        default="white",
        help="What marks damage in them.",
    ),
    click.option(
        "--groups", type=FILE, help="CSV table picture,group: intervals draw groups as a whole."
    ),
    click.option(
        "--predictions",
        type=FILE,
        multiple=True,
        help="A folder of restorations to judge; the same as naming it.",
    ),
    click.option(
        "--allow-missing", is_flag=True, help="Judge what is whole, and say what was left out."
    ),
    click.option("--runs", is_flag=True, help="They are runs of one thing: show mean and spread."),
    click.option(
        "--baselines",
        default="all",
        metavar="all|none|NAME,...",
        help="Fills without training to put beside them.",
    ),
    click.option(
        "--legacy-course",
        is_flag=True,
        help="Add the figure that the course's script printed as MSE, to read old posters.",
    ),
    click.option(
        "--lpips",
        type=click.Choice(["alex", "vgg"]),
        help="Add LPIPS by this network, whose weights you bring.",
    ),
    click.option("--lpips-weights", type=FILE, help="torchvision's file of that network."),
    click.option("--lpips-linear", type=FILE, help="The linear weights of LPIPS."),
    click.option("--fid", is_flag=True, help="Add FID; of 2,000 pictures or more."),
    click.option("--fid-weights", type=FILE, help="torch-fidelity's file of Inception."),
    click.option("-o", "--out", type=FILE, help="Also write scores, tables and a sheet."),
    click.option("--batch", type=click.IntRange(1), default=8, help="Samples at once."),
    click.option("--tile", default=1024, help="Larger pictures are done in tiles of so many px."),
    click.option("--overlap", default=128, help="How far tiles overlap, in px."),
)
