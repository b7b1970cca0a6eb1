"""Names of albums and saved searches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from difflib import get_close_matches

from twobranch.common.errors import UserError
from twobranch.indexer.disk.names import folded

_LONGEST = 200  # characters
_MOST_LISTED = 5


class NameTakenError(UserError):
    """Raised for a name that another album or saved search has."""


class UnknownNameError(UserError):
    """Raised for a name that no album or saved search has."""


def checked_name(name: str, what: str) -> str:
    """Return a name without spaces around it.

    ``what`` says of what, such as "album". Raises ``UserError`` for a name that cannot be used.
    """
    whole = " ".join(name.split())
    if not whole:
        raise UserError(f"a name for the {what} is missing")
    if len(whole) > _LONGEST or not whole.isprintable():
        raise UserError(
            f"{whole[:40]!r}… cannot be the name of the {what}; use up to {_LONGEST} printable characters"
        )
    return whole


def check_free(connection: sqlite3.Connection, table: str, name: str, own: int | None = None) -> None:
    """Raise ``NameTakenError`` if another row of a table has the name.

    Case does not matter: nobody could tell "Rome" and "rome" apart when typing. ``own`` is the id of the row
    that may have it.
    """
    rows = connection.execute(f"SELECT id, name FROM {table}").fetchall()
    taken = next((other for id_, other in rows if id_ != own and folded(other) == folded(name)), None)
    if taken is not None:
        raise NameTakenError(f"there is {taken!r} already; choose another name")


def find_name(names: Sequence[tuple[int, str]], name: str) -> int | None:
    """Return the id of a name, or None. Case does not matter."""
    wanted = folded(" ".join(name.split()))
    return next((id_ for id_, other in names if folded(other) == wanted), None)


def id_of_name(names: Sequence[tuple[int, str]], name: str, what: str) -> int:
    """Return the id of a name.

    Raises ``UnknownNameError``, with names that are near.
    """
    found = find_name(names, name)
    if found is not None:
        return found
    wanted = folded(" ".join(name.split()))
    written = {folded(other): other for _, other in names}
    near = [written[key] for key in get_close_matches(wanted, written, n=3, cutoff=0.5)]
    near += [other for key, other in written.items() if wanted and wanted in key and other not in near]
    listed = near or list(written.values())
    more = ", …" if len(listed) > _MOST_LISTED else ""
    hint = f"; there is {', '.join(listed[:_MOST_LISTED])}{more}" if listed else "; there is none yet"
    raise UnknownNameError(f"there is no {what} {name!r}{hint}")
