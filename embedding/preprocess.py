"""Convert photo files to square uint8 pixels, for training and inference alike.

The towers take raw pixels (normalisation is the first layer of the ONNX graph), so this module is all that
lies between a file and the network: decode, orient, flatten to RGB, squash to a square. Squashing keeps the
whole photo in view, borders included, and the training photos of the shipped model were squashed as well. A
centre crop would lose what stands at the edge of a wide photo; converted models whose makers cropped get it.
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
from twobranch.embedding.preparation import SQUASHED, Framing

# Part of every feature cache's name: raise it when `load_photo` gives other pixels for the same file.
PREPROCESSING = 1

# 128 megapixels decode to 0.4 GB. A larger image is usually a panorama scan or a decompression bomb; users
# can allow it with `index --max-megapixels`.
MAX_PIXELS = 128_000_000
# EXIF orientation -> the operation that turns the photo upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LONGEST_REASON = 200  # characters of a decoder's error message
_LONGEST_CROP = 8  # times the shorter side

# Our own limit above is checked before decoding, and its message names the file. Pillow's limit would still
# apply when the user raises ours.
Image.MAX_IMAGE_PIXELS = None
# "Corrupt EXIF data" and similar: the photo is read anyway, and the user cannot act on the warning.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class View:
    """A part of a photo to encode.

    It covers ``share`` of each side and may be mirrored. ``left`` and ``top`` are its corner, in shares of
    the sides of the upright photo; None: it lies about the centre. ``framing`` makes a square of that part.
    """

    share: float = 1.0
    mirrored: bool = False
    left: float | None = None
    top: float | None = None
    framing: Framing = SQUASHED

    @property
    def box(self) -> Box:
        """The edges, in shares of the upright photo's sides."""
        middle = (1 - self.share) / 2
        left = middle if self.left is None else self.left
        top = middle if self.top is None else self.top
        return left, top, left + self.share, top + self.share


WHOLE = (View(),)
# For `tta`, chosen by rsum against time (benchmarks/tta.md). Vectors from other views must not be mixed
# with these: when you change the views, change the mark in `embedding.model_folder` as well.
TTA = (View(), View(share=0.85, mirrored=True))

# The windows of `index --regions`: quarters and centre, of half the side. Nine of that size find a little
# more for nearly twice the time (benchmarks/regions.md). The place of a window in this tuple is stored with
# its vectors: append others, and never change one.
REGIONS = tuple(
    View(0.5, left=left, top=top) for left, top in ((0, 0), (0.5, 0), (0.25, 0.25), (0, 0.5), (0.5, 0.5))
)


@dataclass(frozen=True)
class Photo:
    """A decoded photo: pixels for the image tower, facts for the catalogue."""

    pixels: NDArray[np.uint8]  # (S, S, 3) RGB; from `load_views` (V, S, S, 3)
    width: int  # of the upright photo, in pixels, before any scaling
    height: int
    exif: Image.Exif


def framed(views: Sequence[View], framing: Framing) -> tuple[View, ...]:
    """Return the views with another framing."""
    return tuple(replace(view, framing=framing) for view in views)


