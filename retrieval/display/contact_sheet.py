"""Hits as an HTML page, or as a row in a notebook.

``search --html`` writes the page, which is one self-contained file. Its thumbnails are embedded as JPEG and
encoded from the pixels alone, so they carry no EXIF data such as a place or a name. Names and captions are
untrusted: all text is escaped, and the page's Content-Security-Policy allows no scripts and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from twobranch.common.atomic import replacing
from twobranch.common.errors import ImageError, UserError
from twobranch.common.progress import SILENT, Progress, showing
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.display.heat_map import with_places
from twobranch.retrieval.display.tables import hit_day, percent, places_found

if TYPE_CHECKING:
    from PIL import Image

    from twobranch.retrieval.hit_places import HitPlaces
    from twobranch.retrieval.hits import Hit

_SIDE = 480  # pixels of the longer side: sharp on screens with two pixels per point; about 30 kB
_NOTEBOOK_SIDE = 160
_NOTEBOOK_MOST = 24  # photos; a notebook stores its output
_QUALITY = 80

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --card: #f4f4f5; --box: #e7e7ea; --ink: #18181b;
  --soft: #5f5f68; --accent: #1d4ed8 }
@media (prefers-color-scheme: dark) { :root { --ground: #111113; --card: #1c1c1f; --box: #27272b;
  --ink: #f1f1f3; --soft: #a6a6b0; --accent: #8fb4ff } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1600px; padding: 24px 20px 40px; background: var(--ground);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif }
h1 { margin: 0; font-size: 24px; line-height: 1.25; overflow-wrap: anywhere }
header p { margin: 4px 0 20px; color: var(--soft) }
main { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)) }
figure { margin: 0; display: flex; flex-direction: column; overflow: hidden; border-radius: 10px;
  background: var(--card) }
figure > a, figure > span { display: flex; align-items: center; justify-content: center; aspect-ratio: 4 / 3;
  background: var(--box); color: var(--soft); text-align: center; overflow: hidden }
figure > a:focus-visible { outline: 3px solid var(--accent); outline-offset: -3px }
img { width: 100%; height: 100%; object-fit: contain }
a { color: inherit; text-decoration: none }
.places > input { position: absolute; opacity: 0 }
.places > a { position: relative }
.map { position: absolute; inset: 0 }
.places > input:not(:checked) ~ a > .map { display: none }
.found { display: flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; color: var(--soft) }
label { padding: 0 9px; border: 1px solid; border-radius: 99px; font-size: 13px; cursor: pointer }
.places > input:checked ~ figcaption label { background: var(--accent); color: var(--card) }
.places > input:focus-visible ~ figcaption label { outline: 3px solid var(--accent); outline-offset: 1px }
.none { padding: 16px; overflow-wrap: anywhere }
figcaption { padding: 10px 12px 12px }
figcaption p { margin: 0 }
.caption { margin-bottom: 4px; overflow-wrap: anywhere }
.facts { display: flex; flex-wrap: wrap; gap: 0 10px; color: var(--soft); font-variant-numeric: tabular-nums }
.facts b { color: var(--ink) }
.name { font-size: 13px; color: var(--soft); overflow-wrap: anywhere }
@media (max-width: 560px) { body { padding: 16px 12px 32px } main { gap: 10px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)) } h1 { font-size: 20px } }
"""
_POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def write_sheet(
    path: Path,
    title: str,
    hits: Sequence[Hit],
    progress: Progress = SILENT,
    places: Mapping[int, HitPlaces] | None = None,
) -> None:
    """Write the page with these hits to ``path``.

    ``places`` are those in the photos, by rank. Their heat maps can be switched off one by one.
    An existing file is replaced in one step, and stays as it is if writing fails. For a photo that cannot be
    read, the page shows the reason in place of the picture. One photo is in memory at a time. Raises
    ``UserError`` when the file cannot be written.
    """
    target = path.resolve()  # for a link, its target is replaced
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"{path}: is a folder or a device; name a file, as in: --html hits.html")
        with replacing(target) as partial, partial.open("wb") as file:
            print_sheet(file, title, hits, progress, places)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def print_sheet(
    file: BinaryIO,
    title: str,
    hits: Sequence[Hit],
    progress: Progress = SILENT,
    places: Mapping[int, HitPlaces] | None = None,
) -> None:
    """Write the page with these hits to an open file, as ``write_sheet``. Raises ``OSError``."""
    for part in _page(title, hits, progress, places or {}):
        # Names that are not valid UTF-8 are shown with replacements. Their links stay exact: quoted bytes.
        file.write(part.encode("utf-8", "replace"))


