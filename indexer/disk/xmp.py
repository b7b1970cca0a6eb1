"""XMP sidecars: ratings, favourites and albums in a file beside a photo.

The rating is ``xmp:Rating``, which darktable, digiKam and Lightroom read and write. There is no common name
for favourites and albums; they have a namespace of our own. A sidecar that exists keeps all else that it has.
Source: XMP Specification, part 1 (ISO 16684-1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.dom import Node, minidom
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from twobranch.common.errors import ImageError, UserError
from twobranch.indexer.disk.open import open_file

_MOST_BYTES = 16 << 20  # of a sidecar; darktable keeps the history of all edits in it
_MOST_DEPTH = 100  # of elements in one another; those of XMP are about ten
# Elements, attributes and the like; each takes up to a kilobyte. The brush strokes of a raw converter are
# some ten thousand, and 16 MB of the smallest elements would be four million.
_MOST_PARTS = 200_000
SUFFIX = ".xmp"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_OWN = "https://twobranch.invalid/xmp/1.0/"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_PREFIXES = {_RDF: "rdf", _XMP: "xmp", _OWN: "twobranch"}
_EMPTY = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{_RDF}">\n'
    '  <rdf:Description rdf:about=""/>\n'
    " </rdf:RDF>\n"
    "</x:xmpmeta>"
)


class SidecarError(UserError):
    """Raised for a sidecar that cannot be read or written. The text is a short reason."""


@dataclass(frozen=True)
class SidecarMarks:
    """The marks in a sidecar. None, or no album, where it says nothing."""

    rating: int | None = None  # 1 to 5
    favourite: bool | None = None
    albums: tuple[str, ...] = ()


class Sidecars:
    """The sidecars in a folder, listed once. Raises ``OSError``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, list[str]] = {}  # suffixes by the rest of the name
        for path in folder.iterdir():
            self._names.setdefault(path.stem, []).append(path.suffix)

    def of(self, photo: str) -> Path | None:
        """Return the sidecar of a photo, by its file name, or None.

        ``a.jpg.xmp`` is how darktable and digiKam name it, ``a.xmp`` how Lightroom does. The latter counts
        only if no other file has that name with another suffix: it may belong to ``a.cr2``.
        """
        for suffix in self._names.get(photo, ()):
            if suffix.lower() == SUFFIX:
                return self._folder / f"{photo}{suffix}"
        name = Path(photo)
        beside = [suffix for suffix in self._names.get(name.stem, ()) if suffix != name.suffix]
        if len(beside) == 1 and beside[0].lower() == SUFFIX:
            return self._folder / f"{name.stem}{beside[0]}"
        return None


def read_sidecar(path: Path) -> bytes:
    """Return the content of a sidecar. Raises ``SidecarError``, and ``OSError``."""
    try:
        with open_file(path) as file:
            data = file.read(_MOST_BYTES + 1)
    except ImageError:
        raise SidecarError("is not a regular file") from None
    if len(data) > _MOST_BYTES:
        raise SidecarError(f"larger than {_MOST_BYTES >> 20} MB")
    return data


def marks_in(data: bytes) -> SidecarMarks:
    """Return the marks in a sidecar. Raises ``SidecarError`` for one that is no XMP."""
    document = _parsed(data)
    try:
        rating = _rating(_value(document, _XMP, "Rating"))
        favourite = _value(document, _OWN, "Favourite")
        albums = [
            " ".join(_text(item).split())
            for element in _elements(document, _OWN, "Albums")
            for item in element.getElementsByTagNameNS(_RDF, "li")
        ]
        return SidecarMarks(
            rating, None if favourite is None else favourite.lower() == "true", tuple(filter(None, albums))
        )
    finally:
        document.unlink()


def with_marks(data: bytes | None, marks: SidecarMarks) -> bytes:
    """Return the content of a sidecar with these marks.

    ``data`` is what it has now. A rating of None leaves that of another program. Raises ``SidecarError`` for
    ``data`` that is no XMP.
    """
    document = _parsed(_EMPTY.encode() if data is None else data)
    try:
        if marks.rating is not None:
            _set_value(document, _XMP, "Rating", str(marks.rating))
        if marks.favourite is not None and (marks.favourite or _value(document, _OWN, "Favourite")):
            _set_value(document, _OWN, "Favourite", str(marks.favourite))
        _set_albums(document, marks.albums)
        return "".join(_markup(document)).encode()
    finally:
        document.unlink()


# --- the document -----------------------------------------------------------------------------------


