"""What a dataset holds: counts, hashes, provenance. Written last, so its presence means whole."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dunhuang_data import __version__
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import DatasetError
from dunhuang_data.recipe import BuildRecipe, PlanRecipe, recipe_from_json
from dunhuang_data.shards import FORMAT_NAME, VERSION, ShardPlace, schema
from dunhuang_data.sums import SUMS
from dunhuang_data.types import SPLITS, Split

MARKER = "dataset.json"
CROISSANT = "croissant.json"
CONTENTS = (
    MARKER, SUMS, CROISSANT, "plan", "zarr.json", "dataset.h5", "train", "val", "test",
    "run.toml", "build.json",
)  # fmt: skip
READ_VERSIONS = (1, 2, VERSION)
COLOR = "sRGB, 8 bits"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a dataset.

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
        What else belongs to the dataset: the plan, the container's own metadata and documents.
    masks_sha256 : str
        Of the mask bank; empty in versions 1 and 2.
    made_with : dict of str to str
        Versions of what made it. They are for people, and no part of any hash.
    version : int
        Of the format.
    """

    recipe: BuildRecipe
    plan_recipe: PlanRecipe
    build_id: str
    content_sha256: str
    shards: tuple[Shard, ...]
    other_files: tuple[StoredFile, ...]
    masks_sha256: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    def files(self) -> Iterator[StoredFile]:
        """Yield every file of the dataset but the manifest itself and its sums."""
        for shard in self.shards:
            yield from shard.files
        yield from self.other_files

    def samples(self, split: Split) -> int:
        """Return the number of samples in a split."""
        return sum(shard.samples for shard in self.shards if shard.split == split)

    def place(self, shard: Shard, total: int) -> ShardPlace:
        """Return where one of its shards stands; ``total`` are the samples of its split."""
        return ShardPlace(
            shard.split,
            shard.number,
            shard.samples,
            total,
            self.plan_recipe.patch_size,
            self.recipe.shard_size,
            self.recipe.codec,
        )

    def totals(self) -> dict[str, int]:
        """Return the number of samples in each split that has any."""
        return {split: count for split in SPLITS if (count := self.samples(split))}

    def bytes(self) -> int:
        """Return the size of all shards in bytes."""
        return sum(file.bytes for shard in self.shards for file in shard.files)


_ZARR_CHUNKS = [(array.name, ".0" * len(array.row_shape)) for array in schema(1)]


def shard_paths(format: str, split: str, number: int) -> list[str]:
    """Return the files of a shard below the dataset's root, in the order of the manifest.

    Here and not in the manifest, so that no manifest can name a file somewhere else.
    """
    if format == "hdf5":
        return [f"{split}/{number:05d}.h5"]
    return [f"{split}/{name}/c.{number}{zeros}" for name, zeros in _ZARR_CHUNKS]


def dataset_sha256(shards: Sequence[Shard]) -> str:
    """Return the content hash of a dataset: of its shards' content hashes, in order."""
    text = "\n".join(shard.content_sha256 for shard in shards)
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_text(manifest: DatasetManifest) -> str:
    """Return ``dataset.json``: JSON with a line for every shard, however many there are."""
    arrays = {
        array.name: {
            "dtype": "uint8",
            "shape_of_a_sample": array.row_shape,
            "dimensions": array.dimensions,
            **array.attributes,
        }
        for array in schema(manifest.plan_recipe.patch_size)
    }
    head = {
        "format": {"name": FORMAT_NAME, "version": manifest.version},
        "made_by": f"dunhuang-data {__version__}",
        "made_with": dict(manifest.made_with),
        "color": COLOR,
        "samples": {split: manifest.samples(split) for split in SPLITS},
        "arrays": arrays,
        "recipe": asdict(manifest.recipe),
        "plan_recipe": asdict(manifest.plan_recipe),
        "masks_sha256": manifest.masks_sha256,
        "build_id": manifest.build_id,
        "content_sha256": manifest.content_sha256,
        "other_files": [asdict(file) for file in manifest.other_files],
    }
    blocks = []
    for split in SPLITS:
        lines = [
            "      "
            + json.dumps(
                {
                    "content_sha256": shard.content_sha256,
                    "files": [[file.bytes, file.sha256] for file in shard.files],
                }
            )
            for shard in manifest.shards
            if shard.split == split
        ]
        listed = "[\n" + ",\n".join(lines) + "\n    ]" if lines else "[]"
        blocks.append(f'    "{split}": {listed}')
    text = json.dumps(head, indent=2, ensure_ascii=False)
    return text.removesuffix("\n}") + ',\n  "shards": {\n' + ",\n".join(blocks) + "\n  }\n}\n"


