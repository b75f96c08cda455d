"""What a dataset holds: counts, hashes, provenance. Written last, so its presence means whole."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dunhuang_data import __version__
from dunhuang_data.atomic import write_json
from dunhuang_data.documents import read_document
from dunhuang_data.errors import DatasetError
from dunhuang_data.recipe import BuildRecipe, PlanRecipe, recipe_from_json
from dunhuang_data.types import SPLITS, Split

MARKER = "dataset.json"
CONTENTS = (MARKER, "plan", "zarr.json", "train", "val", "test", "run.toml", "build.json")
FORMAT = {"name": "dunhuang-dataset", "version": 1}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a shard.

    Attributes
    ----------
    path : str
        Below the dataset's root, POSIX.
    bytes : int
    sha256 : str
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard.

    Attributes
    ----------
    split : {"train", "val", "test"}
    number : int
        In its split, from 0.
    samples : int
    content_sha256 : str
        Of arrays and plan rows, whatever the container; see `dunhuang_data.shards`.
    files : tuple of StoredFile
    """

    split: Split
    number: int
    samples: int
    content_sha256: str
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """Everything about a dataset except its pixels.

    Attributes
    ----------
    recipe : BuildRecipe
    plan_recipe : PlanRecipe
    build_id : str
        SHA-256 over plan tables, mask bank and recipes: what the dataset was poured from.
    content_sha256 : str
        Over the shards' content hashes in order: equal for Zarr and HDF5.
    shards : tuple of Shard
        Ordered by split (train, val, test) and number.
    other_files : tuple of StoredFile
        What else belongs to the dataset: the plan, and the container's own metadata.
    """

    recipe: BuildRecipe
    plan_recipe: PlanRecipe
    build_id: str
    content_sha256: str
    shards: tuple[Shard, ...]
    other_files: tuple[StoredFile, ...]

    def files(self) -> Iterator[StoredFile]:
        """Yield every file of the dataset but the manifest itself."""
        for shard in self.shards:
            yield from shard.files
        yield from self.other_files

    def samples(self, split: Split) -> int:
        """Return the number of samples in a split."""
        return sum(shard.samples for shard in self.shards if shard.split == split)

    def bytes(self) -> int:
        """Return the size of all shards in bytes."""
        return sum(file.bytes for shard in self.shards for file in shard.files)


def shard_from_json(document: dict[str, Any]) -> Shard:
    """Rebuild a shard's record from its JSON form."""
    files = tuple(StoredFile(**file) for file in document["files"])
    return Shard(**{**document, "files": files})


def write_manifest(manifest: DatasetManifest, root: Path) -> None:
    """Write ``dataset.json``, the dataset's last file."""
    write_json(
        root / MARKER,
        {
            "format": FORMAT,
            "made_by": f"dunhuang-data {__version__}",
            "color": "sRGB, 8 bits",
            "samples": {split: manifest.samples(split) for split in SPLITS},
            "recipe": asdict(manifest.recipe),
            "plan_recipe": asdict(manifest.plan_recipe),
            "build_id": manifest.build_id,
            "content_sha256": manifest.content_sha256,
            "shards": [asdict(shard) for shard in manifest.shards],
            "other_files": [asdict(file) for file in manifest.other_files],
        },
    )


def read_manifest(root: Path) -> DatasetManifest:
    """Read ``dataset.json`` and check that every file it names lies below the root.

    Raises
    ------
    DatasetError
        If the folder is no whole dataset, or of another version.
    """
    building = root.with_name(f"{root.name}.building")
    if not (root / MARKER).is_file() and building.is_dir():
        raise DatasetError(
            f"{root} is not there yet: its build was interrupted and lies in {building}. Run the "
            "same dunhuang-data build again; it continues."
        )
    document = read_document(root / MARKER, FORMAT, "a whole dataset", "build", DatasetError)
    try:
        manifest = DatasetManifest(
            recipe=recipe_from_json(BuildRecipe, document["recipe"]),
            plan_recipe=recipe_from_json(PlanRecipe, document["plan_recipe"]),
            build_id=document["build_id"],
            content_sha256=document["content_sha256"],
            shards=tuple(shard_from_json(shard) for shard in document["shards"]),
            other_files=tuple(StoredFile(**file) for file in document["other_files"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{root / MARKER} cannot be read: {error!r}. Build it again.") from error
    for file in manifest.files():
        check_stays_below(root, file.path)
    return manifest


def check_stays_below(root: Path, path: str) -> None:
    """Refuse a path that leads out of the dataset: absolute, with ``..``, or through a link.

    Raises
    ------
    DatasetError
    """
    inside = (root / path).resolve().is_relative_to(root.resolve())
    if not inside or Path(path).is_absolute() or ".." in Path(path).parts:
        raise DatasetError(
            f"{root / MARKER} names the file {path!r}, which lies outside the dataset. "
            "The dataset was altered; do not use it."
        )
