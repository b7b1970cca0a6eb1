"""The last search of a library, so that the next one can like some of its hits, or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embedding.atomic import replacing
from embedding.errors import UserError
from indexer.reader import Gallery
from retrieval.query import Item, Query

_FILE = "last-search.json"


@dataclass(frozen=True)
class LastSearch:
    """What was asked for, and the ids of the hits' vectors, best first."""

    query: Query
    gallery: Gallery
    hits: tuple[int, ...]

    def save(self, library: Path) -> None:
        """Keep it; a library that may not be written to keeps none."""
        data = {"query": self.query.as_json(), "within": self.gallery, "hits": self.hits}
        with suppress(OSError), replacing(library / _FILE, durable=False) as partial:
            partial.write_text(json.dumps(data), encoding="utf-8", errors="surrogateescape")

    @classmethod
    def load(cls, library: Path) -> LastSearch:
        """The last search of the library. Raises ``UserError`` where there is none."""
        path = library / _FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
            return cls(Query.from_json(data["query"]), data["within"], tuple(map(int, data["hits"])))
        except FileNotFoundError:
            raise UserError(f"{library}: nothing was searched for yet; search first") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); search anew") from None

    def items(self, ranks: Sequence[int]) -> list[Item]:
        """The hits with these numbers. Raises ``UserError`` for one that was not shown."""
        for rank in ranks:
            if not 1 <= rank <= len(self.hits):
                raise UserError(f"there is no hit {rank}: the last search had {len(self.hits)}")
        return [(self.gallery, self.hits[rank - 1]) for rank in ranks]
