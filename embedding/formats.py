"""Photo file formats and the packages that open them.

Pillow opens most; an extra installs the package for each of the others.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from twobranch.common.errors import ImageError
from twobranch.common.extras import install_command
from twobranch.embedding.decode_limit import Patience, PatientBytes
from twobranch.embedding.jpeg import check_header, check_jpeg, is_jpeg

if TYPE_CHECKING:
    import rawpy
    from PIL import Image

_PLAIN = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_HEIC = {".heic", ".heif"}
_AVIF = {".avif"}
RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"})
IMAGE_SUFFIXES = frozenset(_PLAIN | _HEIC | _AVIF | RAW_SUFFIXES)
_PILLOW = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
# Most cameras embed previews of 1,000 pixels or more, some only a thumbnail of 160 x 120.
_SMALLEST_PREVIEW = 256
# LibRaw's value for the rotation -> EXIF orientation.
_ORIENTATION = {3: 3, 5: 8, 6: 6}
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Opened:
    """An open photo. Its pixels are decoded on first access."""

    image: Image.Image
    exif: Image.Exif
    size: tuple[int, int]  # (width, height) of the whole photo as stored, before it is turned upright


def missing_extra(name: str) -> str | None:
    """Return the extra needed to open files of this name. None if they can be opened already."""
    return _missing(_suffix(name))


def open_photo(data: bytes, name: Path | str = "", patience: Patience | None = None) -> Opened:
    """Open the photo in a file's bytes.

    The ``name`` identifies raw files; other formats are identified by content. Raises ``ImageError`` when the
    format needs a package that is not installed, or when the file is built to take long, and what Pillow and
    ``patience`` raise.
    """
    from PIL import Image, ImageFile

    if _suffix(str(name)) in RAW_SUFFIXES:  # Pillow would open many as TIFF and return a thumbnail
        _check_installed(_suffix(str(name)), name)
        return _open_raw(data)
    file = io.BytesIO(data) if patience is None else PatientBytes(data, patience)
    if is_jpeg(data):
        check_jpeg(data)
        # The header is known to be short and is read in a hundred pieces, so it is read without our class.
        image = Image.open(io.BytesIO(data), formats=_formats(data[:12], name))
        if isinstance(image, ImageFile.ImageFile) and image.fp is not None:
            file.seek(image.fp.tell())
            image.fp = file
    else:
        image = Image.open(file, formats=_formats(data[:12], name))
    if image.format == "TIFF":
        _silence_libtiff()
    try:
        exif = image.getexif()
    except Exception:  # the EXIF is damaged, but the picture may be sound
        exif = Image.Exif()
    return Opened(image, exif, image.size)


def open_header(file: BinaryIO, name: Path | str) -> Image.Image:
    """Open a photo file and read only its header. Not for raw files. Raises as ``open_photo`` does."""
    from PIL import Image

    file.seek(0)
    head = file.read(12)
    if is_jpeg(head):
        check_header(file)
        file.seek(0)
    return Image.open(file, formats=_formats(head, name))


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


@cache
def _missing(suffix: str) -> str | None:
    if suffix in _HEIC and find_spec("pillow_heif") is None:
        return "heic"
    if suffix in _AVIF and not _pillow_reads_avif():
        return "heic"
    if suffix in RAW_SUFFIXES and find_spec("rawpy") is None:
        return "raw"
    return None


def _pillow_reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))  # since 11.3, in its wheels


def _check_installed(suffix: str, name: Path | str) -> None:
    extra = _missing(suffix)
    if extra is not None:
        kind = suffix.removeprefix(".").upper()
        raise ImageError(name, f"{kind} photos need an extra; install it with: {install_command(extra)}")


def _formats(head: bytes, name: Path | str) -> tuple[str, ...]:
    """Return the possible Pillow formats of a file with this beginning."""
    if head[4:8] != b"ftyp":
        return _PILLOW
    if head[8:12] in (b"avif", b"avis"):
        _check_installed(".avif", name)
        return ("AVIF",)
    _check_installed(".heic", name)
    _register_heif()
    return ("HEIF",)


@cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


@cache
def _silence_libtiff() -> None:
    """Keep libtiff's errors off stderr. Each is a line without the name of the file.

    Pillow switches off libtiff's warnings only, and raises its own error for what cannot be read. This is the
    least intrusive way: stderr itself belongs to all threads, and a handler in Python would be called for
    each of the million errors that a file can hold. It affects the whole process. Where Pillow's libtiff
    cannot be reached, as on Windows, the lines stay.
    """
    import ctypes

    from PIL import Image

    with suppress(AttributeError, OSError, TypeError):
        # Symbols are looked up in the libraries the module is linked with, so this finds Pillow's libtiff.
        silence = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler  # type: ignore[attr-defined]
        silence.argtypes, silence.restype = [ctypes.c_void_p], ctypes.c_void_p
        silence(None)


def _open_raw(data: bytes) -> Opened:
    """Open a raw file by its embedded preview.

    If the preview is small, the sensor data is decoded at half its size.
    """
    import rawpy
    from PIL import Image

    with rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        image = _preview(raw)
        if image is None:
            image, turn = Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True)), 1
        else:
            turn = _ORIENTATION.get(sizes.flip, 1)
    exif = image.getexif()
    own = exif.get(_ORIENTATION_TAG)
    if not exif:
        exif = _tiff_exif(data)
    whole = (sizes.width, sizes.height)
    if (whole[0] >= whole[1]) != (image.width >= image.height):  # the preview is upright already
        whole = whole[::-1]
        turn = 1 if turn in (6, 8) else turn
    exif[_ORIENTATION_TAG] = own or turn
    return Opened(image, exif, whole)


def _preview(raw: rawpy.RawPy) -> Image.Image | None:
    import rawpy
    from PIL import Image

    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumb.format == rawpy.ThumbFormat.JPEG:
        check_jpeg(thumb.data)
        image: Image.Image = Image.open(io.BytesIO(thumb.data), formats=("JPEG",))
    else:
        image = Image.fromarray(thumb.data)
    return image if min(image.size) >= _SMALLEST_PREVIEW else None


def _tiff_exif(data: bytes) -> Image.Exif:
    """Return the EXIF of a raw file built like a TIFF.

    Most raw files are; for others the result is empty.
    """
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(data)
    except Exception:  # Pillow raises many types for data that is not a TIFF
        return Image.Exif()
    return exif
