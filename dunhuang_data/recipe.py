"""The frozen settings of each stage. Every default here is the seed project's own value.

Imports nothing heavy: the command line reads its defaults from here before NumPy is loaded.
"""

from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from dunhuang_data.errors import UsageProblem


def refuse_unless(condition: bool, sentence: str) -> None:
    """Raise a `UsageProblem` with this sentence unless the condition holds."""
    if not condition:
        raise UsageProblem(sentence)


@dataclass(frozen=True, slots=True)
class ReadingRecipe:
    """Decisions on what a picture file does not say; each is used only for files that need it.

    Attributes
    ----------
    assume_profile : str
        Colour profile of files that carry none: the path of an .icc file, or ``"srgb"``, ``"p3"``
        or ``"cmyk"`` (those that libvips has built in). Used for files whose channels it fits.
    white_level : int
        The sample that is white in 16-bit files: 4095 for 12 bits in 16, 65535 for all 16;
        0 = not decided.
    page : int
        The page to read of files with several, from 1; 0 = not decided.
    channels : tuple of int
        The channels that are red, green and blue, or the one that is grey, from 1, in files with
        channels that no standard names; empty = not decided.
    bilevel : {"", "grey"}
        ``"grey"`` reads 1-bit files as pictures in black and white.
    trust_size : bool
        Read files that are tiny for the size they claim to have.
    """

    assume_profile: str = ""
    white_level: int = 0
    page: int = 0
    channels: tuple[int, ...] = ()
    bilevel: str = ""
    trust_size: bool = False

    def __post_init__(self) -> None:
        refuse_unless(
            0 <= self.white_level <= 65535,
            f"--white-level is {self.white_level}; expected 1 to 65535.",
        )
        refuse_unless(self.page >= 0, f"--page is {self.page}; pages are counted from 1.")
        numbers = ",".join(map(str, self.channels))
        refuse_unless(
            len(self.channels) in (0, 1, 3) and min(self.channels, default=1) >= 1,
            f"--channels is {numbers}; expected three (red,green,blue) or one (grey), from 1.",
        )
        refuse_unless(
            self.bilevel in ("", "grey"), f"--bilevel is {self.bilevel!r}; expected grey."
        )


MOST_PATCH = 2**15  # px; far more than anyone trains on, and 3 GB a sample
METHODS = ("max-distance", "poisson", "grid", "random")
SMALL = ("fail", "skip", "pad", "upscale")
BORDERS = ("drop", "clip", "reflect", "torus")
STARTS = ("box", "uniform", "center", "border")


