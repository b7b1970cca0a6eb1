"""Choosing folders and adding photos over HTTP: what ``serve`` allows by its options."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import write_photo
from tests.test_cli import run
from tests.test_cli_serve import Serve, serve
from twobranch.indexer.catalog.connection import open_database

TOKEN = "a-long-secret-text"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_photo(tmp_path / "home" / "Pictures" / "red.png", "red")
    return tmp_path / "home"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library without photos."""
    open_database(tmp_path / ".twobranch", create=True)
    return tmp_path / ".twobranch"


def folders(server: Serve, **headers: str) -> tuple[int, Any]:
    status, body = server.get("/api/folders", **headers)
    return status, json.loads(body)


def test_on_this_machine_the_home_folder_is_offered(library: Path, home: Path) -> None:
    with serve(library, environment={**os.environ, "HOME": str(home)}) as server:
        status, found = folders(server)
        assert (status, found["folders"][0]["path"]) == (200, str(home))


@pytest.mark.parametrize("options", [("--host", "0.0.0.0"), ("--allow-host", "photos.example.org")])
def test_for_others_nothing_is_offered_unless_it_is_named(
    library: Path, home: Path, options: tuple[str, str]
) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with serve(library, *options, token=TOKEN) as server:
        assert folders(server, **bearer)[0] == 403
    with serve(library, *options, "--choose-from", str(home), token=TOKEN) as server:
        assert [one["path"] for one in folders(server, **bearer)[1]["folders"]] == [str(home)]
        assert folders(server)[0] == 401


def test_it_can_be_switched_off(library: Path) -> None:
    with serve(library, "--no-choosing") as server:
        assert folders(server)[0] == 403
        status = json.loads(server.get("/api/status")[1])
        assert (status["choosing"], status["adding"]) == (False, False)


def test_a_new_library_is_made_for_folders_to_choose_from(tmp_path: Path, home: Path) -> None:
    with serve(tmp_path / "new", "--choose-from", str(home)) as server:
        assert folders(server)[0] == 200
        assert json.loads(server.get("/api/status")[1])["adding"]


def test_options_that_do_not_go_together(library: Path, home: Path) -> None:
    run("--library", library, "serve", "--no-choosing", "--choose-from", home, cwd=home, code=2)
    errors = run("--library", library, "serve", "--choose-from", home / "no", cwd=home, code=1).stderr
    assert f"{home / 'no'}: no such folder" in errors
