"""Watching folders, and updating the library when they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from twobranch.common.errors import UserError
from twobranch.common.extras import install_command
from twobranch.common.paths import is_folder
from twobranch.common.progress import Progress
from twobranch.indexer.disk.walk import is_photo_name
from twobranch.indexer.update.library import IndexReport

# A burst of changes gives one refresh: after a pause of this length, or at the latest after this time.
_QUIET_MS = 1000
_LATEST_MS = 30_000
_TICK_MS = 1000  # how often the folders themselves are checked while nothing changes
_LONGEST_REST = 60  # ticks between tries while an error persists, such as a full disk

# Yields the sets of changed paths in these folders, and empty sets in between. The first set comes when the
# watching has begun.
Source = Callable[[Sequence[Path]], Iterable[set[Path]]]


@dataclass
class WatchStats:
    """The counts of all refreshes while a library is watched."""

    refreshes: int = 0
    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0

    def count(self, report: IndexReport) -> None:
        self.refreshes += 1
        self.added += report.added
        self.updated += report.updated
        self.moved += report.moved
        self.removed += report.removed


def keep_current(
    roots: Callable[[], Sequence[Path]],
    refresh: Callable[[Sequence[Path]], IndexReport],
    source: Source,
    kept: WatchStats,
    progress: Progress,
) -> None:
    """Refresh roots when they change, until ``source`` ends.

    All roots are refreshed at the start. The results are counted in ``kept``. An error of a refresh is shown;
    its roots are tried again with the next change or after some ticks, more after each failure. A root that
    vanishes is ignored until it is back.
    """
    due: set[Path] = set()  # roots to refresh
    seen: set[Path] = set()
    said: set[str] = set()  # errors that were shown; each is shown once while it persists
    failures = rest = 0  # failures in a row, and ticks to wait after them
    while True:
        there = [root for root in roots() if is_folder(root)]
        for root in sorted(seen - set(there)):
            progress.note(f"{root} is gone; watching it continues when it is back")
        due |= set(there) - seen
        due &= set(there)
        seen = set(there)
        for changed in source(there):
            due |= _touched(there, changed)
            if set(there) != {root for root in roots() if is_folder(root)}:
                break  # to watch the new set of roots
            rest = 0 if changed else rest - 1
            if not due or rest > 0:
                continue
            try:
                report = refresh(sorted(due))
            except (UserError, OSError) as error:
                if str(error) not in said:
                    progress.warn(f"{error}; tried again later")
                said.add(str(error))
                failures += 1
                rest = min(2**failures // 2, _LONGEST_REST)
                continue
            due.clear()
            said.clear()
            failures = 0
            kept.count(report)
            _tell(report, progress)
        else:
            return


def _touched(roots: Sequence[Path], changed: set[Path]) -> set[Path]:
    """Return the roots that contain these paths."""
    return {root for root in roots if any(path.is_relative_to(root) for path in changed)}


def _tell(report: IndexReport, progress: Progress) -> None:
    counts = {name: getattr(report, name) for name in ("added", "updated", "moved", "removed")}
    if report.failed:
        counts["failed"] = len(report.failed)
    changes = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    if changes:
        progress.note(f"{time.strftime('%H:%M:%S')} {changes}")


def changes_on_disk(library: Path, stop: Event) -> Source:
    """Return a source of the changes that concern photos.

    It ends within a second after ``stop`` is set. Changes within a second of one another come together, at
    the latest after 30 seconds. Changes in the library's own folder, which may lie in a root, are ignored.
    Raises ``UserError`` without watchfiles.
    """
    try:
        import watchfiles
    except ModuleNotFoundError:
        raise UserError(
            f"watching needs the package watchfiles; install it with: {install_command('watch')}"
        ) from None
    own = library.resolve()

    def concerns(change: watchfiles.Change, name: str) -> bool:
        path = Path(name)
        if path.is_relative_to(own):
            return False
        # A deleted path may have been a folder of photos.
        return is_photo_name(name) or change is watchfiles.Change.deleted or path.is_dir()

    def changes(roots: Sequence[Path]) -> Iterator[set[Path]]:
        while not stop.is_set():
            try:
                for found in watchfiles.watch(
                    *roots,
                    stop_event=stop,
                    watch_filter=concerns,
                    debounce=_LATEST_MS,
                    step=_QUIET_MS,
                    rust_timeout=_TICK_MS,
                    yield_on_timeout=True,
                    ignore_permission_denied=True,
                ):
                    yield {Path(name) for _, name in found}
            except FileNotFoundError:  # vanished since the last check
                time.sleep(_TICK_MS / 1000)
                yield set()
            except OSError as error:
                raise UserError(
                    f"the folders cannot be watched ({error}); on Linux, allow more of them with "
                    "`sudo sysctl fs.inotify.max_user_watches=1000000`"
                ) from None

    return changes
