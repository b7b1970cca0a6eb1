"""Cursors: where the next page begins, as opaque text.

A cursor belongs to one list, such as the photos of a filter in one order. For another list it is refused, as
its place means nothing there. It is not a secret: it says nothing that the pages before it did not.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

from twobranch.server.errors import Refused

MOST_CHARACTERS = 10_000  # of a page of 1,000 hits that are all equally good; most have 80
_DIGEST = 8  # characters


def write_cursor(list_name: str, place: list[Any]) -> str:
    """Return the cursor of a place in a list. The place is JSON data."""
    text = json.dumps([_digest(list_name), *place], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str) -> list[Any]:
    """Return the place of a cursor of this list. Raises ``Refused``."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        digest, *place = json.loads(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, TypeError, RecursionError):
        raise wrong_cursor() from None
    if digest != _digest(list_name):
        raise wrong_cursor()
    return place


def wrong_cursor() -> Refused:
    """Return the 400 error for a cursor that cannot be used."""
    return Refused(400, "this cursor is damaged or of another list; begin again without `cursor`")


def _digest(list_name: str) -> str:
    return sha256(list_name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
