"""What a server reads before anybody asks for it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.api.timeline import OrderParameters
from twobranch.server.settings import Settings
from twobranch.server.state import State
from twobranch.server.warm_up import warm_up


def test_the_order_of_photos_and_the_model(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    loaded = []
    with closing(State(Settings(library), lambda model: loaded.append(model.name) or encoder)) as state:
        asyncio.run(warm_up(state))
        assert state.timelines.get(OrderParameters.model_validate({}).list_name, state.version()) is not None
        assert len(loaded) == 1


def test_a_library_without_photos_has_no_model_to_load(library: Path, encoder: FakeEncoder) -> None:
    update_library(library, [], encoder)
    with closing(State(Settings(library), lambda model: encoder)) as state:
        asyncio.run(warm_up(state))
