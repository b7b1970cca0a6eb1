"""What is new, changed, gone or out of reach: one decision for `index`, `status` and `watch`.

All of it is computed from what is handed in; nothing here asks the disk or the catalogue.

A photo that moved is a file that is new and a photo that is gone. Which file is which photo is seen once it
is read, by its content: ``moved_photo``.
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
    """What one scan of a part of a root found. Paths are relative to the root, with "/"."""

    files: Mapping[str, FoundFile]
    unreadable: Collection[str] = ()  # folders that are out of reach
    below: str = ""  # the part: a folder, one photo, or "" for all of the root
    only: Container[str] | None = None  # the photos that were asked for, of a split; None: all
    leave_others: bool = False  # photos that were not asked for stay, even where they were deleted
    drop_hidden: bool = False  # hidden photos go, even where they were once indexed by their own names

    def concerns(self, path: str) -> bool:
        """True where this scan says anything about the photo at ``path``, in its part."""
        return not self.leave_others or self._asks_for(path)

    def would_have(self, path: str) -> bool:
        """True where this scan finds the photo at ``path``, in its part, if there is one."""
        shown = self.drop_hidden or not is_hidden_below(path, self.below)
        return shown and self._asks_for(path) and missing_extra(path) is None

    def _asks_for(self, path: str) -> bool:
        return self.only is None or path in self.only


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file that has to be read, and the photo that the catalogue has of it, if any."""

    file: FoundFile
    photo: KnownPhoto | None = None

    @property
    def is_changed(self) -> bool:
        """True for a known photo of another size or time; one that failed before is read again anyway."""
        return self.photo is not None and not _is_same(self.file, self.photo)


@dataclass(frozen=True)
class Plan:
    """What a run does with the photos of one root."""

    read: tuple[ToRead, ...]  # first those that are known, then new ones
    unchanged: int
    gone: tuple[int, ...]  # ids of photos to remove, unless they turn up under another name
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
    """Compare what scans of a root found with the catalogue's photos of it, by size and time.

    Photos in no part that was scanned, and those that no scan concerns, are left as they are. One that no
    scan found is gone, unless

    * its folder is out of reach, or
    * no scan of its part would have found it (it is hidden and was indexed by its own name, its kind needs
      an extra that is not installed, or it is of another split) and its path is ``present``.

    A photo that ``rules`` exclude or that was forgotten is gone in any case within reach. ``present`` is
    asked only for photos that a scan passes over.
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
    """The scans of the parts of a root, by what they cover."""

    def __init__(self, found: Sequence[Found]) -> None:
        self._parts: dict[str, list[Found]] = {}
        for one in found:
            self._parts.setdefault(one.below, []).append(one)
        self._above: dict[str, list[Found]] = {}  # of folders that were asked for, with those above them

    def __call__(self, path: str) -> list[Found]:
        """The scans of the parts that a photo lies in or is."""
        folder = path.rpartition("/")[0]
        if folder not in self._above:
            places = dict.fromkeys([folder, *folders_above(folder)])
            self._above[folder] = [one for place in places for one in self._parts.get(place, ())]
        return [*self._parts.get(path, ()), *self._above[folder]]


def _is_gone(path: str, scans: Sequence[Found], rules: Rules, present: Container[str]) -> bool:
    """True for a photo in reach that none of these scans of its part found, and that nothing keeps."""
    if any(rules.exclude_on_the_way(path, one.below) or one.would_have(path) for one in scans):
        return True
    return path not in present


def _is_same(file: FoundFile, photo: KnownPhoto) -> bool:
    return (file.size, file.mtime_ns) == (photo.size, photo.mtime_ns)


def moved_photo(same: Iterable[int], gone: Container[int], is_missing: Callable[[int], bool]) -> int | None:
    """The photo that a new file is: the first of those with its content that is not where it was.

    ``same`` and ``gone`` are ids; ``is_missing`` tells of one that is not among the gone, because no scan
    looked for it, whether its file is missing.
    """
    return next((id for id in same if id in gone or is_missing(id)), None)


# --- caption files ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaptionPlan:
    """What a run does with the caption files of a library, in their order."""

    read: tuple[KnownCaptions, ...]
    unreachable: tuple[KnownCaptions, ...]  # whose captions stay

    @property
    def changed(self) -> int:
        """The number of files that were written to; of folders of sidecars only reading them tells."""
        return sum(row.format != _SIDECARS for row in self.read)


def compare_captions(
    found: Mapping[str, tuple[int, int] | None], rows: Iterable[KnownCaptions]
) -> CaptionPlan:
    """Compare caption files with what the catalogue has of them, by size and time.

    A folder of sidecars is always read: its own time says nothing about the files in it. ``found`` has the
    size in bytes and the time in ns by path; None for a file out of reach.
    """
    read, unreachable = [], []
    for row in rows:
        state = found.get(row.path)
        if state is None:
            unreachable.append(row)
        elif row.format == _SIDECARS or state != (row.size, row.mtime_ns):
            read.append(row)
    return CaptionPlan(tuple(read), tuple(unreachable))
