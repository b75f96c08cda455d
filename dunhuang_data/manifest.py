"""What a dataset holds: counts, hashes, provenance. Written last, so its presence means whole."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dunhuang_data import __version__
from dunhuang_data.atomic import write_json
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import DatasetError
from dunhuang_data.recipe import BuildRecipe, PlanRecipe, recipe_from_json
from dunhuang_data.types import SPLITS, Split, as_split

MARKER = "dataset.json"
CONTENTS = (MARKER, "plan", "zarr.json", "train", "val", "test", "run.toml", "build.json")
FORMAT = {"name": "dunhuang-dataset", "version": 2}


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
    return Shard(
        split=as_split(document["split"]),
        number=_whole_number(document["number"]),
        samples=_whole_number(document["samples"]),
        content_sha256=str(document["content_sha256"]),
        files=tuple(_file_from_json(file) for file in document["files"]),
    )


def _file_from_json(document: dict[str, Any]) -> StoredFile:
    path = document["path"]
    if not isinstance(path, str) or "\0" in path:
        raise ValueError(f"a file's path is {path!r}")
    return StoredFile(path, _whole_number(document["bytes"]), str(document["sha256"]))


def _whole_number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands where a whole number is expected")
    return value


def _check_shards(manifest: DatasetManifest) -> None:
    """Check that the shards of each split are numbered from 0 and all full but the last."""
    for split in SPLITS:
        shards = [shard for shard in manifest.shards if shard.split == split]
        size = manifest.recipe.shard_size
        full = [shard.samples == size for shard in shards[:-1]]
        if [shard.number for shard in shards] != list(range(len(shards))) or not all(full):
            raise ValueError(f"the shards of {split} are not 0, 1, 2 … of {size} samples each")
        if shards and not 1 <= shards[-1].samples <= size:
            raise ValueError(f"the last shard of {split} has {shards[-1].samples} samples")
        sample_bytes = 3 * manifest.plan_recipe.patch_size**2
        for shard in shards:
            if sum(file.bytes for file in shard.files) < shard.samples * sample_bytes:
                raise ValueError(f"shard {shard.number} of {split} is too small for its samples")


def dataset_sha256(shards: Sequence[Shard]) -> str:
    """Return the content hash of a dataset: of its shards' content hashes, in order."""
    text = "\n".join(shard.content_sha256 for shard in shards)
    return hashlib.sha256(text.encode()).hexdigest()


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
    root = root.absolute()
    building = Path(f"{root}.building")
    if not (root / MARKER).is_file() and building.is_dir():
        raise DatasetError(
            f"{root} is not there yet: its build was interrupted and lies in {building}. Run the "
            "same dunhuang-data build again; it continues."
        )
    path, again = root / MARKER, "dunhuang-data build"
    document = read_document(path, FORMAT, "a whole dataset", again, DatasetError)
    with parsed(path, "a whole dataset", f"Make it with {again}.", DatasetError):
        manifest = DatasetManifest(
            recipe=recipe_from_json(BuildRecipe, document["recipe"]),
            plan_recipe=recipe_from_json(PlanRecipe, document["plan_recipe"]),
            build_id=str(document["build_id"]),
            content_sha256=str(document["content_sha256"]),
            shards=tuple(shard_from_json(shard) for shard in document["shards"]),
            other_files=tuple(_file_from_json(file) for file in document["other_files"]),
        )
        _check_shards(manifest)
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
