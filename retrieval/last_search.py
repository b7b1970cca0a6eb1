"""The last search of a library, which the next one can refine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.reader import GALLERIES, CatalogReader, Gallery, LibraryModel
from twobranch.retrieval.query import Query
from twobranch.retrieval.terms import Item

_FILE = "last-search.json"


@dataclass(frozen=True)
class LastSearch:
    """A query as typed, its gallery and its hits.

    The dates in its words are still words: the next search may not want them as a filter.

    ``hits`` are ids of vectors, best first. They mean the same photos only in the catalogue whose states are
    ``states``, a token for each gallery (``indexer.catalog.vector_states``), or in a later state of it: in a
    new catalogue, or one restored from a backup, the same ids may be those of other photos.
    """

    query: Query
    gallery: Gallery
    hits: tuple[int, ...]
    states: tuple[tuple[Gallery, bytes], ...] = ()

    @classmethod
    def of(
        cls,
        query: Query,
        gallery: Gallery,
        hits: Sequence[int],
        catalog: CatalogReader,
        model: LibraryModel | None,
    ) -> LastSearch:
        """Make it of a search in the current state of a catalogue.

        Raises ``LibraryError``.
        """
        states = [] if model is None else [(each, catalog.state(each, model.id)) for each in GALLERIES]
        known = tuple((each, token) for each, token in states if token is not None)
        return cls(query, gallery, tuple(hits), known)

    def save(self, library: Path) -> None:
        """Save it in the library folder. A read-only folder is left as it is."""
        # The key "within" is the gallery, as in version 0.1.
        data = {
            "query": self.query.as_json(),
            "within": self.gallery,
            "hits": self.hits,
            "states": {gallery: token.hex() for gallery, token in self.states},
        }
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
            states = data.get("states", {})  # not in files of 0.2
            return cls(
                Query.from_json(data["query"]),
                data["within"],
                tuple(map(int, data["hits"])),
                tuple((each, bytes.fromhex(states[each])) for each in GALLERIES if each in states),
            )
        except FileNotFoundError:
            raise UserError(f"{library}: there is no last search yet; search first") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); search anew") from None

    def check_ids(self, catalog: CatalogReader, model: LibraryModel | None) -> None:
        """Check that its ids mean the same photos in this catalogue.

        Raises ``UserError`` if they may be those of other ones.
        """
        same = model is not None and all(
            catalog.was_state(each, model.id, token) for each, token in self.states
        )
        if not (same and self.states):
            raise UserError("the library was rebuilt or has another model since the last search; search anew")

    def items(self, ranks: Sequence[int]) -> list[Item]:
        """Return the hits of these ranks. Raises ``UserError`` for a rank without a hit."""
        for rank in ranks:
            if not 1 <= rank <= len(self.hits):
                raise UserError(f"there is no hit {rank}: the last search had {len(self.hits)}")
        return [Item(self.gallery, self.hits[rank - 1]) for rank in ranks]
