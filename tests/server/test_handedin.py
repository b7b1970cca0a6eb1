"""The small view of a picture that was handed in."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def test_a_picture_that_was_handed_in_has_a_small_view(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    file = io.BytesIO()
    Image.new("RGB", (1024, 512), "blue").save(file, "PNG")
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        name = client.post("/api/search", files={"file": ("a.png", file.getvalue())}).json()["picture"]
        view = client.get(f"/api/pictures/{name}/thumbnail")
        gone = client.get("/api/pictures/nothing/thumbnail")
    assert (view.headers["content-type"], "immutable" in view.headers["cache-control"]) == (
        "image/webp",
        True,
    )
    assert Image.open(io.BytesIO(view.content)).size == (256, 128)  # the longer side is 256
    assert (gone.status_code, "there is no picture" in gone.json()["error"]) == (404, True)
