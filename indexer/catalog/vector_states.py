"""States of the vectors: a token for each content, current and past.

Triggers give the vectors of one kind and model a new random token at every change, in the transaction of the
change, whichever program makes it. So a token names one content in every history of the catalogue: after a
restored backup, a new catalogue, or a power cut that undid commits, later tokens differ. A token that was
current at the end of a transaction is kept as a past one. An index file of a past state needs only the
changes since: ids are never used twice, and no vector is changed under its id.

Plain ``sqlite3``: searches read this too.
"""

from __future__ import annotations

import sqlite3

# An index file of an older state is rebuilt. So many states take 5 MB; one photo's vector takes 2 KB.
_KEPT = 100_000


def note_states(connection: sqlite3.Connection) -> None:
    """Keep the current states as past ones, in the open transaction.

    A model without a state gets one. A transaction that does not do this costs the next reader a new index
    file, and no more. Writes nothing where nothing has changed. Raises ``sqlite3.DatabaseError``.
    """
    for kind in ("images", "captions", "regions"):
        connection.execute(
            "INSERT INTO vector_states (kind, model_id, token) SELECT ?, id, randomblob(16) FROM models"
            " WHERE id NOT IN (SELECT model_id FROM vector_states WHERE kind = ?)",
            [kind, kind],
        )
    connection.execute(
        "INSERT INTO past_vector_states (kind, model_id, token)"
        " SELECT kind, model_id, token FROM vector_states"
        " WHERE token NOT IN (SELECT token FROM past_vector_states)"
    )
    connection.execute(
        "DELETE FROM past_vector_states WHERE id <= (SELECT MAX(id) FROM past_vector_states) - ?", [_KEPT]
    )


def current_state(connection: sqlite3.Connection, kind: str, model_id: int) -> bytes | None:
    """Return the current token of a kind and model, or None."""
    row = connection.execute(
        "SELECT token FROM vector_states WHERE kind = ? AND model_id = ?", [kind, model_id]
    ).fetchone()
    return None if row is None else bytes(row[0])


def was_state(connection: sqlite3.Connection, kind: str, model_id: int, token: bytes) -> bool:
    """Return True if the token is a current or past state.

    A past one belongs to the same kind and model.
    """
    for table in ("past_vector_states", "vector_states"):
        query = f"SELECT 1 FROM {table} WHERE token = ? AND kind = ? AND model_id = ?"
        if connection.execute(query, [token, kind, model_id]).fetchone() is not None:
            return True
    return False
