"""The answer to a query: a list that a notebook shows as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.engine import Hit


class Hits(list["Hit"]):
    """Hits, best first."""

    def _repr_html_(self) -> str:
        """What Jupyter shows: the first photos in a row, with their facts."""
        from retrieval.contactsheet import notebook_row

        return notebook_row(self)
