"""Bad photos through the command line, with the shipped model, in processes of its own."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from tests.embedding.test_formats import damaged_tiffs
from tests.fakes import write_photo
from tests.test_cli import run, run_json


def test_bad_photos_are_listed_a_line_each_whatever_their_names(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photo(photos / "red.png", "red")
    bad = ["two\nlines.jpg", "\x1b[31mcolour.jpg", "quo\"te'.jpg"]
    for name in bad:
        (photos / name).write_bytes(b"\xff\xd8 no more")
    os.mkfifo(photos / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(photos / "socket.jpg"))
        shown = run("index", "photos", cwd=tmp_path).stderr
    assert shown.count("failed: ") == 5 and "\x1b" not in shown
    assert "two?lines.jpg: not an image, or damaged at its beginning\n" in shown
    facts = run_json("status", cwd=tmp_path)
    assert facts["searchable_photos"] == 1
    assert {Path(one["path"]).name for one in facts["failed"]} == {*bad, "pipe.jpg", "socket.jpg"}
    table = run("status", cwd=tmp_path).stdout.splitlines()
    rows = [row for row in table if row.startswith("failed ")]
    assert len(rows) == 5 and not any("\x1b" in row for row in rows)


def test_the_limit_on_pixels_is_lifted_for_once_or_for_good(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "wide.png", "red", (2000, 1000))
    (tmp_path / ".twobranch").mkdir()
    config = tmp_path / ".twobranch" / "config.toml"
    config.write_text("[index]\nmax-megapixels = 1\n")
    report = run_json("index", "photos", cwd=tmp_path)
    assert [one["reason"] for one in report["failed"]] == [
        "2000 x 1000 is more than 1 megapixels; `index --max-megapixels 2` takes it"
    ]
    report = run_json("index", "photos", "--max-megapixels", "2", cwd=tmp_path)
    assert (report["updated"], report["failed"]) == (1, [])


def test_a_damaged_tiff_is_one_line_that_names_it(tmp_path: Path) -> None:
    """And libtiff, which decodes it, adds none of its own."""
    write_photo(tmp_path / "photos" / "red.png", "red")
    for number, data in enumerate(damaged_tiffs()):
        (tmp_path / "photos" / f"{number}.tif").write_bytes(data)
    lines = run("index", "photos", cwd=tmp_path).stderr.splitlines()
    failed = [line for line in lines if line.startswith("failed: ")]
    assert failed and all(".tif: damaged (" in line for line in failed)
    assert not [line for line in lines if "Decode" in line]


def test_photos_of_which_none_can_be_read_are_a_mistake(tmp_path: Path) -> None:
    write_photo(tmp_path / "good.png", "red")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no photo")
    failed = run("index", "a.jpg", cwd=tmp_path, code=1)
    assert failed.stderr == f"failed: {tmp_path / 'a.jpg'}: not an image, or damaged at its beginning\n"
    run("index", "a.jpg", cwd=tmp_path, code=1)
    report = json.loads(run("index", "a.jpg", "b.jpg", "--json", cwd=tmp_path, code=1).stdout)
    assert [Path(failure["path"]).name for failure in report["failed"]] == ["a.jpg", "b.jpg"]
    run("index", "a.jpg", "good.png", cwd=tmp_path)
    run("index", ".", cwd=tmp_path)  # one bad photo in a folder is no mistake
