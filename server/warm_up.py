"""Warm-up of a server that has just started."""

from __future__ import annotations

from contextlib import suppress

from twobranch.common.errors import UserError
from twobranch.server.api.timeline import OrderParameters, timeline_answer
from twobranch.server.state import State
from twobranch.server.work.engines import ServedEngine


async def warm_up(state: State) -> None:
    """Read what the first visitor would wait for.

    That is the order of all photos, as the page asks for it (0.4 s for 100,000), and then the model and the
    index for the first search. What fails here is said by the first request that needs it.
    """
    with suppress(UserError):
        await timeline_answer(state, OrderParameters.model_validate({}))
    with suppress(UserError):
        await state.engines.run(_load)


def _load(engine: ServedEngine) -> None:
    engine.catch_up()
    if engine.model is not None:
        engine.index("images")
        engine.encoder  # noqa: B018  a property that loads it
