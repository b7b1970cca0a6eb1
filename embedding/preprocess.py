"""Photo files to square uint8 pixels: one definition, used by training and by inference.

The towers take raw pixels (normalisation is the first layer of the ONNX graph), so what happens here
is all that lies between a file and the network: decode, orient, flatten to RGB, squash to a square.
Squashing keeps the whole photo in view, borders included, and is how the training photos of the
shipped model look as well; a centre crop would lose what stands at the edge of a wide photo.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from twobranch.common.errors import ImageError, LargeImageError
from twobranch.embedding.colour import to_srgb
from twobranch.embedding.decode_limit import GivenUp, Patience
from twobranch.embedding.formats import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from twobranch.embedding.formats import RAW_SUFFIXES, open_header, open_photo

# Part of every feature cache's name: raise it when `load_photo` gives other pixels for the same file.
PREPROCESSING = 1

# 128 megapixels decode to 0.4 GB; beyond that a "photo" is a panorama scan or a decompression bomb, unless
# somebody says that it is none (`index --max-megapixels`).
MAX_PIXELS = 128_000_000
# EXIF orientation -> what turns the photo upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LONGEST_REASON = 200  # characters of what a decoder says

# Our own limit above answers for size, before anything is decoded and with a message that names the file;
# Pillow's would stand in the way of who lifts it.
Image.MAX_IMAGE_PIXELS = None
# "Corrupt EXIF data" and the like: the photo is read all the same, and nobody can act on it.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class View:
    """What of a photo is looked at: ``share`` of each side, about the centre, and maybe mirrored."""

    share: float = 1.0
    mirrored: bool = False


WHOLE = (View(),)
# For `tta`, chosen by rsum for its time (benchmarks/tta.md). Vectors from other views must not be mixed
# with these: whoever changes them changes the mark in `embedding.model_folder` as well.
TTA = (View(), View(share=0.85, mirrored=True))


@dataclass(frozen=True)
class Photo:
    """A decoded photo: what the image tower sees, and what the catalogue records."""

    pixels: NDArray[np.uint8]  # (S, S, 3) RGB; from `load_views` (V, S, S, 3)
    width: int  # of the upright photo, in pixels, before any scaling
    height: int
    exif: Image.Exif


def load_photo(source: Path | str | bytes | Image.Image, size: int, *, name: Path | str = "") -> Photo:
    """The whole photo at ``source`` (a path, a file's bytes, or an open image), ``size`` pixels square.

    EXIF orientation is applied; of an animation the first frame is taken; transparency is laid over white.
    ``name`` is what errors call a photo that came as bytes. Raises ``ImageError`` with a short reason.
    """
    photo = load_views(source, size, WHOLE, name=name)
    return replace(photo, pixels=photo.pixels[0])


def load_views(
    source: Path | str | bytes | Image.Image,
    size: int,
    views: Sequence[View],
    *,
    name: Path | str = "",
    max_pixels: int = MAX_PIXELS,
    patience: Patience | None = None,
) -> Photo:
    """As ``load_photo``, with (V, size, size, 3) ``pixels``: the photo is decoded once for all views.

    One of more than ``max_pixels`` is refused by its header. Raises ``GivenUp`` when ``patience`` was.
    """
    label = name or (source if isinstance(source, (str, Path)) else "image")
    with _image_errors(label):
        if isinstance(source, Image.Image):
            return _prepare(source, size, views, source.getexif(), source.size, max_pixels)
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not data:
            raise ImageError(label, "empty file")
        opened = open_photo(data, label, patience)
        with opened.image as image:
            # The JPEG decoder can skip most of its work when asked for 1/2, 1/4 or 1/8 of the size; it
            # never goes below what it is asked for, so the resize that follows still has enough pixels,
            # in the smallest view too. Only an image of our own may be told so: it stays small.
            image.draft("RGB", (_side(size, views),) * 2)
            return _prepare(image, size, views, opened.exif, opened.size, max_pixels)


def load_thumbnail(
    source: Path | bytes, side: int, *, name: Path | str = "", patience: Patience | None = None
) -> Image.Image:
    """The photo at ``source`` in its own proportions, upright and in sRGB, at most ``side`` pixels a side.

    As ``load_views`` sees it but for the squashing and the colours, which are for people. Raises
    ``ImageError`` with a short reason, and ``GivenUp`` when ``patience`` was.
    """
    label = name or (source if isinstance(source, Path) else "image")
    with _image_errors(label):
        opened = open_photo(source if isinstance(source, bytes) else source.read_bytes(), label, patience)
        with opened.image as image:
            _check_size(image.size, MAX_PIXELS)
            orientation = opened.exif.get(ExifTags.Base.Orientation, 1)
            scale = min(1.0, side / max(image.size))
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            profile = image.info.get("icc_profile")
            image.draft("RGB", size)
            # Always an image of its own: the file's would still want the file, which is closed.
            small = _to_rgb(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
            return _upright(to_srgb(small, profile), orientation)


@contextmanager
def _image_errors(label: Path | str) -> Iterator[None]:
    """What goes wrong with a photo in the block is an ``ImageError`` that calls it ``label``."""
    try:
        yield
    except GivenUp:
        raise
    except LargeImageError as error:
        raise LargeImageError(label, error.reason, error.pixels) from None
    except ImageError as error:
        raise ImageError(label, error.reason) from None
    except UnidentifiedImageError:
        raise ImageError(label, "not an image, or damaged at its beginning") from None
    except FileNotFoundError:
        raise ImageError(label, "no such file") from None
    except IsADirectoryError:
        raise ImageError(label, "a folder, not a photo") from None
    except PermissionError:
        raise ImageError(label, "permission denied") from None
    except MemoryError:
        raise ImageError(label, "not enough memory to decode it") from None
    # Decoders raise what they like on damaged files, struct.error and zlib.error among it.
    except Exception as error:
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        said = "".join(c if c.isprintable() else " " for c in f"{kind}{error}"[:_LONGEST_REASON]).strip()
        reason = "truncated" if "truncated" in said.lower() else f"damaged ({said})"
        raise ImageError(label, reason) from None


def decoding_bytes(
    file: BinaryIO, name: Path | str, size: int, views: Sequence[View], max_pixels: int = MAX_PIXELS
) -> int:
    """About how much memory ``load_views`` takes to decode the photo in an open ``file``, at most, beside the
    file's own bytes; only its header is read. 0 for what is no photo, or too large a one: it will not be
    decoded."""
    try:
        if Path(name).suffix.lower() in RAW_SUFFIXES:
            # The sensor's values and their half-size picture, of which the file holds about 1 byte a pixel.
            return 8 * file.seek(0, io.SEEK_END)
        with open_header(file, name) as image:
            return _decoded_bytes(image, _side(size, views), max_pixels)
    except Exception:  # what is wrong with it comes out when it is read
        return 0


def thumbnail_bytes(data: bytes, side: int, name: Path) -> int:
    """As ``decoding_bytes``, of ``load_thumbnail`` and a photo whose ``data`` is at hand."""
    try:
        if name.suffix.lower() in RAW_SUFFIXES:
            return 8 * len(data)
        with open_photo(data, name).image as image:
            return _decoded_bytes(image, side, MAX_PIXELS)
    except Exception:  # as above
        return 0


def _decoded_bytes(image: Image.Image, side: int, max_pixels: int) -> int:
    """How much memory an image of which only the header is read takes, no smaller than ``side`` pixels."""
    full = image.width * image.height
    if full > max_pixels:
        return 0
    simple = image.mode in ("RGB", "L", "P", "CMYK", "1") and "transparency" not in image.info
    image.draft("RGB", (side, side))
    # A progressive JPEG is kept whole as coefficients, 2 bytes for each channel of each pixel.
    buffered = 6 * full if image.info.get("progressive") else 0
    # Pillow has 4 bytes a pixel and makes a second image of any that is not RGB. Laying one over white takes
    # four, and grey values of 16 or 32 bits as much, in float32.
    return buffered + image.width * image.height * (8 if simple else 20)


def _side(size: int, views: Sequence[View]) -> int:
    """The side of the whole photo, in pixels, at which the smallest view still has ``size`` of them."""
    return math.ceil(size / min(view.share for view in views))


def _prepare(
    image: Image.Image,
    size: int,
    views: Sequence[View],
    exif: Image.Exif,
    full_size: tuple[int, int],
    max_pixels: int,
) -> Photo:
    width, height = full_size
    for one in {full_size, image.size}:  # the preview in a raw file has a size of its own
        _check_size(one, max_pixels)
    rgb = _to_rgb(image)
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    squares = [_square(rgb, size, view, orientation) for view in views]
    if orientation in range(5, 9):  # the four orientations that swap the sides
        width, height = height, width
    # A stack of one would be a copy.
    pixels = squares[0][None] if len(squares) == 1 else np.stack(squares)
    return Photo(pixels, width, height, exif)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        reason = f"{width} x {height} is more than {max_pixels / 1e6:g} megapixels"
        raise LargeImageError("", reason, width * height)


def _square(rgb: Image.Image, size: int, view: View, orientation: int) -> NDArray[np.uint8]:
    """(size, size, 3) pixels of one view of a photo that is still to be turned upright."""
    width, height = rgb.size
    left, top = (side * (1 - view.share) / 2 for side in rgb.size)
    box = (left, top, width - left, height - top)
    square = rgb.resize((size, size), Image.Resampling.BICUBIC, box)
    # Turning the small square is cheaper than turning the photo, and comes to the same.
    square = _upright(square, orientation)
    return np.asarray(ImageOps.mirror(square) if view.mirrored else square)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned as EXIF says; a value that it does not know turns nothing."""
    # Pillow's `exif_transpose` writes the photo's EXIF anew, and fails where a value in it is a wrong one.
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    """The image as RGB: 16-bit grey scaled down, transparency laid over white."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
        # What white is, is not in the file: 65535 in 16-bit ones, 1 in float ones, else 255. Pillow's own
        # conversion would clip at 255.
        largest = values.max(initial=0)
        scale = 255 / (65535 if largest > 255 else 255 if largest > 1 or image.mode != "F" else 1)
        return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy an RGB one
