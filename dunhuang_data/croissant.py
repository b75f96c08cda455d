"""``croissant.json``: the dataset in the words that search engines and loaders of others read.

Croissant 1.1 of MLCommons (docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html), JSON-LD over
schema.org. It describes the files, and the tables of the plan as record sets; the arrays are
described in words, because Croissant reads neither Zarr nor HDF5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from dunhuang_data.manifest import MARKER, DatasetManifest, StoredFile
from dunhuang_data.polarity import MEANING
from dunhuang_data.shards import FORMAT_NAME
from dunhuang_data.types import SPLITS, Picture, Split

_OF_CROISSANT = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field",
    "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset",
    "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{word: f"cr:{word}" for word in _OF_CROISSANT},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
}  # a reader expects all the words of version 1.1, whether they are used or not
TYPES = {str: "sc:Text", int: "sc:Integer", float: "sc:Float", bool: "sc:Boolean"}
PATCH_TYPES: dict[str, type] = {
    "index": int, "picture_id": str, "center_y": int, "center_x": int, "split": str, "flip": bool,
    "angle_deg": float, "scale": float, "nearest_px": float,
}  # fmt: skip
SPLIT_URLS = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
# mlcroissant 1.1.1 cannot follow a reference to a record set that carries its own data, as splits
# does, nor a second one: what split means is said in words instead
REFERENCES = {"picture_id": "pictures/id"}
SHARDS = {
    "zarr": ("https://zarr-specs.readthedocs.io/en/latest/v3/core/", "{split}/*/c.*"),
    "hdf5": ("application/x-hdf5", "{split}/*.h5"),
}
MEANINGS = {
    "index": "row of the plan; the mask of this number is laid on the patch",
    "center_y": "row of the patch's centre in the picture at its scale, in pixels",
    "center_x": "column of the patch's centre in the picture at its scale, in pixels",
    "split": "one of the names in the record set splits",
    "flip": "mirrored left to right, after the turn",
    "angle_deg": "counter-clockwise turn of the content, in degrees",
    "scale": "patch pixels per picture pixel",
    "nearest_px": "distance to the nearest other centre on the same picture, in pixels",
    "height": "in pixels, upright",
    "width": "in pixels, upright",
    "sha256": "of the picture's file",
    "reading": "what reading did to the picture, such as turning it or converting its colours",
    "group": "pictures of one group share a split",
    "rights": "to the picture, as stated by whoever made the dataset",
    "attribution": "who is to be named",
}


def croissant(manifest: DatasetManifest, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Describe a dataset. Pure: it depends on its arguments alone, on no clock.

    Parameters
    ----------
    manifest : DatasetManifest
        Among its ``other_files`` are ``plan/pictures.csv`` and ``plan/patches.csv``.
    pictures : sequence of Picture
        Of the plan.

    Returns
    -------
    dict
        To be written as ``croissant.json`` into the dataset's folder; its paths are below that.
    """
    filled = [split for split in SPLITS if manifest.samples(split)]
    files = {file.path: file for file in manifest.other_files}
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"Mural patches {manifest.content_sha256[:12]}",
        "description": _description(manifest, len(pictures)),
        "license": _licence(pictures),
        "keywords": ["inpainting", "mural", "restoration"],
        "identifier": f"sha256:{manifest.content_sha256}",
        "version": f"1.0.0+sha256.{manifest.content_sha256[:12]}",
        "distribution": [
            *(_table(files[f"plan/{name}.csv"]) for name in ("pictures", "patches")),
            *(_shards(manifest, split) for split in filled),
        ],
        "recordSet": [
            _splits(filled),
            _records("pictures", "The pictures that patches are cut from.", _picture_types(), "id"),
            _records("patches", "The patches, one a sample.", PATCH_TYPES, "index"),
        ],
    }


def _description(manifest: DatasetManifest, pictures: int) -> str:
    size = manifest.plan_recipe.patch_size
    counts = ", ".join(f"{manifest.samples(split)} {split}" for split in SPLITS)
    total = sum(manifest.samples(split) for split in SPLITS)
    return (
        f"{total} patches of {size} x {size} pixels ({counts}) cut from {pictures} pictures, each "
        "with a mask of holes, to train and judge inpainting. All patches of a picture are in one "
        f"split. Stored as {manifest.recipe.format}, in the format {FORMAT_NAME}, version "
        f"{manifest.version}. Each split has the array image (rows, columns, channels; sRGB, 8 "
        f"bits, without holes) and the array valid (one bit a pixel, packed along rows; {MEANING})"
        " and the array damage (packed likewise; 1 = pixel of the image that neither loss nor "
        "metric counts)."
    )


def _licence(pictures: Sequence[Picture]) -> str:
    """Return the rights if all pictures have the same, else where they are stated."""
    stated = {picture.rights for picture in pictures}
    if len(stated) > 1:
        return "Per picture: see the column rights of plan/pictures.csv."
    return next(iter(stated), "") or "Not stated."


def _table(file: StoredFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "text/csv",
        "sha256": file.sha256,
    }


def _shards(manifest: DatasetManifest, split: Split) -> dict[str, Any]:
    encoding, pattern = SHARDS[manifest.recipe.format]
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-shards",
        "name": f"{split}-shards",
        "description": f"{manifest.samples(split)} samples. The hash of each file is in {MARKER}.",
        "encodingFormat": encoding,
        "includes": pattern.format(split=split),
    }


def _splits(filled: Sequence[Split]) -> dict[str, Any]:
    types = {"name": "sc:Text", "url": "sc:URL"}
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits that have samples.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"splits/{name}", "name": name, "dataType": kind}
            for name, kind in types.items()
        ],
        "data": [{"splits/name": split, "splits/url": SPLIT_URLS[split]} for split in filled],
    }


def _picture_types() -> dict[str, type]:
    hints = get_type_hints(Picture)
    return {one.name: hints[one.name] for one in fields(Picture)}


def _records(table: str, description: str, types: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": description,
        "key": {"@id": f"{table}/{key}"},
        "field": [_field(table, column, kind) for column, kind in types.items()],
    }


def _field(table: str, column: str, kind: Any) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{column}",
        "name": column,
        "dataType": TYPES.get(kind, "sc:Text"),  # a split is a Literal
        "source": {
            "fileObject": {"@id": f"plan/{table}.csv"},
            "extract": {"column": column},
        },
    }
    if column in MEANINGS:
        field["description"] = MEANINGS[column]
    if column in REFERENCES:
        field["references"] = {"field": {"@id": REFERENCES[column]}}
    return field