@dataclass(frozen=True, slots=True)
class PlanRecipe:
    """Settings of ``sample-patches``.

    Attributes
    ----------
    patch_size : int
        Side of a patch in pixels.
    per_picture : int
        Patches cut from each picture.
    total : int
        If not 0: patches cut from all pictures together, shared by area, instead.
    method : {"max-distance", "poisson", "grid", "random"}
        How they are spread over a picture.
    scale : float
        Pictures are cut at this scale: at 0.5 a patch shows twice as much in half the detail.
    small : {"fail", "skip", "pad", "upscale"}
        What is done with a picture that is smaller than a patch.
    damage_is : {"", "white", "black"}
        What marks damage in the masks of real damage; empty if there are none.
    max_damage : float
        Largest share of a patch that may be damaged, in [0, 1].
    min_detail : float
        Least detail of a patch: mean absolute difference between neighbouring grey values, in
        levels of 0 … 255 a pixel. 0 takes all.
    split : tuple of three float
        Shares of the pictures for train, val and test; they add up to 1.
    split_by : {"picture", "group"}
        Whether each picture is drawn by itself, or all pictures of a group together.
    variants : int
        Samples made of each training patch, each with its own draw of flip and turn.
    flip_probability, turn_probability : float
        For patches of the training split only.
    max_angle_deg : float
        Turns are uniform in [−max_angle_deg, max_angle_deg].
    seed : int
        Of every draw in the plan.
    reading : ReadingRecipe
    """

    patch_size: int = 256
    per_picture: int = 25
    total: int = 0
    method: str = "max-distance"
    scale: float = 1.0
    small: str = "fail"
    damage_is: str = ""
    max_damage: float = 0.0
    min_detail: float = 0.0
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    split_by: str = "picture"
    variants: int = 1
    flip_probability: float = 0.5
    turn_probability: float = 0.5
    max_angle_deg: float = 30.0
    seed: int = 0
    reading: ReadingRecipe = field(default_factory=ReadingRecipe)

    def __post_init__(self) -> None:
        refuse_unless(
            1 <= self.patch_size <= MOST_PATCH,
            f"--size is {self.patch_size}; expected 1 to {MOST_PATCH:,} px.",
        )
        refuse_unless(self.per_picture >= 1, f"--per-picture is {self.per_picture}; at least 1.")
        refuse_unless(self.total >= 0, f"--total is {self.total}; at least 1, or 0 for none.")
        refuse_unless(self.variants >= 1, f"--variants is {self.variants}; at least 1.")
        refuse_unless(
            0.01 <= self.scale <= 16, f"--scale is {self.scale}; expected 0.01 to 16, 1 = as it is."
        )
        for name, value, choices in (
            ("--method", self.method, METHODS),
            ("--small", self.small, SMALL),
            ("--split-by", self.split_by, ("picture", "group")),
            ("--damage-is", self.damage_is, ("", "white", "black")),
        ):
            listed = ", ".join(filter(None, choices))
            refuse_unless(value in choices, f"{name} is {value!r}; expected one of {listed}.")
        refuse_unless(self.min_detail >= 0, f"--min-detail is {self.min_detail}; at least 0.")
        refuse_unless(
            len(self.split) == 3 and min(self.split) >= 0 and abs(sum(self.split) - 1) < 1e-6,
            f"--split is {','.join(f'{share:g}' for share in self.split)}; expected three shares "
            "(train,val,test) that add up to 1, such as 0.8,0.1,0.1.",
        )
        for name, share in (
            ("--flip", self.flip_probability),
            ("--turn", self.turn_probability),
            ("--max-damage", self.max_damage),
        ):
            refuse_unless(0 <= share <= 1, f"{name} is {share}; expected a number in [0, 1].")
        refuse_unless(
            0 <= self.max_angle_deg <= 180,
            f"--max-angle is {self.max_angle_deg}; expected 0 to 180 degrees.",
        )


FORMATS = ("zarr", "hdf5")
CODECS = ("none", "gzip", "lossless")
OTHER_CODEC = "other"  # of a dataset made elsewhere: read by the container's own library
MOST_PER_SHARD = 2**20


@dataclass(frozen=True, slots=True)
class BuildRecipe:
    """Settings of ``build``.

    Attributes
    ----------
    format : {"zarr", "hdf5"}
        How shards are stored. Names, shapes, chunks and the content hash are the same.
    shard_size : int
        Samples in a shard.
    codec : {"none", "gzip", "lossless", "other"}
        How chunks are compressed; see `dunhuang_data.codecs`. ``"lossless"`` needs Zarr;
        ``"other"`` can be read, not written.
    """

    format: str = "zarr"
    shard_size: int = 500
    codec: str = "none"

    def __post_init__(self) -> None:
        refuse_unless(
            self.format in FORMATS, f"--format is {self.format!r}; one of {', '.join(FORMATS)}."
        )
        refuse_unless(
            1 <= self.shard_size <= MOST_PER_SHARD,
            f"--shard-size is {self.shard_size}; expected 1 to {MOST_PER_SHARD:,}.",
        )
        refuse_unless(
            self.codec in (*CODECS, OTHER_CODEC),
            f"--codec is {self.codec!r}; one of {', '.join(CODECS)}.",
        )
        refuse_unless(
            (self.format, self.codec) != ("hdf5", "lossless"),
            "--codec lossless needs --format zarr: HDF5 has no filter of its own that makes "
            "pictures so small, and a file that h5py alone cannot open serves nobody. Use "
            "--codec gzip.",
        )


def recipe_from_json(kind: type, document: dict[str, Any]) -> Any:
    """Rebuild a recipe from its JSON form (lists become tuples, objects the recipes in it)."""
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in document.items()}
    for one in fields(kind):
        if one.name not in values:
            continue
        found = values[one.name]
        inner: Any = one.default_factory
        if isinstance(found, dict):
            values[one.name] = recipe_from_json(inner, found)
            continue
        expected = type(one.default) if inner is MISSING else inner
        if type(found) is not expected and not (expected is float and isinstance(found, int)):
            raise TypeError(f"{one.name} is {found!r}, expected {expected.__name__}")
    return kind(**values)
