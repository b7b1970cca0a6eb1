"""Photos that need an extra: HEIC, AVIF and cameras' raw files."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, features

from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from tests.indexing import counts, images, index
from twobranch.common.errors import ImageError
from twobranch.embedding import formats
from twobranch.embedding.formats import missing_extra
from twobranch.embedding.preprocess import WHOLE, decoding_bytes, load_photo
from twobranch.indexer.disk.exif import read_facts
from twobranch.indexer.update.library import update_library

RED = (255, 0, 0)
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What is installed is asked once a process; here it changes with every test."""
    formats._missing.cache_clear()
    yield
    formats._missing.cache_clear()


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    real = formats.find_spec
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name in packages else real(name))


def two_halves(size: tuple[int, int]) -> Image.Image:
    """Red on the left, green on the right."""
    image = Image.new("RGB", size, RED)
    image.paste((0, 255, 0), (size[0] // 2, 0, *size))
    return image


def columns(pixels: NDArray[np.uint8]) -> str:
    """Which colour the left and the right edge have: "rg" as it was drawn."""
    return "".join("rg"[int(pixels[:, x, 1].mean() > 128)] for x in (0, -1))


def rows(pixels: NDArray[np.uint8]) -> str:
    return columns(pixels.swapaxes(0, 1))


def needed(path: Path) -> int:
    """The memory of decoding the photo to 8 pixels square."""
    with path.open("rb") as file:
        return decoding_bytes(file, path, 8, WHOLE)


# --- HEIC and AVIF ----------------------------------------------------------------------------------


def test_heic_with_its_facts(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Phone"
    exif[ExifTags.Base.DateTime] = "2021:05:04 03:02:01"
    heif.from_pillow(two_halves((64, 32))).save(tmp_path / "a.heic", exif=exif.tobytes())
    photo = load_photo(tmp_path / "a.heic", 8)
    assert (photo.width, photo.height, columns(photo.pixels)) == (64, 32, "rg")
    facts = read_facts(photo.exif)
    assert (facts.camera, str(facts.taken_at)) == ("Phone", "2021-05-04 03:02:01")
    # The content tells: many a .jpg that a phone exported is none.
    (tmp_path / "a.heic").rename(tmp_path / "a.jpg")
    assert columns(load_photo(tmp_path / "a.jpg", 8).pixels) == "rg"
    assert needed(tmp_path / "a.jpg") == 64 * 32 * 8


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif(tmp_path: Path) -> None:
    two_halves((64, 32)).save(tmp_path / "a.avif")
    photo = load_photo(tmp_path / "a.avif", 8)
    assert (photo.width, photo.height, columns(photo.pixels)) == (64, 32, "rg")


def test_a_phones_jpg_that_is_heic_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "pillow_heif")
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    with pytest.raises(ImageError, match=r"HEIC photos need an extra; install it with: .*\[heic\]'"):
        load_photo(tmp_path / "a.jpg", 8)
    assert needed(tmp_path / "a.jpg") == 0


# --- raw --------------------------------------------------------------------------------------------


class Raw:
    """What rawpy opens: a sensor of ``size``, turned by ``flip``, and maybe a preview."""

    def __init__(self, size: tuple[int, int], flip: int, preview: Any) -> None:
        self.sizes = SimpleNamespace(width=size[0], height=size[1], flip=flip)
        self._preview = preview

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def extract_thumb(self) -> Any:
        if isinstance(self._preview, Exception):
            raise self._preview
        return self._preview

    def postprocess(self, half_size: bool, use_camera_wb: bool) -> NDArray[np.uint8]:
        assert half_size and use_camera_wb
        return np.asarray(two_halves((self.sizes.width // 2, self.sizes.height // 2)))


class NoThumbnail(Exception):
    pass


class Unsupported(Exception):
    pass


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Makes rawpy open what it is given; returns the path of a "raw" file."""

    def opens(one: Raw, data: bytes = b"raw") -> Path:
        rawpy = ModuleType("rawpy")
        rawpy.__spec__ = ModuleSpec("rawpy", None)
        rawpy.imread = lambda file: one  # type: ignore[attr-defined]
        rawpy.ThumbFormat = SimpleNamespace(JPEG="jpeg", BITMAP="bitmap")  # type: ignore[attr-defined]
        rawpy.LibRawNoThumbnailError = NoThumbnail  # type: ignore[attr-defined]
        rawpy.LibRawUnsupportedThumbnailError = Unsupported  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "rawpy", rawpy)
        formats._missing.cache_clear()
        (tmp_path / "a.nef").write_bytes(data)
        return tmp_path / "a.nef"

    return opens


def jpeg(image: Image.Image, orientation: int | None = None) -> SimpleNamespace:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Box"
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    return SimpleNamespace(format="jpeg", data=file.getvalue())


def test_the_preview_of_a_raw_photo(raw: Any) -> None:
    photo = load_photo(raw(Raw((6000, 4000), 0, jpeg(two_halves((600, 400))))), 8)
    assert (photo.width, photo.height, columns(photo.pixels)) == (6000, 4000, "rg")
    assert read_facts(photo.exif).camera == "Box"


@pytest.mark.parametrize("orientation", [None, 6])
def test_a_preview_that_lies_on_its_side_is_turned(raw: Any, orientation: int | None) -> None:
    # By 90 degrees clockwise, as LibRaw says (6) and maybe the preview itself; what was left is at the top.
    photo = load_photo(raw(Raw((6000, 4000), 6, jpeg(two_halves((600, 400)), orientation))), 8)
    assert (photo.width, photo.height, rows(photo.pixels)) == (4000, 6000, "rg")


def test_a_preview_that_is_upright_already_is_not(raw: Any) -> None:
    photo = load_photo(raw(Raw((6000, 4000), 6, jpeg(two_halves((400, 600))))), 8)
    assert (photo.width, photo.height, columns(photo.pixels)) == (4000, 6000, "rg")


@pytest.mark.parametrize(
    "preview", [NoThumbnail(), Unsupported(), jpeg(Image.new("RGB", (160, 120), "blue"))]
)
def test_without_a_good_preview_the_sensor_is_read(raw: Any, preview: Any) -> None:
    photo = load_photo(raw(Raw((600, 400), 0, preview)), 8)
    assert (photo.width, photo.height, columns(photo.pixels)) == (600, 400, "rg")


def test_a_bitmap_preview_with_the_facts_of_the_file(raw: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Old box"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif", exif=exif)
    bitmap = SimpleNamespace(format="bitmap", data=np.asarray(two_halves((600, 400))))
    path = raw(Raw((6000, 4000), 0, bitmap), data=(tmp_path / "a.tif").read_bytes())
    photo = load_photo(path, 8)
    assert columns(photo.pixels) == "rg"
    assert read_facts(photo.exif).camera == "Old box"
    assert needed(path) == 8 * path.stat().st_size


# --- indexing ---------------------------------------------------------------------------------------


def test_without_the_extra_the_files_are_counted_and_nothing_more(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "pillow_heif", "rawpy")
    for name in ("a.heic", "sub/b.HEIC", "c.nef"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"x")
    progress = RecordedProgress()
    report = index(library, photos, encoder, progress=progress)
    assert counts(report) == {"added": 3, "encoded": 3}
    heic, raw = progress.notes
    assert heic.startswith("2 files are left out; to index HEIC and AVIF: ") and heic.endswith("[heic]'")
    assert raw.startswith("1 file is left out; to index raw photos: ") and raw.endswith("[raw]'")
    # One that is named gets the same note.
    assert counts(index(library, photos / "c.nef", encoder)) == {}
    assert missing_extra("c.nef") == "raw"


def test_what_was_indexed_stays_when_the_extra_is_gone(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    heif.from_pillow(Image.new("RGB", (64, 64), RED)).save(photos / "a.heic")
    assert counts(index(library, photos, encoder)) == {"added": 4, "encoded": 4}
    without(monkeypatch, "pillow_heif")
    formats._missing.cache_clear()
    write_photo(photos / "new.png", "white")
    # Not even for another model is it opened.
    report = update_library(library, [photos], FakeEncoder("other", "other"))
    assert counts(report) == {"added": 1, "unchanged": 3, "encoded": 4}
    assert "photos/a.heic" in images(library)
    (photos / "a.heic").unlink()
    assert counts(update_library(library, [photos], encoder)) == {"removed": 1, "unchanged": 4, "encoded": 1}


# --- what libtiff has to say --------------------------------------------------------------------------


def damaged_tiffs() -> list[bytes]:
    """Files that libtiff complains about while they are decoded: some can be read all the same."""
    found = []
    for compression in ("tiff_adobe_deflate", "tiff_lzw", "group4"):
        noise = Image.effect_noise((64, 64), 99)
        file = io.BytesIO()
        (noise.convert("1") if compression == "group4" else noise).save(file, "TIFF", compression=compression)
        data = bytearray(file.getvalue())
        at = data.index(b"\x80", 8) if compression == "tiff_lzw" else 40
        found.append(bytes(data[:at] + bytes(b ^ 0xFF for b in data[at : at + 40]) + data[at + 40 :]))
    return found


def test_libtiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    formats._silence_libtiff.cache_clear()
    damaged = 0
    for data in damaged_tiffs():
        try:
            load_photo(data, 8, name="a.tif")
        except ImageError as error:
            damaged += 1
            assert str(error).startswith("a.tif: damaged (")
    assert damaged
    assert capfd.readouterr().err == ""


def test_the_files_make_libtiff_complain() -> None:
    """Else the test above could not fail. In a process of its own: silence lasts."""
    program = (
        "import io, sys\nfrom PIL import Image\nfrom tests.embedding.test_formats import damaged_tiffs\n"
        "for data in damaged_tiffs():\n"
        "    try:\n        Image.open(io.BytesIO(data)).load()\n"
        "    except OSError:\n        pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Decode" in done.stderr, done.stderr


def test_a_libtiff_that_cannot_be_reached_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    def gone(name: str) -> object:
        raise OSError("no such library")

    for library in (gone, lambda name: SimpleNamespace()):  # as where it is part of Pillow's own module
        formats._silence_libtiff.cache_clear()
        monkeypatch.setattr(ctypes, "CDLL", library)
        file = io.BytesIO()
        Image.new("RGB", (8, 8), RED).save(file, "TIFF")
        assert load_photo(file.getvalue(), 8).pixels[0, 0].tolist() == list(RED)
    formats._silence_libtiff.cache_clear()
