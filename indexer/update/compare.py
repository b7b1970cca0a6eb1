"""The comparison of scans with the catalogue.

It decides which photos are new, changed, gone or out of reach, for `index`, `status` and `watch` alike. These
functions depend on their arguments only: they read neither the disk nor the catalogue.

A photo that moved appears as a new file and a photo that is gone. They are matched by content when the file
is read: see ``moved_photo``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from twobranch.embedding.formats import missing_extra
from twobranch.indexer.catalog.captions import KnownCaptions
from twobranch.indexer.catalog.photos import KnownPhoto
from twobranch.indexer.disk.relative_paths import folders_above
from twobranch.indexer.disk.rules import Rules, is_hidden_below
from twobranch.indexer.disk.walk import FoundFile

_SIDECARS = "sidecar"  # the format of a folder with a caption file for each photo


@dataclass(frozen=True)
class Found:
    """The result of scanning a part of a root. Paths are relative to the root, with "/"."""

    files: Mapping[str, FoundFile]
    unreadable: Collection[str] = ()  # folders that are out of reach
    below: str = ""  # the part: a folder, one photo, or "" for all of the root
    only: Container[str] | None = None  # the requested photos, those of a split; None: all
    leave_others: bool = False  # photos that were not requested stay, even if they were deleted
    drop_hidden: bool = False  # hidden photos are removed, even those that were indexed by name

    def concerns(self, path: str) -> bool:
        """Return True if this scan applies to the photo at ``path``.

        The path must lie in the scanned part.
        """
        return not self.leave_others or self._asks_for(path)

    def would_have(self, path: str) -> bool:
        """Return True if this scan would find a photo at ``path``.

        The path must lie in the scanned part.
        """
        shown = self.drop_hidden or not is_hidden_below(path, self.below)
        return shown and self._asks_for(path) and missing_extra(path) is None

    def _asks_for(self, path: str) -> bool:
        return self.only is None or path in self.only


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read, with its photo in the catalogue, if any."""

    file: FoundFile
    photo: KnownPhoto | None = None

    @property
    def is_changed(self) -> bool:
        """True for a known photo with another size or time.

        A photo that failed before is read again even if this is False.
        """
        return self.photo is not None and not _is_same(self.file, self.photo)


@dataclass(frozen=True)
class Plan:
    """The actions of a run for the photos of one root."""

    read: tuple[ToRead, ...]  # first known photos, then new ones
    unchanged: int
    gone: tuple[int, ...]  # ids of photos to remove, unless they are found at another path
    unreachable: int  # photos that stay because their folder is out of reach

    @property
    def new(self) -> int:
        """The number of files that the catalogue does not have."""
        return sum(one.photo is None for one in self.read)

    @property
    def changed(self) -> int:
        """The number of photos whose file was written to."""
        return sum(one.is_changed for one in self.read)


def compare(
    found: Sequence[Found], rows: Iterable[KnownPhoto], rules: Rules, present: Container[str] = ()
) -> Plan:
    """Compare scans of a root with its photos in the catalogue.

    Files are compared by size and modification time. Photos outside of the scanned parts, and those to which
    no scan applies, are left unchanged. A photo that no scan found is gone, unless

    * its folder is out of reach, or
    * no scan of its part would have found it (it is hidden and was indexed by name, its format needs an extra
      that is not installed, or it belongs to another split) and its path is in ``present``.

    A reachable photo that ``rules`` exclude, or that was forgotten, is gone in any case. ``present`` is
    tested only for photos that a scan skips.
    """
    scans_of = _Parts(found)
    new = {path: file for one in found for path, file in one.files.items()}
    unreadable = {folder for one in found for folder in one.unreadable}
    read: list[ToRead] = []
    gone: list[int] = []
    unchanged = unreachable = 0
    for photo in rows:
        file = new.pop(photo.path, None)
        if file is not None:
            if photo.failure is None and _is_same(file, photo):
                unchanged += 1
            else:
                read.append(ToRead(file, photo))
            continue
        scans = [one for one in scans_of(photo.path) if one.concerns(photo.path)]
        if not scans:
            continue
        if not unreadable.isdisjoint([photo.path, *folders_above(photo.path)]):
            unreachable += 1
        elif _is_gone(photo.path, scans, rules, present):
            gone.append(photo.id)
    read += map(ToRead, new.values())
    return Plan(tuple(read), unchanged, tuple(gone), unreachable)


class _Parts:
    """A lookup of the scans that cover a path of a root."""

    def __init__(self, found: Sequence[Found]) -> None:
        self._parts: dict[str, list[Found]] = {}
        for one in found:
            self._parts.setdefault(one.below, []).append(one)
        self._above: dict[str, list[Found]] = {}  # cache by folder, including the folders above it

    def __call__(self, path: str) -> list[Found]:
        """Return the scans whose part contains or is this photo."""
        folder = path.rpartition("/")[0]
        if folder not in self._above:
            places = dict.fromkeys([folder, *folders_above(folder)])
            self._above[folder] = [one for place in places for one in self._parts.get(place, ())]
        return [*self._parts.get(path, ()), *self._above[folder]]


def _is_gone(path: str, scans: Sequence[Found], rules: Rules, present: Container[str]) -> bool:
    """Return True if a reachable photo is gone.

    None of these scans of its part found it. It is gone if it is excluded, if a scan would have found it, or
    if it is not ``present``.
    """
    if any(rules.exclude_on_the_way(path, one.below) or one.would_have(path) for one in scans):
        return True
    return path not in present


def _is_same(file: FoundFile, photo: KnownPhoto) -> bool:
    return (file.size, file.mtime_ns) == (photo.size, photo.mtime_ns)


def moved_photo(same: Iterable[int], gone: Container[int], is_missing: Callable[[int], bool]) -> int | None:
    """Return the id of the photo that moved to a file.

    ``same`` are the ids of photos with the same content as the file. The result is the first of them that is
    in ``gone`` or whose file ``is_missing``. The latter is asked for photos that no scan looked for. The
    result is None if there is no such photo.
    """
    return next((id for id in same if id in gone or is_missing(id)), None)


# --- caption files ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaptionPlan:
    """The actions of a run for caption files, in their order."""

    read: tuple[KnownCaptions, ...]
    unreachable: tuple[KnownCaptions, ...]  # their captions stay
    changed: int  # files that were written to; without folders of sidecars: only reading them shows changes


def compare_captions(
    found: Mapping[str, tuple[int, int] | None], rows: Iterable[KnownCaptions]
) -> CaptionPlan:
    """Compare caption files with the catalogue, by size and modification time.

    A folder of sidecars is always read: its own time does not show changes of the files in it. So is a file
    that could not be read the last time, as failed photos are: its permissions may be others now. ``found``
    has the size in bytes and the time in ns by path, and None for a file out of reach.
    """
    read, unreachable, changed = [], [], 0
    for row in rows:
        state = found.get(row.path)
        if state is None:
            unreachable.append(row)
        elif row.format == _SIDECARS or row.failure is not None or state != (row.size, row.mtime_ns):
            read.append(row)
            changed += row.format != _SIDECARS and state != (row.size, row.mtime_ns)
    return CaptionPlan(tuple(read), tuple(unreachable), changed)
