"""A picture written back is the input, to every reader, but for what was changed."""

import io
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

import icc_files
import tiff_files as tiff
from drawings import draw_picture
from dunhuang_data.errors import OutputError, PictureError, UsageProblem
from dunhuang_data.pictures import OwnPicture, inspect_picture, open_own, write_like, writing
from dunhuang_data.pictures.decisions import UNDECIDED
from dunhuang_data.pictures.exif import without_thumbnail
from dunhuang_data.recipe import ReadingRecipe
from tiff_files import Page, write_tiff

HEIGHT, WIDTH = 37, 52
PIXELS = draw_picture(HEIGHT, WIDTH, "written")
GREY = PIXELS[..., :1]
DEEP = PIXELS.astype(np.uint16) * 257 - np.arange(WIDTH, dtype=np.uint16)[:, None]
ALPHA = np.where(PIXELS[..., 1:2] > 60, 255, 7).astype(np.uint8)
SEVEN = np.dstack([PIXELS, 255 - PIXELS, ALPHA])
BITS = np.where(GREY > 100, 255, 0).astype(np.uint8)
CMYK = np.dstack([PIXELS, GREY])
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + "\u58c1\u753b".encode() + b"</x:xmpmeta>"
ADOBE = icc_files.rgb_profile("Adobe RGB", icc_files.ADOBE_RGB, 2.2)


def ink() -> bytes:
    image = pyvips.Image.black(1, 1, bands=3).icc_transform("cmyk", input_profile="srgb")
    return bytes(image.get("icc-profile-data"))


def vips(pixels: NDArray[Any], interpretation: str = "srgb", profile: bytes = b"") -> pyvips.Image:
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=interpretation)
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def saved(image: pyvips.Image, path: Path, **options: object) -> Path:
    image.write_to_file(str(path), **options)
    return path


def pillow(pixels: NDArray[Any], path: Path, **options: Any) -> Path:
    Image.fromarray(pixels.squeeze()).save(path, **options)
    return path


def palette(path: Path, **options: Any) -> Path:
    Image.fromarray(PIXELS).quantize(17).save(path, **options)
    return path


def decoded(path: Path, page: int = 0) -> NDArray[Any]:
    """Decode samples as libvips does, as they lie in the file."""
    image = pyvips.Image.new_from_file(str(path), **({"page": page} if page else {}))
    pixels: NDArray[Any] = image.numpy().reshape(image.height, image.width, image.bands)
    return pixels


def whole(own: OwnPicture) -> NDArray[Any]:
    return own.window(0, 0, *own.shape_hw).stored


