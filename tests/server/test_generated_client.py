"""A client that is made from the OpenAPI document: it compiles, and gets the answers it expects."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeEncoder
from tests.server.serving import serving
from tests.test_page_modules import ROOT, node
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

TOKEN = "a-token-for-tests"
CLIENT = ROOT / "tests/page/client"
PACKAGES = ROOT / "tests/page/node_modules"


@pytest.fixture
def app(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> Any:
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption,split\nred.png,something red,dev\nblue.png,something blue,dev\n")
    update_library(library, [photos], encoder, captions=captions)
    return create_app(Settings(library, token=TOKEN), load=lambda model: encoder)


def run(script: str, *arguments: str, folder: Path) -> str:
    """What a script of Node prints."""
    ended = subprocess.run(
        [node(), script, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_typescript_client(app: Any, tmp_path: Path) -> None:
    if not (PACKAGES / "openapi-fetch").exists():
        pytest.skip("no openapi-typescript: `npm --prefix tests/page ci` installs it")
    folder = tmp_path / "client"
    shutil.copytree(CLIENT, folder)
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "openapi.json").write_text(json.dumps(app.openapi()))
    generator = str(PACKAGES / "openapi-typescript/bin/cli.js")
    run(generator, "openapi.json", "--output", "api.d.ts", folder=folder)
    run(str(PACKAGES / "typescript/bin/tsc"), "--project", ".", folder=folder)
    with serving(app) as port:
        answers = json.loads(run("out/client.js", f"http://127.0.0.1:{port}", TOKEN, folder=folder))
    assert answers == {
        "ranks": [1, 2],
        "name": "red.png",
        "caption": "something red",
        "missing": [404, "there is no photo 99; it may have left the library"],
        "thumbnail": "WEBP",  # the bytes 8 to 11 of such a file
        "evaluated": "dev",
        "refused": [401, "this needs the token: as `Authorization: Bearer TOKEN`, or log in on the page"],
    }