def _parsed(data: bytes) -> minidom.Document:
    """Parse a sidecar. Raises ``SidecarError``.

    XMP has no document type. Refusing one keeps out entities, which can make a small file fill the memory.
    """
    depth = n_parts = 0

    def refuse(*_: object) -> None:
        raise SidecarError("has a document type, which XMP does not have")

    def count(more: int = 1) -> None:
        nonlocal n_parts
        n_parts += more
        if n_parts > _MOST_PARTS:
            raise SidecarError(f"has more than {_MOST_PARTS:,} elements and attributes")

    def enter(_: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        count(1 + len(attributes))
        depth += 1
        if depth > _MOST_DEPTH:
            raise SidecarError("is nested too deeply")

    def leave(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = enter, leave
    parser.CommentHandler = lambda _: count()
    parser.ProcessingInstructionHandler = lambda *_: count()
    parser.StartCdataSectionHandler = count
    try:
        parser.Parse(data, True)
        document = minidom.parseString(data)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two for encodings
        raise SidecarError(f"is not XML ({error})") from None
    if not document.getElementsByTagNameNS(_RDF, "RDF"):
        document.unlink()
        raise SidecarError("is not XMP")
    return document


def _descriptions(document: minidom.Document) -> list[minidom.Element]:
    """Return the elements that have the properties of the photo. A missing one is added."""
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    found = [
        child
        for child in rdf.childNodes
        if child.nodeType == Node.ELEMENT_NODE
        and (child.namespaceURI, child.localName) == (_RDF, "Description")
    ]
    if not found:
        found = [document.createElementNS(_RDF, f"{_prefix(rdf, _RDF)}:Description")]
        found[0].setAttributeNS(_RDF, f"{_prefix(rdf, _RDF)}:about", "")
        rdf.appendChild(found[0])
    return found


def _elements(document: minidom.Document, namespace: str, name: str) -> list[minidom.Element]:
    """Return the elements of a property."""
    return [
        child
        for description in _descriptions(document)
        for child in description.childNodes
        if child.nodeType == Node.ELEMENT_NODE and (child.namespaceURI, child.localName) == (namespace, name)
    ]


def _value(document: minidom.Document, namespace: str, name: str) -> str | None:
    """Return the text of a property, an attribute or an element."""
    for description in _descriptions(document):
        if description.hasAttributeNS(namespace, name):
            return str(description.getAttributeNS(namespace, name)).strip()
    for element in _elements(document, namespace, name):
        return _text(element).strip()
    return None


def _set_value(document: minidom.Document, namespace: str, name: str, value: str) -> None:
    """Set the text of a property, or add it as an attribute."""
    descriptions = _descriptions(document)
    having = [one for one in descriptions if one.hasAttributeNS(namespace, name)]
    elements = _elements(document, namespace, name)
    for description in having:
        attribute = description.getAttributeNodeNS(namespace, name)
        assert attribute is not None
        attribute.value = value
    for element in elements:
        _clear(element)
        element.appendChild(document.createTextNode(value))
    if not having and not elements:
        first = descriptions[0]
        first.setAttributeNS(namespace, f"{_prefix(first, namespace)}:{name}", value)


def _set_albums(document: minidom.Document, albums: Sequence[str]) -> None:
    """Set the list of albums; of none, nothing is left."""
    for element in _elements(document, _OWN, "Albums"):
        for description in _descriptions(document):
            if element in description.childNodes:
                description.removeChild(element)
    if not albums:
        return
    description = _descriptions(document)[0]
    own, rdf = _prefix(description, _OWN), _prefix(description, _RDF)
    bag = document.createElementNS(_RDF, f"{rdf}:Bag")
    for album in albums:
        item = document.createElementNS(_RDF, f"{rdf}:li")
        item.appendChild(document.createTextNode(album))
        bag.appendChild(item)
    element = document.createElementNS(_OWN, f"{own}:Albums")
    element.appendChild(bag)
    description.appendChild(element)


def _prefix(element: minidom.Element, namespace: str) -> str:
    """Return a prefix of a namespace at an element. It is declared there if there is none."""
    bound = dict(_bound(element))
    known = next((prefix for prefix, uri in bound.items() if uri == namespace), None)
    if known is not None:
        return known
    prefix = _PREFIXES[namespace]
    while prefix in bound:
        prefix += "0"
    element.setAttributeNS(_XMLNS, f"xmlns:{prefix}", namespace)
    return prefix


def _bound(element: minidom.Element) -> Iterator[tuple[str, str]]:
    """Yield the prefixes in force at an element, the outermost first."""
    above = element.parentNode
    if above is not None and above.nodeType == Node.ELEMENT_NODE:
        yield from _bound(above)
    for name, value in element.attributes.items():
        if name.startswith("xmlns:"):
            yield name.removeprefix("xmlns:"), value


def _text(element: minidom.Element) -> str:
    return "".join(child.data for child in element.childNodes if child.nodeType == Node.TEXT_NODE)


def _clear(element: minidom.Element) -> None:
    while element.firstChild is not None:
        element.removeChild(element.firstChild)


def _markup(node: minidom.Node) -> Iterator[str]:
    """Yield a node as text. ``toxml`` of old Pythons loses line breaks in attributes."""
    if isinstance(node, minidom.Document):
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        for part in node.childNodes:
            yield from _markup(part)
            yield "\n"
    elif isinstance(node, minidom.Element):
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in node.attributes.items())
        yield f"<{node.tagName}{attributes}" + (">" if node.childNodes else "/>")
        for child in node.childNodes:
            yield from _markup(child)
        if node.childNodes:
            yield f"</{node.tagName}>"
    elif isinstance(node, minidom.CDATASection):
        yield f"<![CDATA[{node.data}]]>"
    elif isinstance(node, minidom.Text):
        yield escape(node.data, {"\r": "&#13;"})
    elif isinstance(node, minidom.Comment):
        yield f"<!--{node.data}-->"
    elif isinstance(node, minidom.ProcessingInstruction):
        yield f"<?{node.target} {node.data}?>"


def _rating(text: str | None) -> int | None:
    """Return a rating from 1 to 5.

    0 is what programs write for unrated photos, and -1 for rejected ones.
    """
    try:
        stars = round(float(text or ""))
    except (ValueError, OverflowError):
        return None
    return stars if 1 <= stars <= 5 else None
