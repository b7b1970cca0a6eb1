"""The words that people and programs wrote into a photo: its keywords, title and description, from EXIF, IPTC
and XMP."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from itertools import islice

from PIL import ExifTags, Image, IptcImagePlugin

_MOST_CHARACTERS = 2000  # of all the words of one photo
_MOST_XMP = 1 << 18  # bytes of a packet that are looked at; keywords take some hundred
_XP_TAGS = (ExifTags.Base.XPTitle, ExifTags.Base.XPKeywords, ExifTags.Base.XPComment, ExifTags.Base.XPSubject)
_IPTC_TAGS = ((2, 5), (2, 25), (2, 105), (2, 120))  # title, keywords, headline, caption
# "OLYMPUS DIGITAL CAMERA", "SONY DSC": what cameras write for lack of a description.
_BOILERPLATE = re.compile(r"[A-Z ]*(DIGITAL CAMERA|DSC)")
_CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16"}  # the first 8 bytes of a UserComment
_XMP_FIELDS = ("dc:title", "dc:subject", "dc:description")
_MOST_TEXTS = 1000  # of one kind; the words of a photo are cut long before


def read_keywords(data: bytes, exif: Image.Exif) -> str | None:
    """The keywords, titles and descriptions in a photo file's bytes, a line each; None where it has none.

    Never raises: what is damaged is left out on its own.
    """
    lines: dict[str, str] = {}  # by how they compare: programs write the same words in all three ways
    for read in (_exif_texts, _iptc_texts, _xmp_texts):
        try:
            for text in islice(read(data, exif), _MOST_TEXTS):
                text = text[:_MOST_CHARACTERS]
                line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
                if line and not _BOILERPLATE.fullmatch(line):
                    lines.setdefault(line.lower(), line)
        # The file decides the type of every value, and Pillow raises what it likes on damaged ones.
        except Exception:
            continue
    return "\n".join(lines.values())[:_MOST_CHARACTERS] or None


def _exif_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    yield _decoded(exif.get(ExifTags.Base.ImageDescription))
    for tag in _XP_TAGS:
        value = exif.get(tag)
        if isinstance(value, (bytes, tuple)):  # `bytes` of a number would be that many bytes of memory
            yield bytes(value[: 2 * _MOST_CHARACTERS]).decode("utf-16-le", "ignore").partition("\0")[0]
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    comment = comment[: 2 * _MOST_CHARACTERS]
    if isinstance(comment, str):
        yield comment
    elif comment[:8] in _CHARSETS:  # of others it is mostly a program's own data
        yield _user_comment(comment[8:], _CHARSETS[comment[:8]])


def _user_comment(value: bytes, charset: str) -> str:
    """Of UTF-16 without a mark, the byte order is the one that makes more Latin letters: programs do not
    always keep to that of the file."""
    if charset == "utf-16" and value[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        charset = "utf-16-be" if value[::2].count(0) > value[1::2].count(0) else "utf-16-le"
    return value.decode(charset, "ignore").partition("\0")[0]


def _iptc_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    # The kinds of file that Pillow knows IPTC in.
    with Image.open(io.BytesIO(data), formats=("JPEG", "TIFF")) as image:
        info = IptcImagePlugin.getiptcinfo(image) or {}
    for tag in _IPTC_TAGS:
        values = info.get(tag, [])
        for value in values if isinstance(values, list) else [values]:
            yield _decoded(value)


def _xmp_texts(data: bytes, exif: Image.Exif) -> Iterator[str]:
    """By searching the bytes, as the XMP specification means packets to be found in any kind of file; and by
    pattern, so that no entity of the file is ever resolved."""
    start = data.find(b"<x:xmpmeta")
    end = data.find(b"</x:xmpmeta", start, start + _MOST_XMP) if start >= 0 else -1
    if end < 0:
        return
    # Tag by tag: a pattern for a whole field would look for its end anew from each of many beginnings.
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
    """Text of a tag that should be ASCII or UTF-8, and is often Latin-1."""
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
