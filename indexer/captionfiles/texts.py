"""Comparison of caption texts."""

from __future__ import annotations

import unicodedata

_FULL_STOPS = ".。"


def text_key(text: str) -> str:
    """Return a key that is equal for two spellings of one caption.

    Unicode form (NFC), case, white space and full stops at the end make no difference. Everything else does:
    a question mark, quotes, or another word.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return words.rstrip(_FULL_STOPS + " ").casefold() or words
