"""Lists of photo ids in request bodies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MOST_PHOTOS = 5000  # in one request: as many ids of seven digits fit into a body of 64 kB
BodyId = Annotated[int, Field(ge=1, lt=2**63)]  # SQLite's integers
PhotoIds = Annotated[
    list[BodyId],
    Field(min_length=1, max_length=MOST_PHOTOS, description="Ids; those not in the library are left out."),
]