def notebook_row(hits: Sequence[Hit]) -> str:
    """Return the first hits as an HTML row of small pictures.

    It is the output of a notebook's cell.
    """
    text = "font:12px/1.4 system-ui,sans-serif;overflow-wrap:anywhere"
    size = f"width:{_NOTEBOOK_SIDE}px;height:{_NOTEBOOK_SIDE}px"
    figures = [
        f'<figure style="margin:0;width:{_NOTEBOOK_SIDE}px" title="{_attribute(hit.path)}">'
        f"{_picture(hit, _NOTEBOOK_SIDE, f'{size};object-fit:contain;display:block;background:#8882;{text}')}"
        f'<figcaption style="{text}"><b>{hit.rank}</b> {" · ".join(_facts(hit).values())}'
        f"<br>{_text(hit)}</figcaption></figure>"
        for hit in hits[:_NOTEBOOK_MOST]
    ]
    rest = len(hits) - len(figures)
    more = f"<p>and {rest:,} more</p>" if rest > 0 else "" if hits else "<p>no hits</p>"
    row = f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div>{more}'
    return row.encode("utf-8", "replace").decode()  # as in a page: names that are not valid UTF-8


def _page(
    title: str, hits: Sequence[Hit], progress: Progress, places: Mapping[int, HitPlaces]
) -> Iterator[str]:
    count = f"{len(hits):,} {'hit' if len(hits) == 1 else 'hits'}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1 dir="auto">{escape(title)}</h1><p>{count}</p></header>\n<main>\n'
    )
    with showing(progress, "thumbnails", len(hits)):
        for hit in hits:
            yield _card(hit, places.get(hit.rank))
            progress.advance()
    yield "</main>\n</body>\n</html>\n"


def _card(hit: Hit, places: HitPlaces | None) -> str:
    picture = _picture(hit, _SIDE, places=places)
    if hit.path is not None:
        picture = f'<a href="{_attribute(hit.path.as_uri())}" title="{_attribute(hit.path)}">{picture}</a>'
    facts = "".join(f'<span title="{name}">{fact}</span>' for name, fact in _facts(hit).items())
    return (
        f"{_figure(hit, places)}{picture}<figcaption>"
        + (f'<p class="caption" dir="auto">{escape(hit.caption)}</p>' if hit.caption is not None else "")
        + f'<p class="facts"><b>{hit.rank}</b>{facts}</p>'
        + _found(hit, places)
        + (f'<p class="name"><bdi>{escape(hit.path.name)}</bdi></p>' if hit.path is not None else "")
        + "</figcaption></figure>\n"
    )


def _figure(hit: Hit, places: HitPlaces | None) -> str:
    """Return the start of a card, with the heat map's switch.

    The label of the switch is in the caption: styles can follow a switch only to what comes after it.
    """
    if places is None or places.drawn is None:
        return "<figure>"
    return f'<figure class="places"><input type="checkbox" id="map-{hit.rank}" checked>'


def _found(hit: Hit, places: HitPlaces | None) -> str:
    """Return the label of the switch and what was found."""
    if places is None or places.located is None:
        return ""
    phrases = places.located.phrases
    texts = [
        places_found(one) if len(phrases) == 1 else f"{one.phrase}: {places_found(one)}" for one in phrases
    ]
    found = "".join(f"<span><bdi>{escape(text)}</bdi></span>" for text in texts)
    label = "" if places.drawn is None else f'<label for="map-{hit.rank}">heat map</label>'
    return f'<p class="found">{label}{found}</p>'


def _picture(hit: Hit, side: int, style: str = "", places: HitPlaces | None = None) -> str:
    """Return the thumbnail as an ``<img>`` with embedded data.

    Its heat map is another one, over it. For a photo that cannot be read, return the reason.
    """
    try:
        if hit.path is None:
            raise ImageError("", "the photo is not in the library")
        # A file that has replaced the photo is not shown: pages are shared with others.
        image = load_thumbnail(read_file(hit.path, hit.content), side, name=hit.path)
    except ImageError as error:
        return f'<span class="none"{_styled(style)}>{escape(error.reason)}</span>'
    picture = embedded(image, hit.caption or hit.path.name, style=style)
    if places is None or places.drawn is None:
        return picture
    return picture + embedded(with_places(image, places), f"heat map of {hit.path.name}", classes="map")


def embedded(image: Image.Image, text: str, *, style: str = "", classes: str = "") -> str:
    """Return the image as an ``<img>`` with embedded data. ``text`` stands in for it."""
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=_QUALITY, optimize=True)
    data = base64.b64encode(jpeg.getvalue()).decode()
    classed = f' class="{classes}"' if classes else ""
    return (
        f'<img src="data:image/jpeg;base64,{data}" width="{image.width}" height="{image.height}" '
        f'alt="{_attribute(text)}"{classed}{_styled(style)}>'
    )


def _styled(style: str) -> str:
    return f' style="{style}"' if style else ""


def _facts(hit: Hit) -> dict[str, str]:
    """Return the known ones of score, confidence and day, escaped."""
    facts = {
        "score": "" if hit.score is None else f"{hit.score:.3f}",
        "confidence": escape(percent(hit.confidence)),
        "date": hit_day(hit),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _text(hit: Hit) -> str:
    name = "" if hit.path is None else hit.path.name
    return "<br>".join(f"<bdi>{escape(text)}</bdi>" for text in (hit.caption, name) if text)


def _attribute(value: object) -> str:
    """Escape a value for an attribute in double quotes.

    None gives an empty string.
    """
    return "" if value is None else escape(str(value), quote=True)
