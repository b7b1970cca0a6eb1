"""Scans of the places in a root, compared with the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twobranch.indexer.catalog.photos import known_photos
from twobranch.indexer.catalog.settings import Choices
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.captions import NamedPhotos
from twobranch.indexer.update.compare import Plan, compare
from twobranch.indexer.update.remembered import Target
from twobranch.indexer.update.scan_scope import OnDisk, ScannedScope, ScanScope
from twobranch.indexer.update.targets import Scope


def scan_scopes(
    places: Iterable[tuple[Scope, Target]],
    choices: Choices,
    drives: Mapping[int, frozenset[str]],
    leave_others: bool = False,
    drop_hidden: bool = False,
) -> list[ScanScope]:
    """Return the scan scopes of these targets.

    They have the index settings of their roots, and the mount points known in them. ``leave_others`` and
    ``drop_hidden`` are explained in ``ScanScope``.
    """
    return [
        ScanScope(
            scope,
            choices.rules(scope.root),
            None if target.names is None else NamedPhotos(scope.root, target.names),
            leave_others=leave_others,
            drop_hidden=drop_hidden,
            drives=drives.get(scope.root_id, frozenset()),
        )
        for scope, target in places
    ]


def plan_root(catalog: Catalog, scanned: Sequence[ScannedScope]) -> Plan:
    """Compare a root's photos with scans of places in it.

    There is at least one scan.
    """
    place = scanned[0].place
    names = [one.place.scope.below for one in scanned] if all(one.is_one_photo for one in scanned) else None
    with catalog.session() as session:
        rows = known_photos(session, place.scope.root_id, names)
        return compare([one.found for one in scanned], rows, place.rules, OnDisk(place.scope.root))
