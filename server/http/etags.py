"""ETags of answers that browsers keep and ask for again."""

from __future__ import annotations


def matches(etag: str, if_none_match: str | None) -> bool:
    """Return True if the browser's cached copy is current.

    By weak comparison, as RFC 9110 asks of If-None-Match: compression makes a tag weak.
    """
    if if_none_match is None:
        return False
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or known == ["*"]
