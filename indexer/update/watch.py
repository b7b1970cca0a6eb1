"""Keeping a library current while its folders change."""

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

# A burst of changes is one refresh, when it has been quiet for so long, or at the latest after so long.
_QUIET_MS = 1000
_LATEST_MS = 30_000
_TICK_MS = 1000  # how often the folders themselves are looked for, while nothing changes
_LONGEST_REST = 60  # ticks after an error, such as a full disk, that lasts

# For these folders, sets of paths that changed, and in between, empty sets; the first of them once it sees
# what changes.
Source = Callable[[Sequence[Path]], Iterable[set[Path]]]


@dataclass
class Kept:
    """What was done while the library was watched."""

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
    kept: Kept,
    progress: Progress,
) -> None:
    """Refreshes the roots in which anything changes, all of them at the start, until ``source`` ends.

    What was done is counted in ``kept``. An error of one refresh is shown, and its roots are tried again with
    the next change, or after some ticks, more each time. A root that vanishes is left alone until it is back.
    """
    due: set[Path] = set()  # roots that have to be refreshed
    seen: set[Path] = set()
    said: set[str] = set()  # errors; each once while it lasts
    failures = rest = 0  # how many in a row, and for how many ticks nothing is tried after them
    while True:
        there = [root for root in roots() if is_folder(root)]
        for root in sorted(seen - set(there)):
            progress.note(f"{root} is gone; it is looked at again when it is back")
        due |= set(there) - seen
        due &= set(there)
        seen = set(there)
        for changed in source(there):
            due |= _touched(there, changed)
            if set(there) != {root for root in roots() if is_folder(root)}:
                break  # and watch others
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
    """The roots that these paths lie in."""
    return {root for root in roots if any(path.is_relative_to(root) for path in changed)}


def _tell(report: IndexReport, progress: Progress) -> None:
    counts = {name: getattr(report, name) for name in ("added", "updated", "moved", "removed")}
    if report.failed:
        counts["failed"] = len(report.failed)
    changes = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    if changes:
        progress.note(f"{time.strftime('%H:%M:%S')} {changes}")


def changes_on_disk(library: Path, stop: Event) -> Source:
    """The source of changes that concern photos. It ends within a second of ``stop`` being set. Raises
    ``UserError`` without watchfiles.

    Changes within a second of one another come together, and after 30 seconds in any case. The library's own
    folder may lie in a root; what is written there does not count.
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
        # Of what was deleted nobody can say whether it was a folder.
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
            except FileNotFoundError:  # vanished since it was looked for
                time.sleep(_TICK_MS / 1000)
                yield set()
            except OSError as error:
                raise UserError(
                    f"the folders cannot be watched ({error}); on Linux, allow more of them with "
                    "`sudo sysctl fs.inotify.max_user_watches=1000000`"
                ) from None

    return changes
