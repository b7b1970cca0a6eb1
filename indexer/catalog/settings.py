"""Settings of a library, kept for later runs: folders, exclusions and others.

Each is JSON in one row of the table `settings`. Folders are kept by absolute path, so the settings hold when
one root takes in another.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.tables import Session, Setting
from twobranch.indexer.disk.foreign_paths import moved
from twobranch.indexer.disk.relative_paths import relative_to_root
from twobranch.indexer.disk.rules import Rules, is_hidden_below
from twobranch.indexer.disk.walk import is_photo_name

CHOICES = "folders"
REGIONS = "regions"  # True: windows of photos are encoded as well
T = TypeVar("T")


@dataclass(frozen=True)
class Limit:
    """Only the photos that this split of a caption file names."""

    captions: str  # absolute path of the file
    split: str


@dataclass(frozen=True)
class Choices:
    """The settings from `index` and `forget`, by absolute path."""

    named: Mapping[str, Limit | None] = field(default_factory=dict)  # folders and photos given to `index`
    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)  # globs, by the folder they came with
    hidden: Mapping[str, bool] = field(default_factory=dict)  # True to index hidden files, by folder
    forgotten: frozenset[str] = frozenset()

    def told(
        self,
        paths: Mapping[Path, Limit | None],
        roots: Iterable[Path],
        exclude: Sequence[str] | None = None,
        hidden: bool | None = None,
    ) -> Choices:
        """Return the settings after `index` was given these folders and photos.

        ``roots`` are the roots of the library. ``None`` leaves an earlier setting. A folder that was named as
        a whole stays so when a split of it is named. Raises ``UserError`` for a path inside a forgotten
        folder.
        """
        named = {str(path): limit for root in roots for path, limit in self.targets(root).items()}
        excluded, shown = dict(self.exclude), dict(self.hidden)
        for path, limit in paths.items():
            for above in path.parents if self.forgotten else ():
                if str(above) in self.forgotten:
                    raise UserError(
                        f"{path}: lies in {above}, which was forgotten; `index {above}` undoes that"
                    )
            key = str(path)
            named[key] = limit if named.get(key, limit) is not None else None
            if is_photo_name(path.name) and not path.is_dir():
                continue  # the rest is about folders
            if exclude is not None:
                excluded[key] = tuple(glob for glob in exclude if glob)
            if hidden is not None:
                shown[key] = hidden
            if hidden is False:  # else paths named inside hidden folders would return
                named = {name: limit for name, limit in named.items() if not _hidden_below(name, key)}
        excluded = {path: globs for path, globs in excluded.items() if globs}
        return Choices(named, excluded, shown, self.forgotten - set(map(str, paths)))

    def forgetting(self, path: Path, roots: Collection[str]) -> Choices:
        """Return the settings without those of ``path`` and below.

        A path inside one of ``roots`` stays forgotten.
        """

        def kept(of: Mapping[str, T]) -> dict[str, T]:
            return {key: value for key, value in of.items() if not Path(key).is_relative_to(path)}

        away = {key for key in self.forgotten if not Path(key).is_relative_to(path)}
        if any(path.is_relative_to(root) and str(path) != root for root in roots):
            away.add(str(path))
        return Choices(kept(self.named), kept(self.exclude), kept(self.hidden), frozenset(away))

    def moved(self, old: Path, new: Path) -> Choices:
        """Return the settings after ``old`` was renamed to ``new``."""

        def name(key: str) -> str:
            return str(moved(key, old, new) or key)

        named = {
            name(key): None if limit is None else replace(limit, captions=name(limit.captions))
            for key, limit in self.named.items()
        }
        return Choices(
            named,
            {name(key): globs for key, globs in self.exclude.items()},
            {name(key): shown for key, shown in self.hidden.items()},
            frozenset(map(name, self.forgotten)),
        )

    def rules(self, root: Path) -> Rules:
        """Return the exclusion rules for scans of a root."""
        return Rules(
            dict(_below(root, self.exclude.items())),
            dict(_below(root, self.hidden.items())),
            frozenset(below for below, _ in _below(root, ((path, None) for path in self.forgotten))),
        )

    def targets(self, root: Path) -> dict[Path, Limit | None]:
        """Return the parts of a root that a plain `index` looks at.

        These are the paths that were named, or the whole root where none is known.
        """
        inside = {Path(path): limit for path, limit in self.named.items() if Path(path).is_relative_to(root)}
        return inside or {root: None}


def load_setting(session: Session, key: str) -> Any:
    """Return the value stored under a key, or None."""
    setting = session.get(Setting, key)
    return None if setting is None else json.loads(setting.value)


def store_setting(session: Session, key: str, value: Any) -> None:
    """Store a value that JSON can hold under a key."""
    session.merge(Setting(key=key, value=json.dumps(value)))


def load_regions(session: Session) -> bool:
    """Return True if windows of photos are encoded as well."""
    return load_setting(session, REGIONS) is True


def load_choices(session: Session) -> Choices:
    """Return the stored settings; empty ones where none were stored."""
    stored = load_setting(session, CHOICES) or {}
    return Choices(
        {path: None if limit is None else Limit(*limit) for path, limit in stored.get("named", {}).items()},
        {path: tuple(globs) for path, globs in stored.get("exclude", {}).items()},
        stored.get("hidden", {}),
        frozenset(stored.get("forgotten", ())),
    )


def store_choices(session: Session, choices: Choices) -> None:
    """Store the settings.

    A name that is not UTF-8 is kept: JSON escapes its lone surrogates.
    """
    stored = {
        "named": {
            path: None if limit is None else [limit.captions, limit.split]
            for path, limit in choices.named.items()
        },
        "exclude": {path: list(globs) for path, globs in choices.exclude.items()},
        "hidden": dict(choices.hidden),
        "forgotten": sorted(choices.forgotten),
    }
    store_setting(session, CHOICES, stored)


def _below(root: Path, items: Iterable[tuple[str, T]]) -> Iterable[tuple[str, T]]:
    for path, value in items:
        if Path(path).is_relative_to(root):
            yield relative_to_root(Path(path), root), value


def _hidden_below(path: str, folder: str) -> bool:
    inside = Path(path).is_relative_to(folder)
    return inside and is_hidden_below(relative_to_root(Path(path), Path(folder)), "")
