"""Keywords, title and description of a photo.

They are what people and programs wrote into its EXIF, IPTC and XMP.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from itertools import islice

from PIL import ExifTags, Image, IptcImagePlugin

_MOST_CHARACTERS = 2000  # of all the words of one photo
_MOST_XMP = 1 << 18  # bytes of a packet that are read; keywords take a few hundred
_XP_TAGS = (ExifTags.Base.XPTitle, ExifTags.Base.XPKeywords, ExifTags.Base.XPComment, ExifTags.Base.XPSubject)
_IPTC_TAGS = ((2, 5), (2, 25), (2, 105), (2, 120))  # title, keywords, headline, caption
# "OLYMPUS DIGITAL CAMERA", "SONY DSC": placeholders that cameras write instead of a description.
_BOILERPLATE = re.compile(r"[A-Z ]*(DIGITAL CAMERA|DSC)")
_CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16"}  # the first 8 bytes of a UserComment
_XMP_FIELDS = ("dc:title", "dc:subject", "dc:description")
_MOST_TEXTS = 1000  # of one kind; _MOST_CHARACTERS is usually reached long before


def read_keywords(data: bytes, exif: Image.Exif) -> str | None:
    """Return a photo's keywords, titles and descriptions, a line each.

    ``data`` are the file's bytes. Returns None if there are none. Never raises: damaged parts are left out
    one by one.
    """
    lines: dict[str, str] = {}  # by lower case: programs write the same words in all three formats
    for read in (_exif_texts, _iptc_texts, _xmp_texts):
        try:
            for text in islice(read(data, exif), _MOST_TEXTS):
                text = text[:_MOST_CHARACTERS]
                line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
                if line and not _BOILERPLATE.fullmatch(line):
                    lines.setdefault(line.lower(), line)
        # The file decides the type of every value, and Pillow raises many types of errors for damaged ones.
        except Exception:
            continue
    return "\n".join(lines.values())[:_MOST_CHARACTERS] or None


def _exif_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    yield _decoded(exif.get(ExifTags.Base.ImageDescription))
    for tag in _XP_TAGS:
        value = exif.get(tag)
        if isinstance(value, (bytes, tuple)):  # `bytes(number)` would allocate that many bytes
            yield bytes(value[: 2 * _MOST_CHARACTERS]).decode("utf-16-le", "ignore").partition("\0")[0]
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    comment = comment[: 2 * _MOST_CHARACTERS]
    if isinstance(comment, str):
        yield comment
    elif comment[:8] in _CHARSETS:  # with another charset it is mostly a program's own data
        yield _user_comment(comment[8:], _CHARSETS[comment[:8]])


def _user_comment(value: bytes, charset: str) -> str:
    """Decode an EXIF user comment.

    Programs do not always use the file's byte order. For UTF-16 without a byte order mark, the order that
    gives more Latin letters is used.
    """
    if charset == "utf-16" and value[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        charset = "utf-16-be" if value[::2].count(0) > value[1::2].count(0) else "utf-16-le"
    return value.decode(charset, "ignore").partition("\0")[0]


def _iptc_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    # The file formats from which Pillow reads IPTC.
    with Image.open(io.BytesIO(data), formats=("JPEG", "TIFF")) as image:
        info = IptcImagePlugin.getiptcinfo(image) or {}
    for tag in _IPTC_TAGS:
        values = info.get(tag, [])
        for value in values if isinstance(values, list) else [values]:
            yield _decoded(value)


def _xmp_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    """Yield the texts of an XMP packet found in the file's bytes.

    Searching the bytes is how the XMP specification means packets to be found in any kind of file. The packet
    is read by pattern, so that no XML entity is ever resolved.
    """
    start = data.find(b"<x:xmpmeta")
    end = data.find(b"</x:xmpmeta", start, start + _MOST_XMP) if start >= 0 else -1
    if end < 0:
        return
    # Tag by tag: a pattern for a whole field would search for its end again from each of many starts.
    field = item = None  # the field we are in, and the text after <rdf:li>
    items: list[str] = []
    for part in data[start:end].decode("utf-8", "replace").split("<")[1:]:
        tag, _, text = part.partition(">")
        name = next(iter(tag.split(None, 1)), "")
        if field is None:
            if name in _XMP_FIELDS:
                field, item, items = name, None, []
        elif name == f"/{field}":
            yield from items
            field = None
        elif name == "rdf:li":
            item = text
        else:
            if name == "/rdf:li" and item is not None:
                items.append(html.unescape(item))
            item = None


def _decoded(value: object) -> str:
    """Decode a tag's text as UTF-8 or else Latin-1. It should be ASCII or UTF-8, but is often Latin-1."""
    if isinstance(value, (bytes, str)):
        value = value[: 4 * _MOST_CHARACTERS]  # of UTF-8
    if not isinstance(value, bytes):
        # Pillow reads the text of EXIF as Latin-1.
        text = str(value or "")
        try:
            return text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
