"""``watch``: keep a library current while its folders change."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import lru_cache
from threading import Event
from typing import TYPE_CHECKING

import typer

from twobranch.commands.shared import Json, Options, command, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from twobranch.indexer.update.library import IndexReport


@command
def watch(context: typer.Context, as_json: Json = False) -> None:
    """Keep the library up to date while its folders change.

    It runs until Ctrl-C. It first does the same as a plain `index`. Then it waits for changes, and indexes
    them after a second without further changes, at the latest after 30 seconds; so a memory card being copied
    is indexed in one run. The photos of a disconnected drive are kept, and checked when it is back. Needs the
    extra: pip install 'twobranch[watch]'.

    \b
    Examples:
      twobranch watch
      twobranch --library /srv/photos/.twobranch watch --json   prints what was done when it is stopped
    """
    from dataclasses import asdict

    from twobranch.common.errors import LibraryError
    from twobranch.embedding.encoder import Encoder
    from twobranch.embedding.model_folder import Variant
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.tables import Catalog, library_model
    from twobranch.indexer.update.library import update_library
    from twobranch.indexer.update.remembered import known_roots
    from twobranch.indexer.update.watch import WatchStats, changes_on_disk, keep_current
    from twobranch.retrieval.background_file import refresh_confidence

    library = find_library(Options.of(context).library)
    stop = Event()
    source = changes_on_disk(library, stop)
    model = library_model(library)
    if model is None:
        raise LibraryError(f"{library}: nothing is indexed yet; run `index PATH`")
    progress, kept = Options.of(context).progress(), WatchStats()

    @lru_cache(maxsize=1)
    def load(name: str, variant: Variant) -> Encoder:
        return Encoder.load(name, verify=True, tta=variant.tta, int8=variant.int8)

    def refresh(roots: Sequence[Path]) -> IndexReport:
        now = library_model(library) or model  # another `index` may have changed it
        encoder = load(now.name, now.variant)
        report = update_library(
            library, [], encoder, within=roots, chosen_for=now.fingerprint, progress=progress
        )
        refresh_confidence(library, encoder, progress)
        return report

    _heed_ctrl_c(stop)
    with closing(Catalog.open(library)) as catalog:
        load(model.name, model.variant)
        n = len(known_roots(catalog))
        with suppress(KeyboardInterrupt):  # Ctrl-C is the normal end
            progress.note(f"watching {n} {'folder' if n == 1 else 'folders'}; Ctrl-C ends it")
            keep_current(lambda: known_roots(catalog), refresh, source, kept, progress)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C would cut off the report
    if as_json:
        print_json(asdict(kept))
        return
    counts = ", ".join(f"{n:,} {name}" for name, n in asdict(kept).items() if name != "refreshes")
    print(f"{kept.refreshes:,} refreshes: {counts}")


def _heed_ctrl_c(stop: Event) -> None:
    """Make Ctrl-C set ``stop`` and raise ``KeyboardInterrupt``.

    An exception raised while Python deletes an object is printed and dropped; without ``stop`` the watch
    would then go on.
    """

    def interrupt(number: int, frame: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    # A shell starts background jobs with Ctrl-C ignored; keep that.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
