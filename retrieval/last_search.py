"""The last search of a library, which the next one can refine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.query import Query
from twobranch.retrieval.terms import Item

_FILE = "last-search.json"


@dataclass(frozen=True)
class LastSearch:
    """A query, its gallery and its hits.

    ``hits`` are ids of vectors, best first.
    """

    query: Query
    gallery: Gallery
    hits: tuple[int, ...]

    def save(self, library: Path) -> None:
        """Save it in the library folder. A read-only folder is left as it is."""
        # The key "within" is the gallery, as in version 0.1.
        data = {"query": self.query.as_json(), "within": self.gallery, "hits": self.hits}
        with suppress(OSError), replacing(library / _FILE, durable=False) as partial:
            partial.write_text(json.dumps(data), encoding="utf-8", errors="surrogateescape")

    @classmethod
    def load(cls, library: Path) -> LastSearch:
        """Load the last search of a library.

        Raises ``UserError`` if there is none, or if it cannot be read.
        """
        path = library / _FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
            return cls(Query.from_json(data["query"]), data["within"], tuple(map(int, data["hits"])))
        except FileNotFoundError:
            raise UserError(f"{library}: there is no last search yet; search first") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); search anew") from None

    def items(self, ranks: Sequence[int]) -> list[Item]:
        """Return the hits of these ranks. Raises ``UserError`` for a rank without a hit."""
        for rank in ranks:
            if not 1 <= rank <= len(self.hits):
                raise UserError(f"there is no hit {rank}: the last search had {len(self.hits)}")
        return [Item(self.gallery, self.hits[rank - 1]) for rank in ranks]