def read_manifest(root: Path) -> DatasetManifest:
    """Read ``dataset.json`` and check that what it says is possible and lies below the root.

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
    formats = [{"name": FORMAT_NAME, "version": version} for version in READ_VERSIONS]
    document = read_document(path, formats, "a whole dataset", again, DatasetError)
    with parsed(path, "a whole dataset", f"Make it with {again}.", DatasetError):
        manifest = _manifest_from(document)
        _check_shards(manifest)
    for file in manifest.other_files:
        check_stays_below(root, file.path)
    return manifest


def _manifest_from(document: dict[str, Any]) -> DatasetManifest:
    recipe = recipe_from_json(BuildRecipe, document["recipe"])
    version = document["format"]["version"]
    samples = {split: _whole_number(document["samples"][split]) for split in SPLITS}
    shards: list[Shard] = []
    for split in SPLITS:
        if version >= 3:
            listed = document["shards"][split]
            files = [[(one[0], one[1]) for one in shard["files"]] for shard in listed]
        else:
            listed = [shard for shard in document["shards"] if shard["split"] == split]
            files = [_files_of_old(recipe.format, split, shard) for shard in listed]
        for number, (one, stored) in enumerate(zip(listed, files, strict=True)):
            first = number * recipe.shard_size
            shards.append(
                Shard(
                    split=split,
                    number=number,
                    samples=min(recipe.shard_size, samples[split] - first),
                    content_sha256=_digest(one["content_sha256"]),
                    files=tuple(
                        StoredFile(path, _whole_number(size), _digest(sha256))
                        for path, (size, sha256) in zip(
                            shard_paths(recipe.format, split, number), stored, strict=True
                        )
                    ),
                )
            )
    found = DatasetManifest(
        recipe=recipe,
        plan_recipe=recipe_from_json(PlanRecipe, document["plan_recipe"]),
        build_id=str(document["build_id"]),
        content_sha256=str(document["content_sha256"]),
        shards=tuple(shards),
        other_files=tuple(_file_from_json(file) for file in document["other_files"]),
        masks_sha256=str(document.get("masks_sha256", "")),
        made_with={str(key): str(one) for key, one in document.get("made_with", {}).items()},
        version=version,
    )
    for split in SPLITS:
        if found.samples(split) != samples[split]:
            raise ValueError(f"{split} has {samples[split]} samples, its shards another number")
    return found


def _files_of_old(format: str, split: str, shard: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return (bytes, sha256) of the files of a shard of versions 1 and 2, which named them."""
    by_path = {file["path"]: (file["bytes"], file["sha256"]) for file in shard["files"]}
    expected = shard_paths(format, split, _whole_number(shard["number"]))
    if set(by_path) != set(expected):
        raise ValueError(f"shard {shard['number']} of {split} names the files {list(by_path)}")
    return [by_path[path] for path in expected]


def _file_from_json(document: dict[str, Any]) -> StoredFile:
    path = document["path"]
    if not isinstance(path, str) or "\0" in path:
        raise ValueError(f"a file's path is {path!r}")
    return StoredFile(path, _whole_number(document["bytes"]), _digest(document["sha256"]))


def _whole_number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands where a whole number is expected")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"{value!r} stands where a SHA-256 is expected")
    return value


def _check_shards(manifest: DatasetManifest) -> None:
    """Check that every shard has samples, and bytes enough for them."""
    sample_bytes = 3 * manifest.plan_recipe.patch_size**2
    for shard in manifest.shards:
        name = f"shard {shard.number} of {shard.split}"
        if shard.samples < 1:
            raise ValueError(f"{name} has no samples")
        stored = sum(file.bytes for file in shard.files)
        if manifest.recipe.codec == "none" and stored < shard.samples * sample_bytes:
            raise ValueError(f"{name} is too small for its samples")


def check_stays_below(root: Path, path: str) -> None:
    """Refuse a path that leads out of the dataset: absolute, with ``..``, or through a link.

    Raises
    ------
    DatasetError
    """
    try:
        inside = (root / path).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, half a character
        inside = False
    if not inside or Path(path).is_absolute() or ".." in Path(path).parts:
        raise DatasetError(
            f"{root / MARKER} names the file {path!r}, which lies outside the dataset. "
            "The dataset was altered; do not use it."
        )
