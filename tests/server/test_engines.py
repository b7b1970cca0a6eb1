"""An engine that is kept open spends little time on catching up, and says when it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.server.work import engines
from twobranch.server.work.engines import ServedEngine


def test_catching_up_takes_a_twentieth_of_the_time(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    now = 100.0
    monkeypatch.setattr(engines, "monotonic", lambda: now)

    class Slow(ServedEngine):
        def refresh(self) -> None:
            nonlocal now
            now += 0.5
            super().refresh()

    with Slow(library, lambda model: encoder) as engine:
        assert engine.catch_up()
        write_photo(photos / "rose.png", (200, 0, 0))
        update_library(library, [photos], encoder)
        assert engine.catch_up()  # from 100.0 to 100.5; 0.5 s are 5% of 10 s: next at 110.5
        assert len(engine.search("red")) == 4
        (photos / "rose.png").unlink()
        update_library(library, [photos], encoder)
        now = 110.4
        assert not engine.catch_up()
        assert len(engine.search("red")) == 3  # a photo that is gone is never a hit
        assert len(engine.index("images")) == 4  # but the index still has it
        now = 110.5
        assert engine.catch_up()
        assert len(engine.index("images")) == 3