FILES: dict[str, tuple[Callable[[Path], Path], str, ReadingRecipe]] = {
    "RGB 8 PNG": (lambda d: saved(vips(PIXELS), d / "a.png"), ".png", UNDECIDED),
    "RGB 16 PNG": (lambda d: saved(vips(DEEP, "rgb16"), d / "a.png"), ".png", UNDECIDED),
    "interlaced": (lambda d: saved(vips(PIXELS), d / "a.png", interlace=True), ".png", UNDECIDED),
    "grey 8 PNG": (lambda d: saved(vips(GREY, "b-w"), d / "a.png"), ".png", UNDECIDED),
    "grey 16 PNG": (
        lambda d: saved(vips(DEEP[..., :1], "grey16"), d / "a.png"), ".png", UNDECIDED
    ),
    "RGBA": (lambda d: saved(vips(np.dstack([PIXELS, ALPHA])), d / "a.png"), ".png", UNDECIDED),
    "grey and alpha": (
        lambda d: saved(vips(np.dstack([GREY, ALPHA]), "b-w"), d / "a.png"), ".png", UNDECIDED
    ),
    "palette": (lambda d: palette(d / "a.png"), ".png", UNDECIDED),
    "palette with a hole": (lambda d: palette(d / "a.png", transparency=3), ".png", UNDECIDED),
    "palette TIFF": (lambda d: palette(d / "a.tif"), ".tif", UNDECIDED),
    "1 bit PNG": (
        lambda d: saved(vips(BITS, "b-w"), d / "a.png", bitdepth=1), ".png",
        ReadingRecipe(bilevel="grey"),
    ),
    "1 bit TIFF": (
        lambda d: saved(vips(BITS, "b-w"), d / "a.tif", bitdepth=1, compression="ccittfax4"),
        ".tif", ReadingRecipe(bilevel="grey"),
    ),
    "JPEG": (lambda d: pillow(PIXELS, d / "a.jpg", quality=80), ".png", UNDECIDED),
    "grey JPEG": (lambda d: pillow(GREY, d / "a.jpg"), ".png", UNDECIDED),
    "WebP": (lambda d: pillow(PIXELS, d / "a.webp"), ".png", UNDECIDED),
    "WebP with alpha": (
        lambda d: pillow(np.dstack([PIXELS, ALPHA]), d / "a.webp", exact=True), ".png", UNDECIDED
    ),
    "CMYK JPEG": (lambda d: saved(vips(CMYK, "cmyk", ink()), d / "a.jpg"), ".tif", UNDECIDED),
    "CMYK TIFF": (
        lambda d: write_tiff(d / "a.tif", Page(CMYK, tiff.CMYK, profile=ink())), ".tif", UNDECIDED
    ),
    "CMYK, profile assumed": (
        lambda d: write_tiff(d / "a.tif", Page(CMYK, tiff.CMYK)), ".tif",
        ReadingRecipe(assume_profile="cmyk"),
    ),
    "strips": (lambda d: write_tiff(d / "a.tif", Page(PIXELS)), ".tif", UNDECIDED),
    "big-endian 16": (
        lambda d: write_tiff(d / "a.tiff", Page(DEEP), order=">", big=True), ".tif", UNDECIDED
    ),
    "planes": (lambda d: write_tiff(d / "a.tif", Page(DEEP, planes=True)), ".tif", UNDECIDED),
    "white is zero": (
        lambda d: write_tiff(d / "a.tif", Page(GREY[..., 0], tiff.WHITE_IS_ZERO)), ".tif", UNDECIDED
    ),
    "TIFF with alpha": (
        lambda d: write_tiff(
            d / "a.tif", Page(np.dstack([PIXELS, ALPHA]), extra_samples=(tiff.ALPHA,))
        ),
        ".tif", UNDECIDED,
    ),
    "7 channels": (
        lambda d: write_tiff(d / "a.tif", Page(SEVEN, extra_samples=(0, 0, 0, tiff.ALPHA))),
        ".tif", ReadingRecipe(channels=(4, 5, 1)),
    ),
    "2 of grey": (
        lambda d: write_tiff(
            d / "a.tif", Page(DEEP[..., :2], tiff.BLACK_IS_ZERO, extra_samples=(0,))
        ),
        ".tif", ReadingRecipe(channels=(1,)),
    ),
    "12 in 16": (
        lambda d: write_tiff(d / "a.tif", Page(DEEP // 16)), ".tif", ReadingRecipe(white_level=4095)
    ),
    "page 2 of 3": (
        lambda d: write_tiff(d / "a.tif", Page(255 - PIXELS), Page(GREY, 1), Page(DEEP)), ".tif",
        ReadingRecipe(page=2),
    ),
    "pyramid": (
        lambda d: saved(
            vips(PIXELS), d / "a.tif", tile=True, tile_width=16, tile_height=16, pyramid=True
        ),
        ".tif", UNDECIDED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_file_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    make, suffix, reading = FILES[name]
    path = make(tmp_path)
    own = open_own(path, reading)
    assert own.suffix == suffix
    target = tmp_path / f"out{own.suffix}"
    write_like(own, target, whole(own))
    assert np.array_equal(decoded(target), decoded(path, own.facts.page))
    before, after = own.facts, inspect_picture(target)
    assert len(after.pages) == 1
    for fact in ("height", "width", "sample", "colours", "channels", "alpha", "unnamed", "dpi"):
        assert getattr(after, fact) == getattr(before, fact), fact
    assert after.windows_are_cheap == before.windows_are_cheap
    assert not after.levels
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


PILLOW = sorted(FILES.keys() - {"RGB 16 PNG", "7 channels", "2 of grey", "planes", "12 in 16"})


@pytest.mark.parametrize("name", [name for name in PILLOW if "16" not in name])
def test_pillow_sees_the_same_pixels(name: str, tmp_path: Path) -> None:
    make, _, reading = FILES[name]
    path = make(tmp_path)
    own = open_own(path, reading)
    write_like(own, tmp_path / f"out{own.suffix}", whole(own))
    with Image.open(path) as before, Image.open(tmp_path / f"out{own.suffix}") as after:
        before.seek(own.facts.page)
        mode = "RGBA" if before.mode == "P" else after.mode
        assert np.array_equal(np.array(before.convert(mode)), np.array(after.convert(mode)))
        assert before.info.get("icc_profile") == after.info.get("icc_profile")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_opencv_sees_the_same_sixteen_bits(suffix: str, tmp_path: Path) -> None:
    own = open_own(saved(vips(DEEP, "rgb16", ADOBE), tmp_path / f"a{suffix}"))
    write_like(own, tmp_path / f"b{suffix}", whole(own))
    seen = cv2.imread(str(tmp_path / f"b{suffix}"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(np.asarray(seen)[..., ::-1], DEEP)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_stays_turned(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    if suffix == ".tif":
        path = write_tiff(tmp_path / "a.tif", Page(PIXELS, orientation=orientation))
    else:
        path = pillow(PIXELS, tmp_path / f"a{suffix}", exif=exif)
    own = open_own(path)
    painted = whole(own).copy()
    painted[3:8, 5:19] = 255  # upright
    for target in {own.suffix, ".png", ".tif"}:
        write_like(own, tmp_path / f"out{target}", painted)
        image = pyvips.Image.new_from_file(str(tmp_path / f"out{target}"))
        tag = image.get("orientation") if image.get_typeof("orientation") else 1
        assert tag == orientation
        assert np.array_equal(image.autorot().numpy(), painted)
        same = decoded(path) == image.numpy()
        assert (~same.all(axis=-1)).sum() <= 5 * 14  # as it lies in the file
        with Image.open(tmp_path / f"out{target}") as seen:
            assert np.array_equal(np.array(ImageOps.exif_transpose(seen)), painted)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_profile_is_kept_by_the_byte(suffix: str, tmp_path: Path) -> None:
    for profile, kept in ((ADOBE, ADOBE), (ink(), None)):  # one for CMYK says nothing of RGB
        path = pillow(PIXELS, tmp_path / f"a{suffix}", icc_profile=profile)
        own = open_own(path, ReadingRecipe(assume_profile="srgb"))
        write_like(own, tmp_path / f"b{own.suffix}", whole(own))
        with Image.open(tmp_path / f"b{own.suffix}") as image:
            assert image.info.get("icc_profile") == kept


def test_an_assumed_profile_is_not_written(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"), ReadingRecipe(assume_profile="p3"))
    write_like(own, tmp_path / "b.png", whole(own))
    with Image.open(tmp_path / "b.png") as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("dpi", [(300, 300), (72, 72), (123, 456), None])
def test_the_resolution_is_kept(suffix: str, dpi: tuple[int, int] | None, tmp_path: Path) -> None:
    path = pillow(PIXELS, tmp_path / f"a{suffix}", **({"dpi": dpi} if dpi else {}))
    own = open_own(path)
    write_like(own, tmp_path / f"b{own.suffix}", whole(own))
    with Image.open(path) as before, Image.open(tmp_path / f"b{own.suffix}") as after:
        if dpi is None:
            assert "dpi" not in after.info
        else:
            assert after.info["dpi"] == pytest.approx(before.info["dpi"], abs=0.02)


def test_a_tiff_in_centimetres_stays_in_centimetres(tmp_path: Path) -> None:
    path = pillow(
        PIXELS, tmp_path / "a.tif", resolution_unit="cm", x_resolution=118, y_resolution=50
    )
    own = open_own(path)
    write_like(own, tmp_path / "b.tif", whole(own))
    with Image.open(tmp_path / "b.tif") as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        assert (tags[282], tags[283], tags[296]) == (118, 50, 3)


def test_pixels_that_are_no_squares_stay_so(tmp_path: Path) -> None:
    path = pillow(PIXELS, tmp_path / "a.png", dpi=(300, 300))
    data = path.read_bytes()
    start = data.index(b"pHYs")
    chunk = b"pHYs" + struct.pack(">IIB", 2, 1, 0)  # of no unit
    chunk += struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:start] + chunk + data[start + len(chunk) :])
    own = open_own(path)
    write_like(own, tmp_path / "b.png", whole(own))
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["aspect"] == (2, 1)
        assert "dpi" not in image.info


def with_thumbnail(thumbnail: bytes) -> bytes:
    """Return EXIF of a maker, an orientation and a thumbnail."""
    first = struct.pack("<HHHIIHHII", 2, 271, 2, 4, 0x00676544, 274, 3, 1, 3)
    second = 8 + len(first) + 4
    place = second + 2 + 3 * 12 + 4
    entries = ((259, 3, 1, 6), (513, 4, 1, place), (514, 4, 1, len(thumbnail)))
    described = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    return head + first + struct.pack("<I", second) + described + bytes(4) + thumbnail


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_is_kept_without_its_thumbnail(suffix: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS[::2, ::2]).save(stream, "JPEG")
    exif = with_thumbnail(stream.getvalue())
    path = pillow(PIXELS, tmp_path / f"a{suffix}", exif=exif)
    assert stream.getvalue() in path.read_bytes()
    own = open_own(path)
    write_like(own, tmp_path / "b.png", whole(own))
    with Image.open(tmp_path / "b.png") as image:
        seen = image.getexif()
        assert (seen[271], seen[274]) == ("Deg", 3)
        assert (seen[282], seen[296]) == (72, 2)  # Exif's word for "not known"
        assert b"\xff\xd8\xff" not in image.info["exif"]


def test_what_is_no_exif_is_left_alone() -> None:
    for data in (b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*" + bytes(6)):
        assert without_thumbnail(data) == data
    motorola = b"MM\0*" + struct.pack(">IH", 8, 0) + b"\0\0\0\x63" + b"second"
    assert without_thumbnail(motorola) == b"MM\0*" + struct.pack(">IH", 8, 0) + bytes(4) + b"second"


def test_a_png_keeps_its_texts_and_how_it_says_colours(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "wall")
    info.add_text("Place", "cave" * 300, zip=True)
    info.add_itxt("Titre", "\u58c1\u753b")
    info.add(b"gAMA", struct.pack(">I", 50_000))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    path = pillow(PIXELS, tmp_path / "a.png", pnginfo=info, dpi=(200, 200))
    data = path.read_bytes()  # texts may also follow the pixels
    late = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP
    late = struct.pack(">I", len(late) - 4) + late + struct.pack(">I", zlib.crc32(late))
    path.write_bytes(data[:-12] + late + data[-12:])
    own = open_own(path)
    write_like(own, tmp_path / "b.png", whole(own))
    with Image.open(path) as before, Image.open(tmp_path / "b.png") as after:
        before.load(), after.load()
        assert after.info == before.info
        assert after.info["XML:com.adobe.xmp"].encode() == XMP
    assert (tmp_path / "b.png").read_bytes().count(b"tEXtTitle") == 1


def test_a_tiff_keeps_its_descriptions(tmp_path: Path) -> None:
    info = {270: "wall 3", 700: XMP, 33723: b"\x1c\x02\x05\0\x05wall "}
    path = pillow(PIXELS, tmp_path / "a.tif", tiffinfo=info)
    own = open_own(path)
    write_like(own, tmp_path / "b.tif", whole(own))
    with Image.open(tmp_path / "b.tif") as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        assert (tags[270], tags[700]) == ("wall 3", XMP)
        assert tags[33723].startswith(info[33723])


def test_xmp_goes_from_jpeg_to_png(tmp_path: Path) -> None:
    own = open_own(pillow(PIXELS, tmp_path / "a.jpg", xmp=XMP))
    write_like(own, tmp_path / "b.png", whole(own))
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["XML:com.adobe.xmp"].encode() == XMP


def test_a_map_on_the_disk_is_written_like_an_array(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    rows = np.memmap(tmp_path / "rows", np.uint8, "w+", shape=PIXELS.shape)
    rows[:] = 255 - PIXELS
    write_like(own, tmp_path / "b.png", rows)
    assert np.array_equal(decoded(tmp_path / "b.png"), 255 - PIXELS)


def test_the_input_itself_can_be_replaced(tmp_path: Path) -> None:
    path = pillow(PIXELS, tmp_path / "a.png", dpi=(300, 300), icc_profile=ADOBE)
    own = open_own(path)
    write_like(own, path, 255 - whole(own))
    assert np.array_equal(decoded(path), 255 - PIXELS)
    assert inspect_picture(path).dpi == own.facts.dpi
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_what_would_not_fit_a_classic_tiff_is_a_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = open_own(saved(vips(DEEP, "rgb16"), tmp_path / "a.tif"))
    for most, version in ((DEEP.nbytes, 42), (DEEP.nbytes - 1, 43)):
        monkeypatch.setattr(writing, "MOST_CLASSIC", most)
        write_like(own, tmp_path / "b.tif", whole(own))
        assert (tmp_path / "b.tif").read_bytes()[2] == version
        assert np.array_equal(decoded(tmp_path / "b.tif"), DEEP)


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        ("CMYK TIFF", "b.png", r"is CMYK, 8 bits, and is written .* as \.tif\. .* b\.tif\."),
        ("7 channels", "b.png", r"is RGB \+ alpha \+ 3 channels, 8 bits, .* as \.tif\."),
        ("RGB 8 PNG", "b.jpg", r"as \.tif or \.png\. Name the output b\.png\."),
    ],
)
def test_a_format_that_would_lose_something_is_refused(
    name: str, target: str, sentence: str, tmp_path: Path
) -> None:
    make, _, reading = FILES[name]
    own = open_own(make(tmp_path), reading)
    with pytest.raises(UsageProblem, match=sentence):
        write_like(own, tmp_path / target, whole(own))
    assert not (tmp_path / target).exists()


def test_samples_of_another_picture_are_refused(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    for wrong in (PIXELS[:-1], PIXELS[..., :1], DEEP):
        with pytest.raises(ValueError, match=r"expected \(37, 52, 3\), uint8"):
            write_like(own, tmp_path / "b.png", wrong)


def test_an_input_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    pixels = whole(own)
    (tmp_path / "a.png").unlink()
    with pytest.raises(PictureError, match=r"a\.png: it does not exist"):
        write_like(own, tmp_path / "b.png", pixels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("shape", "most"), [((210, 330), 20_000), ((37, 52), 1_000)])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    shape: tuple[int, int], most: int, suffix: str, tmp_path: Path
) -> None:
    noise = draw_picture(*shape, "noise")  # the small one is written as it is closed
    own = open_own(saved(vips(noise), tmp_path / f"a{suffix}"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(OutputError, match=r"Could not write .*b\.(png|tif): File too large"):
            write_like(own, tmp_path / f"b{suffix}", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    own = open_own(saved(vips(PIXELS), tmp_path / "a.png"))
    with pytest.raises(OutputError, match=r"a\.png is a file, not a folder"):
        write_like(own, tmp_path / "a.png" / "b.png", PIXELS)
