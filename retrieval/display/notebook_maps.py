"""Heat maps over a photo as the output of a notebook's cell."""

from __future__ import annotations

from html import escape
from pathlib import Path

from twobranch.common.errors import ImageError
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.display.contact_sheet import embedded
from twobranch.retrieval.display.heat_map import over_photo
from twobranch.retrieval.display.tables import places_found
from twobranch.retrieval.where.locator import Located

_SIDE = 480  # pixels of the longer side; a notebook stores its output
_TEXT = "font:13px/1.4 system-ui,sans-serif;overflow-wrap:anywhere"


def notebook_maps(photo: Path | bytes, located: Located) -> str:
    """Return the photo with the map of each phrase as HTML.

    For a photo that cannot be read any more, return the reason.
    """
    try:
        data = photo if isinstance(photo, bytes) else read_file(photo)
        shown = load_thumbnail(data, _SIDE, name="" if isinstance(photo, bytes) else photo)
    except ImageError as error:
        return f"<p>{escape(error.reason)}</p>"
    figures = []
    for found in located.phrases:
        drawn = over_photo(shown, [found], located.width)
        figures.append(
            f'<figure style="margin:0;max-width:{max(drawn.width, 160)}px">'
            f"{embedded(drawn, found.phrase, style='max-width:100%;display:block')}"
            f'<figcaption style="{_TEXT}"><b><bdi>{escape(found.phrase)}</bdi></b>'
            f"<br>{escape(places_found(found))}</figcaption></figure>"
        )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div>'
