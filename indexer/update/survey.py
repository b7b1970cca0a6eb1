"""The places in one root, scanned and compared with the photos that the catalogue has of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twobranch.indexer.catalog.photos import known_photos
from twobranch.indexer.catalog.settings import Choices
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.captions import NamedPhotos
from twobranch.indexer.update.compare import Plan, compare
from twobranch.indexer.update.remembered import Target
from twobranch.indexer.update.scan_scope import Look, Looked, OnDisk
from twobranch.indexer.update.targets import Scope


def looks_at(
    places: Iterable[tuple[Scope, Target]],
    choices: Choices,
    drives: Mapping[int, frozenset[str]],
    leave_others: bool = False,
    drop_hidden: bool = False,
) -> list[Look]:
    """The looks at these targets, with what was said of their roots and the drives known in them.

    ``leave_others`` and ``drop_hidden`` as in ``Look``.
    """
    return [
        Look(
            scope,
            choices.rules(scope.root),
            None if target.names is None else NamedPhotos(scope.root, target.names),
            leave_others=leave_others,
            drop_hidden=drop_hidden,
            drives=drives.get(scope.root_id, frozenset()),
        )
        for scope, target in places
    ]


def plan_root(catalog: Catalog, looked: Sequence[Looked]) -> Plan:
    """What a run does with the photos of a root, by scans of places in it, which are one or more."""
    look = looked[0].look
    names = [one.look.scope.below for one in looked] if all(one.is_one_photo for one in looked) else None
    with catalog.session() as session:
        rows = known_photos(session, look.scope.root_id, names)
        return compare([one.found for one in looked], rows, look.rules, OnDisk(look.scope.root))
