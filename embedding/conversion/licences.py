"""Licences of models, as their makers state them."""

from __future__ import annotations

import re
from pathlib import Path

# How Hugging Face calls licences that allow research or private use alone, or that say nothing.
_RESTRICTED = ("apple-amlr", "apple-ascl", "cc-by-nc", "other", "research")
_CARD = "README.md"
_LINE = re.compile(r"^license(_name)?:\s*['\"]?([\w.+-]{1,60})", re.MULTILINE)


def stated_licence(folder: Path) -> str | None:
    """Return the licence that a folder's model card states, or None.

    The head of a ``README.md`` from Hugging Face is YAML between two lines of ``---``. ``license_name`` is
    the name of a licence that ``license`` calls "other".
    """
    try:
        card = (folder / _CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    if not card.startswith("---"):
        return None
    head = card.removeprefix("---").partition("\n---")[0]
    found = {bool(match[1]): match[2] for match in _LINE.finditer(head)}
    return found.get(True) or found.get(False)


def is_restricted(licence: str | None) -> bool:
    """Return True for a licence that may forbid some uses.

    Only its name is looked at; an unknown licence may.
    """
    return licence is None or licence.startswith(_RESTRICTED)
