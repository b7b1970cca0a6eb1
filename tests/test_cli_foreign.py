"""A library that another system wrote, end to end through ``cli.py``."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.fakes import write_photos
from tests.test_cli import run, run_json


def test_a_library_from_windows_needs_one_command(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", {"red.png": "red", "trip/blue.png": "blue"})
    run("index", "photos", cwd=tmp_path)
    with sqlite3.connect(tmp_path / ".twobranch/catalog.sqlite") as catalog:  # as Windows would have left it
        catalog.execute("UPDATE roots SET path = ?", [r"C:\Photos"])
        named = json.dumps({"named": {r"C:\Photos": None}})
        catalog.execute("UPDATE settings SET value = ? WHERE key = 'folders'", [named])
    assert r"C:\Photos: cannot be reached; its 2 photos are kept" in run("index", cwd=tmp_path).stderr
    error = run("relocate", r"D:\Photos", "photos", cwd=tmp_path, code=1).stderr
    assert r"D:\Photos: not a folder of this library; `status` lists them" in error
    text = run("relocate", "C:\\Photos\\", "photos", cwd=tmp_path).stdout
    assert rf"C:\Photos is now {tmp_path / 'photos'} (2 photos)" in text
    assert run_json("index", cwd=tmp_path)["unchanged"] == 2
