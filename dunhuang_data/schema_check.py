"""What the containers say about themselves, compared with what ``docs/format.md`` asks for."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.byte_ranges import ShardTable
from dunhuang_data.manifest import DatasetManifest, Shard, shard_paths
from dunhuang_data.recipe import OTHER_CODEC
from dunhuang_data.shards import FORMAT_NAME, ArraySchema, ShardPlace, schema

FREE_IN_OTHER = ("codecs", "chunk_grid", "chunk_key_encoding")  # with a codec that is not ours


def zarr_problems(root: Path, manifest: DatasetManifest) -> list[str]:
    """Compare every ``zarr.json`` with what the format asks for; what it says besides is free.

    Parameters
    ----------
    root : Path
    manifest : DatasetManifest

    Returns
    -------
    list of str
        One sentence for each value that is another, naming file and key.
    """
    recipe, problems = manifest.recipe, []
    other = recipe.codec == OTHER_CODEC
    expected = format_zarr.metadata(
        manifest.totals(),
        manifest.plan_recipe.patch_size,
        recipe.shard_size,
        "none" if other else recipe.codec,
        manifest.build_id,
    )
    for path, data in expected.items():
        wanted = json.loads(data)
        if path == "zarr.json":
            wanted["attributes"]["version"] = manifest.version
        for key in FREE_IN_OTHER if other else ():
            wanted.pop(key, None)
        try:
            found = json.loads((root / path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{path} cannot be read as JSON: {error}.")
            continue
        problems += [f"{path}: {one}" for one in _differences(wanted, found)]
    return problems


def _differences(wanted: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yield what differs; keys that are not asked for may be there."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key == "level" and type(found.get(key)) is int:
                continue  # how hard somebody tried is free; what it decodes to is the same
            yield from _differences(value, found.get(key), f"{where}.{key}" if where else key)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(one, other, f"{where}[{place}]")
    elif wanted != found or type(wanted) is not type(found):
        yield f"{where} is {_short(found)}, the format asks for {_short(wanted)}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def hdf5_problems(
    path: Path,
    place: ShardPlace,
    shard: Shard,
    version: int,
    tables: Mapping[str, ShardTable] | None,
) -> list[str]:
    """Compare the HDF5 file of a shard with what the format asks for.

    Parameters
    ----------
    path : Path
    place : ShardPlace
    shard : Shard
    version : int
    tables : mapping of str to ShardTable, optional
        Of the same file: HDF5's own index of chunks must name the same bytes.

    Returns
    -------
    list of str
        One sentence for each thing that is otherwise, naming array and what is meant of it.
    """
    import h5py

    attributes: dict[str, Any] = {
        "split": place.split,
        "first_row": place.number * place.shard_size,
        "rows_in_split": place.total,
    }
    if version >= 3:
        attributes |= {"format": FORMAT_NAME, "version": version}
        attributes["content_sha256"] = shard.content_sha256
    problems = []
    try:
        with h5py.File(path, "r") as file:
            problems += _attribute_problems("the file", file, attributes)
            for array in schema(place.patch_size):
                problems += _array_problems(file, array, place)
                if tables is not None and not problems:
                    problems += _index_problems(file[array.name], tables[array.name])
    except Exception as error:  # whatever the library has to say
        problems.append(f"HDF5 cannot read it: {error}.")
    return problems


def _attribute_problems(what: str, found: Any, wanted: Mapping[str, Any]) -> list[str]:
    return [
        f"the attribute {key} of {what} is {_short(found.attrs.get(key))}, the format asks for "
        f"{_short(value)}."
        for key, value in wanted.items()
        if key not in found.attrs or found.attrs[key] != value
    ]


def _array_problems(file: Any, array: ArraySchema, place: ShardPlace) -> list[str]:
    import h5py

    name = array.name
    # a soft or external link, external storage or a virtual dataset would lead out of the file
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return [f"there is no array {name} in the file."]
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        return [f"{name} is no array of this file."]
    filters = [dataset.id.get_create_plist().get_filter(i)[0] for i in range(_filters(dataset))]
    gzip = [h5py.h5z.FILTER_DEFLATE] if place.codec == "gzip" else []
    labels = tuple(dimension.label for dimension in dataset.dims)
    problems = [
        f"{what} of {name} is {_short(found)}, the format asks for {_short(wanted)}."
        for what, found, wanted in (
            ("the shape", dataset.shape, (place.samples, *array.row_shape)),
            ("the type", dataset.dtype, np.dtype(np.uint8)),
            ("the chunk", dataset.chunks, (1, *array.row_shape)),
            ("the list of filters", filters, [*gzip, h5py.h5z.FILTER_FLETCHER32]),
            ("the naming of axes", labels, array.dimensions),
        )
        if found != wanted
    ]
    return problems + _attribute_problems(name, dataset, array.attributes)


def _filters(dataset: Any) -> int:
    return int(dataset.id.get_create_plist().get_nfilters())


def _index_problems(dataset: Any, table: ShardTable) -> list[str]:
    """Compare HDF5's index of chunks with the table in front of its data."""
    found = {}

    def take(chunk: Any) -> None:
        length = chunk.size - format_hdf5.FLETCHER_BYTES
        found[chunk.chunk_offset[0]] = chunk.byte_offset, length

    dataset.id.chunk_iter(take)
    name = dataset.name.strip("/")
    return [
        f"row {row} of the shard, {name}: HDF5 finds its chunk elsewhere than the table does."
        for row, place in enumerate(
            zip(table.offsets.tolist(), table.lengths.tolist(), strict=True)
        )
        if found.get(row) != place
    ]


def virtual_problems(root: Path, manifest: DatasetManifest) -> list[str]:
    """Compare ``dataset.h5``, the virtual dataset over all shards, with the shards there are."""
    import h5py

    problems: list[str] = []
    wanted = {
        "format": FORMAT_NAME, "version": manifest.version, "build_id": manifest.build_id
    }  # fmt: skip
    try:
        with h5py.File(root / format_hdf5.VIRTUAL, "r") as file:
            problems += _attribute_problems("the file", file, wanted)
            for split, total in manifest.totals().items():
                shards = [shard for shard in manifest.shards if shard.split == split]
                for array in schema(manifest.plan_recipe.patch_size):
                    problems += _virtual_array_problems(file, split, total, array, shards)
    except Exception as error:  # whatever the library has to say
        problems.append(f"HDF5 cannot read it: {error}.")
    return [f"{format_hdf5.VIRTUAL}: {one}" for one in problems]


def _virtual_array_problems(
    file: Any, split: str, total: int, array: ArraySchema, shards: list[Shard]
) -> list[str]:
    path = f"{split}/{array.name}"
    dataset = file.get(path)
    shape = (total, *array.row_shape)
    if dataset is None or dataset.shape != shape or dataset.dtype != np.uint8:
        return [f"there is no array {path} of {shape} uint8."]
    if not dataset.is_virtual:
        return [f"{path} is not a virtual dataset over the shards."]
    expected, first = [], 0
    for shard in shards:
        rest = tuple(length - 1 for length in array.row_shape)
        start, end = (first, *(0,) * len(rest)), (first + shard.samples - 1, *rest)
        source = shard_paths("hdf5", split, shard.number)[0]
        expected.append((source, array.name, (start, end)))
        first += shard.samples
    found = [(one.file_name, one.dset_name, one.vspace.get_select_bounds())
             for one in dataset.virtual_sources()]  # fmt: skip
    if found != expected:
        return [f"{path} does not lie over the {len(shards)} shards of {split}, in their order."]
    return _attribute_problems(path, dataset, array.attributes)
