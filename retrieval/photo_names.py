"""Photos of the library by file name, as a query names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters, literal
from twobranch.indexer.catalog.reader import CatalogReader, LibraryModel
from twobranch.indexer.disk.names import folded
from twobranch.retrieval.terms import Item, PhotoTerm

_MOST_LISTED = 3  # paths in one line
_SHORTEST_STEM = 3  # characters; "1.jpg" would suggest half of the library


class NamedPhotos:
    """The photos of a library by file name.

    Only those with a vector of one model.
    """

    def __init__(self, catalog: CatalogReader, model: LibraryModel) -> None:
        self._catalog = catalog
        self._model = model

    def term(self, name: str) -> PhotoTerm:
        """Return the photo with this file name, as a term.

        Folders may precede the name. Case does not matter, but a name in the same case comes first; of
        several the first by path is taken. Raises ``UserError`` if there is none, with photos whose names
        contain it.
        """
        wanted = Path(name).as_posix()
        parts = wanted.count("/") + 1
        own = folded(Path(wanted).name)
        found = self._matching(literal(wanted))
        photos = {id_: path for id_, path in found.items() if folded(path.name) == own}
        if not photos:
            raise UserError(f"{name}: no such photo, here or in the library{self._suggestion(name)}")
        ids = sorted(photos, key=lambda id_: ("/".join(photos[id_].parts[-parts:]) != wanted, photos[id_]))
        first, *others = ids
        return PhotoTerm(
            photos[first], item=Item("images", first), namesakes=tuple(photos[id_] for id_ in others)
        )

    def _matching(self, pattern: str) -> dict[int, Path]:
        """Return vector id -> path of the photos that match.

        Their own name matches the pattern, or that of a folder that they are in.
        """
        ids = self._catalog.matching("images", self._model.id, Filters(paths=(pattern,))).tolist()
        rows = self._catalog.found("images", ids)
        return {id_: found.path for id_, found in rows.items() if found.path is not None}

    def _suggestion(self, name: str) -> str:
        stem = Path(name).stem
        if len(stem) < _SHORTEST_STEM:
            return ""
        found = self._matching(f"*{literal(stem)}*").values()
        names = [path for path in found if folded(stem) in folded(path.name)]
        return f", which has {listed(sorted(names))}" if names else ""


def listed(paths: Sequence[Path]) -> str:
    """Return paths as one text.

    Of many, the first ones and the number of the others.
    """
    rest = len(paths) - _MOST_LISTED
    more = f" and {rest:,} more" if rest > 0 else ""
    return ", ".join(str(path) for path in paths[:_MOST_LISTED]) + more
