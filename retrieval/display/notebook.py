"""Hits as a list that a notebook shows as pictures."""

from __future__ import annotations

from twobranch.retrieval.hits import Hit


class Hits(list[Hit]):
    """Hits, best first."""

    def _repr_html_(self) -> str:
        """The first photos in a row with their facts, for Jupyter."""
        from twobranch.retrieval.display.contact_sheet import notebook_row

        return notebook_row(self)
