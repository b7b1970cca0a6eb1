"""The page that a login leads to: ``login?next=…``.

``next`` is the name of one of our pages and a query, such as ``model.html?split=dev`` or ``?q=dog``. It has
neither a host nor a folder, so no link to the login leads to another site, and it also works behind a proxy
that adds a path prefix.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote

_OURS = re.compile(r"([a-z0-9-]+\.html)?(\?[!-~]*)?")
_MOST = 8000  # characters; it is escaped twice on its way, and an URL may have 32,768


def is_ours(next_page: str) -> bool:
    """Return True for an address of our own."""
    return len(next_page) <= _MOST and _OURS.fullmatch(next_page) is not None


def address_of(next_page: str) -> str:
    """Return the address to go to after the login.

    That of the search page for anything that is not ours.
    """
    return f"./{next_page}" if is_ours(next_page) else "./"


def login_address(path: str, query: str) -> str:
    """Return the address of the login that leads back to this page.

    A query with a token in it is dropped: it would lie in histories.
    """
    next_page = path.removeprefix("/") + (f"?{query}" if query else "")
    if not next_page or not is_ours(next_page) or "token" in parse_qs(query):
        return "login"
    return f"login?next={quote(next_page, safe='')}"
