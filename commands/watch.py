"""``watch``: keep a library current while its folders change."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import lru_cache
from threading import Event
from typing import TYPE_CHECKING

from twobranch.commands.shared import Given, Json, command, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from twobranch.indexer.update.library import IndexReport


@command
def watch(as_json: Json = False) -> None:
    """Keep the library current: every change in its folders is indexed as it happens, until Ctrl-C.

    It begins with what a plain `index` does. Then it waits; changes are indexed when it has been quiet for a
    second, and at the latest after 30 seconds, so that a card that is being copied is one run. A drive that
    goes away is left as it is and looked at again when it is back. Needs the extra:
    pip install 'twobranch[watch]'.

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

    library = find_library(Given.library)
    stop = Event()
    source = changes_on_disk(library, stop)
    model = library_model(library)
    if model is None:
        raise LibraryError(f"{library}: nothing is indexed yet; run `index PATH`")
    progress, kept = Given.progress(), WatchStats()

    @lru_cache(maxsize=1)
    def load(name: str, variant: Variant) -> Encoder:
        return Encoder.load(name, verify=True, tta=variant.tta, int8=variant.int8)

    def refresh(roots: Sequence[Path]) -> IndexReport:
        now = library_model(library) or model  # another `index` may have changed it meanwhile
        encoder = load(now.name, now.variant)
        return update_library(
            library, [], encoder, within=roots, chosen_for=now.fingerprint, progress=progress
        )

    _heed_ctrl_c(stop)
    with closing(Catalog.open(library)) as catalog:
        load(model.name, model.variant)
        n = len(known_roots(catalog))
        with suppress(KeyboardInterrupt):  # that is how it ends
            progress.note(f"watching {n} {'folder' if n == 1 else 'folders'}; Ctrl-C ends it")
            keep_current(lambda: known_roots(catalog), refresh, source, kept, progress)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C would cut short what follows
    if as_json:
        print_json(asdict(kept))
        return
    counts = ", ".join(f"{n:,} {name}" for name, n in asdict(kept).items() if name != "refreshes")
    print(f"{kept.refreshes:,} refreshes: {counts}")


def _heed_ctrl_c(stop: Event) -> None:
    """From now on Ctrl-C sets ``stop``, besides raising ``KeyboardInterrupt``: what is raised while Python
    deletes an object is printed and dropped, and the watch would go on."""

    def interrupt(number: int, frame: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    # A shell lets what runs in the background ignore it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
