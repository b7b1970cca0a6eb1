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
    """Looks up photos that have a vector of one model, by file name."""

    def __init__(self, catalog: CatalogReader, model: LibraryModel) -> None:
        self._catalog = catalog
        self._model = model

    def term(self, name: str) -> PhotoTerm:
        """Return the photo with this file name, which folders may precede.

        Case does not matter, but a name in the same case comes first; of several the first by path is taken.
        Raises ``UserError`` if there is none, naming photos whose names contain this one.
        """
        wanted = Path(name).as_posix()
        parts = wanted.count("/") + 1
        photos = self._matching(literal(wanted), name)
        if not photos:
            raise UserError(f"{name}: no such photo, here or in the library{self._suggestion(name)}")
        ids = sorted(photos, key=lambda id_: ("/".join(photos[id_].parts[-parts:]) != wanted, photos[id_]))
        first, *others = ids
        return PhotoTerm(
            photos[first], item=Item("images", first), namesakes=tuple(photos[id_] for id_ in others)
        )

    def _matching(self, pattern: str, name: str) -> dict[int, Path]:
        """Return vector id -> path of photos whose path ends with a pattern and whose name contains one."""
        ids = self._catalog.matching("images", self._model.id, Filters(paths=(pattern,))).tolist()
        contained = folded(Path(name).stem)
        return {
            id_: found.path
            for id_, found in self._catalog.found("images", ids).items()
            if found.path is not None and contained in folded(found.path.name)  # a folder may match, too
        }

    def _suggestion(self, name: str) -> str:
        stem = Path(name).stem
        if len(stem) < _SHORTEST_STEM:
            return ""
        photos = self._matching(f"*{literal(stem)}*", name)
        return f", which has {listed(sorted(photos.values()))}" if photos else ""


def listed(paths: Sequence[Path]) -> str:
    """Return a list of paths for one line; of many, the first and a number."""
    rest = len(paths) - _MOST_LISTED
    more = f" and {rest:,} more" if rest > 0 else ""
    return ", ".join(str(path) for path in paths[:_MOST_LISTED]) + more