def load_photo(
    source: Path | str | bytes | Image.Image,
    size: int,
    *,
    name: Path | str = "",
    framing: Framing = SQUASHED,
) -> Photo:
    """Load a whole photo as a square of ``size`` pixels a side.

    ``source`` is a path, a file's bytes, or an open image. EXIF orientation is applied, the first frame of an
    animation is taken, and transparency is laid over white. ``name`` is the name in errors of a photo given
    as bytes. Raises ``ImageError`` with a short reason.
    """
    photo = load_views(source, size, framed(WHOLE, framing), name=name)
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
    """Load several views of a photo, decoded once.

    As ``load_photo``, but ``pixels`` is (V, size, size, 3). A photo of more than ``max_pixels`` is refused by
    its header. Raises ``GivenUp`` when ``patience`` is cancelled.
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
            # The JPEG decoder can skip most of its work by decoding at 1/2, 1/4 or 1/8 of the size. It never
            # goes below the size requested, so the later resize still has enough pixels, in the smallest
            # view too. Do this only to an image opened here: it stays small.
            image.draft("RGB", (_side(size, views),) * 2)
            return _prepare(image, size, views, opened.exif, opened.size, max_pixels)


def load_thumbnail(
    source: Path | bytes, side: int, *, name: Path | str = "", patience: Patience | None = None
) -> Image.Image:
    """Load a photo scaled to at most ``side`` pixels a side.

    It keeps its proportions and is upright and in sRGB. Otherwise it is prepared as in ``load_views``. Raises
    ``ImageError`` with a short reason, and ``GivenUp`` when ``patience`` is cancelled.
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
            # A new image: the original would still need its file, which is closed.
            small = _to_rgb(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
            return _upright(to_srgb(small, profile), orientation)


@contextmanager
def _image_errors(label: Path | str) -> Iterator[None]:
    """Turn any error in the block into an ``ImageError`` about ``label``."""
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
    # Decoders raise many types for damaged files, such as struct.error and zlib.error.
    except Exception as error:
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        said = "".join(c if c.isprintable() else " " for c in f"{kind}{error}"[:_LONGEST_REASON]).strip()
        reason = "truncated" if "truncated" in said.lower() else f"damaged ({said})"
        raise ImageError(label, reason) from None


def decoding_bytes(
    file: BinaryIO, name: Path | str, size: int, views: Sequence[View], max_pixels: int = MAX_PIXELS
) -> int:
    """Estimate the memory ``load_views`` needs to decode a photo.

    Returns an upper bound in bytes, without the file's own bytes. Only the header of the open ``file`` is
    read. Returns 0 for a file that will not be decoded: not a photo, or too large.
    """
    try:
        if Path(name).suffix.lower() in RAW_SUFFIXES:
            # The sensor values and the half-size picture. The file has about 1 byte a pixel.
            return 8 * file.seek(0, io.SEEK_END)
        with open_header(file, name) as image:
            return _decoded_bytes(image, _side(size, views), max_pixels)
    except Exception:  # reading the photo will report the error
        return 0


def thumbnail_bytes(data: bytes, side: int, name: Path) -> int:
    """Estimate the memory ``load_thumbnail`` needs for a photo's ``data``. As ``decoding_bytes``."""
    try:
        if name.suffix.lower() in RAW_SUFFIXES:
            return 8 * len(data)
        with open_photo(data, name).image as image:
            return _decoded_bytes(image, side, MAX_PIXELS)
    except Exception:  # as above
        return 0


def _decoded_bytes(image: Image.Image, side: int, max_pixels: int) -> int:
    """Estimate the memory needed to decode an image to ``side`` pixels.

    Only its header has been read; the decoded image is no smaller than ``side``.
    """
    full = image.width * image.height
    if full > max_pixels:
        return 0
    simple = image.mode in ("RGB", "L", "P", "CMYK", "1") and "transparency" not in image.info
    image.draft("RGB", (side, side))
    # A progressive JPEG is kept whole as coefficients, 2 bytes for each channel of each pixel.
    buffered = 6 * full if image.info.get("progressive") else 0
    # Pillow uses 4 bytes a pixel and makes a second image if the first is not RGB. Laying an image over white
    # takes four images; grey values of 16 or 32 bits take as much, in float32.
    return buffered + image.width * image.height * (8 if simple else 20)


def _side(size: int, views: Sequence[View]) -> int:
    """Return the least side to decode a photo at, in pixels.

    The smallest view has ``size`` pixels then, or a multiple of that (``Framing.detail``).
    """
    return math.ceil(size * max(view.framing.detail for view in views) / min(view.share for view in views))


def _prepare(
    image: Image.Image,
    size: int,
    views: Sequence[View],
    exif: Image.Exif,
    full_size: tuple[int, int],
    max_pixels: int,
) -> Photo:
    width, height = full_size
    for one in {full_size, image.size}:  # the preview in a raw file has another size
        _check_size(one, max_pixels)
    rgb = _to_rgb(image)
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    squares = [_square(rgb, size, view, orientation) for view in views]
    if orientation in range(5, 9):  # the four orientations that swap the sides
        width, height = height, width
    # For one view, `np.stack` would copy needlessly.
    pixels = squares[0][None] if len(squares) == 1 else np.stack(squares)
    return Photo(pixels, width, height, exif)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        reason = f"{width} x {height} is more than {max_pixels / 1e6:g} megapixels"
        raise LargeImageError("", reason, width * height)


def _square(rgb: Image.Image, size: int, view: View, orientation: int) -> NDArray[np.uint8]:
    """Return (size, size, 3) pixels of one view, turned upright."""
    width, height = rgb.size
    left, top, right, bottom = _as_stored(view.box, orientation)
    box = (left * width, top * height, min(right, 1) * width, min(bottom, 1) * height)
    if view.framing.fit == "crop":
        square = _cropped(rgb, size, box, view.framing, orientation)
    else:
        # Turning the small square is cheaper than turning the photo, and gives the same result.
        square = _upright(rgb.resize((size, size), _resampling(view.framing), box), orientation)
    return np.asarray(ImageOps.mirror(square) if view.mirrored else square)


def _resampling(framing: Framing) -> Image.Resampling:
    return Image.Resampling[framing.filter.upper()]


def _cropped(rgb: Image.Image, size: int, box: Box, framing: Framing, orientation: int) -> Image.Image:
    """Scale the part in ``box``, and cut out the middle square.

    Its shorter side gets ``size`` pixels. The longer side is rounded down, as torchvision's ``Resize`` does.
    """
    box = _shortened(box)
    width, height = box[2] - box[0], box[3] - box[1]
    shorter = min(width, height)
    scaled = (max(size, int(size * width / shorter)), max(size, int(size * height / shorter)))
    upright = _upright(rgb.resize(scaled, _resampling(framing), box), orientation)
    halves = ((upright.width - size) / 2, (upright.height - size) / 2)
    left, top = (round(half) if framing.margin == "round" else int(half) for half in halves)
    return upright.crop((left, top, left + size, top + size))


def _shortened(box: Box) -> Box:
    """Cut the ends off a very long box.

    The square would not show them, and scaled by its shorter side a strip of 1 x 100,000 pixels would fill
    the memory.
    """
    left, top, right, bottom = box
    most = _LONGEST_CROP * min(right - left, bottom - top)
    across, down = max(0.0, right - left - most) / 2, max(0.0, bottom - top - most) / 2
    return left + across, top + down, right - across, bottom - down


def _as_stored(box: Box, orientation: int) -> Box:
    """Return the box of an upright photo in the stored pixels.

    These are turned only later.
    """
    left, top, right, bottom = box
    if orientation in range(5, 9):  # the stored photo lies on its side
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 6, 7):
        top, bottom = 1 - bottom, 1 - top
    return left, top, right, bottom


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn the image as its EXIF orientation says. An unknown value turns nothing."""
    # Pillow's `exif_transpose` rewrites the EXIF, and fails if a value in it is invalid.
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert the image to RGB. 16-bit grey is scaled down, transparency is laid over white."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
        # The file does not state the value of white. It is 65535 in 16-bit images, 1 in float images, else
        # 255. Pillow's own conversion would clip at 255.
        largest = values.max(initial=0)
        scale = 255 / (65535 if largest > 255 else 255 if largest > 1 or image.mode != "F" else 1)
        return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # `convert` copies an RGB image
