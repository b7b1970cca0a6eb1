"""A list of hits that notebooks show as pictures."""

from __future__ import annotations

from twobranch.retrieval.hits import Hit


class Hits(list[Hit]):
    """Hits, best first."""

    def _repr_html_(self) -> str:
        """Return the first photos with their facts as HTML, for Jupyter."""
        from twobranch.retrieval.display.contact_sheet import notebook_row

        return notebook_row(self)
