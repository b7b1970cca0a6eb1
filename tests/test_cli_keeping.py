"""Keeping a library up to date, end to end through ``cli.py``."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import write_photo, write_photos
from tests.test_cli import ROOT, run, run_json
from tests.waiting import PATIENCE, next_line
from twobranch.commands import MODULES


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library over two folders of photos; tests that change it put it back."""
    place = tmp_path_factory.mktemp("keeping")
    write_photos(place, {"one/red.png": "red", "one/sub/green.png": "green", "two/blue.png": "blue"})
    write_photo(place / "one/raw/white.png", "white")
    (place / "captions.csv").write_text("image,caption\nred.png,a red wall\n")
    report = run_json("index", "one", "two", "--exclude", "raw", "--captions", "captions.csv", cwd=place)
    assert report["added"] == 3
    return place


def test_plain_index_refreshes_what_the_library_knows(indexed: Path) -> None:
    write_photos(indexed, {"one/new.png": "black", "one/raw/more.png": "gray", "three/x.png": "pink"})
    report = run_json("index", cwd=indexed)
    assert (report["added"], report["unchanged"]) == (1, 3)
    (indexed / "one/new.png").unlink()
    assert run_json("index", cwd=indexed)["removed"] == 1


def test_plain_index_without_a_library_is_a_mistake(tmp_path: Path) -> None:
    for options in ([], ["--captions", "c.csv"], ["--exclude", "raw"]):
        assert "name the folders of your photos" in run("index", *options, cwd=tmp_path, code=2).stderr


def test_regions_are_remembered_until_they_are_switched_off(tmp_path: Path) -> None:
    write_photo(tmp_path / "p/a.png", "red")
    assert "windows of each photo" in run("index", "p", "--regions", cwd=tmp_path).stderr
    write_photo(tmp_path / "p/b.png", "blue")
    run("index", cwd=tmp_path)
    facts = run_json("status", cwd=tmp_path)
    assert (facts["regions"], facts["without_regions"]) == (True, 0)
    with closing(sqlite3.connect(tmp_path / ".twobranch/catalog.sqlite")) as db, db:  # as after a kill
        db.execute("DELETE FROM region_vectors WHERE image_id = (SELECT MIN(image_id) FROM region_vectors)")
    assert "no: 1 photos without windows; run `index`" in run("status", cwd=tmp_path).stdout
    run("index", cwd=tmp_path)
    assert run_json("status", cwd=tmp_path)["without_regions"] == 0
    (hit, *_) = run_json("search", "red", cwd=tmp_path)["hits"]
    assert hit["region"] is None  # it is all red
    without = run_json("index", "--plan", "1000", "--no-regions", cwd=tmp_path)["catalog_bytes"]
    assert run_json("index", "--plan", "1000", cwd=tmp_path)["catalog_bytes"] > 4 * without
    run("index", "--no-regions", cwd=tmp_path)
    assert run_json("status", cwd=tmp_path)["regions"] is False
    assert not list((tmp_path / ".twobranch").glob("regions-*"))


def test_exclude_and_hidden_are_remembered_until_they_are_cleared(tmp_path: Path) -> None:
    write_photos(tmp_path, {"p/a.png": "red", "p/raw/b.png": "blue", "p/.h/c.png": "green"})

    def indexed(*arguments: str) -> int:
        run("index", *arguments, cwd=tmp_path)
        return int(run_json("status", cwd=tmp_path)["photos"])

    assert indexed("p", "--exclude", "raw") == 1
    assert indexed("--include-hidden") == 2
    assert indexed() == 2
    assert indexed("--exclude", "") == 3
    assert indexed("--no-include-hidden") == 2


def test_forget_and_take_back(indexed: Path) -> None:
    text = run("forget", "one/sub", cwd=indexed).stdout
    assert text == f"forgot 1 photo of {indexed / 'one/sub'}; `index {indexed / 'one/sub'}` takes it back\n"
    assert run_json("index", cwd=indexed)["unchanged"] == 2
    assert "nothing of it" in run("forget", "one/sub", cwd=indexed, code=1).stderr
    assert run_json("index", "one/sub", cwd=indexed)["added"] == 1
    facts = run_json("forget", "one/sub", "two/blue.png", cwd=indexed)
    assert (facts["photos"], [one["photos"] for one in facts["forgotten"]]) == (2, [1, 1])
    assert run_json("index", "one/sub", "two/blue.png", cwd=indexed)["added"] == 2


def test_forget_a_caption_file_and_take_it_back(indexed: Path) -> None:
    file = indexed / "captions.csv"
    text = run("forget", "captions.csv", cwd=indexed).stdout
    assert text == f"forgot 1 caption of {file}; `index --captions {file}` takes it back\n"
    assert run_json("index", cwd=indexed)["captions_added"] == 0
    assert run_json("status", cwd=indexed)["captions"] == 0
    assert run_json("index", "--captions", "captions.csv", cwd=indexed)["captions_added"] == 1
    (indexed / "again.csv").write_bytes(file.read_bytes())
    report = run_json("index", "--captions", "again.csv", cwd=indexed)
    assert (report["captions_added"], report["captions_repeated"]) == (0, 1)
    facts = run_json("forget", "again.csv", cwd=indexed)
    (forgotten,) = facts["forgotten"]
    assert (facts["captions"], forgotten["captions_kept"]) == (0, 1)
    (indexed / "again.csv").unlink()
    assert run_json("status", cwd=indexed)["captions_with_photo"] == 1


def test_relocate_there_and_back(indexed: Path) -> None:
    assert "no such folder" in run("relocate", "one", "1", cwd=indexed, code=1).stderr
    (indexed / "1").mkdir()
    assert "only 0 of 2" in run("relocate", "one", "1", cwd=indexed, code=1).stderr
    (indexed / "1").rmdir()
    (indexed / "one").rename(indexed / "1")
    assert (
        f"{indexed / 'one'} is now {indexed / '1'} (2 photos)"
        in run("relocate", "one", "1", cwd=indexed).stdout
    )
    (hit,) = run_json("search", "red", "-k", "1", cwd=indexed)["hits"]
    assert Path(hit["path"]).is_file()
    (indexed / "one").mkdir()
    facts = run_json("relocate", "1", "one", "--force", cwd=indexed)  # though nothing is there yet
    assert (facts["looked_for"], facts["found"]) == (2, 0)
    (indexed / "one").rmdir()
    (indexed / "1").rename(indexed / "one")
    assert run_json("index", cwd=indexed)["unchanged"] == 3


def test_status_says_whether_it_is_up_to_date(indexed: Path) -> None:
    facts = run_json("status", cwd=indexed)
    assert facts["changes"] == {"new": 0, "changed": 0, "gone": 0, "caption_files": 0, "unreachable": 0}
    assert facts["without_vector"] == []
    assert facts["last_index"]["ended"].endswith("+00:00")
    assert facts["disk"]["total"] > facts["disk"]["catalogue"] > 0
    write_photo(indexed / "two/new.png", "black")
    text = run("status", cwd=indexed).stdout
    assert "no: 1 new; run `index`" in text
    assert "up to date" not in run("status", "--no-scan", cwd=indexed).stdout
    (indexed / "two/new.png").unlink()


def test_export_in_every_format(indexed: Path, tmp_path: Path) -> None:
    assert "3 vectors" in run("export", "--out", tmp_path / "npy", cwd=indexed).stdout
    vectors = np.load(tmp_path / "npy/img_emb/img_emb_0.npy")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    facts = run_json(
        "export",
        "--format",
        "jsonl",
        "--in",
        "captions",
        "--dtype",
        "float16",
        "--out",
        tmp_path / "j",
        cwd=indexed,
    )
    assert (facts["rows"], facts["files"]) == (1, ["captions.jsonl"])
    row = json.loads((tmp_path / "j/captions.jsonl").read_text())
    assert (row["caption"], row["image_path"]) == ("a red wall", str(indexed / "one/red.png"))
    assert len(row["embedding"]) == facts["dim"]
    assert "exists already" in run("export", "--out", tmp_path / "j", cwd=indexed, code=1).stderr
    pytest.importorskip("pyarrow")
    facts = run_json("export", "--format", "parquet", "--out", tmp_path / "p", cwd=indexed)
    assert facts["files"] == ["img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"]


def test_vacuum(indexed: Path) -> None:
    (indexed / ".twobranch/images-99.vectors").write_bytes(bytes(5000))
    facts = run_json("vacuum", cwd=indexed)
    assert facts["removed"] == ["images-99.vectors"]
    assert facts["freed"] == facts["before"] - facts["after"] >= 5000
    assert "freed; the library takes" in run("vacuum", cwd=indexed).stdout


def test_watch_indexes_what_comes_until_ctrl_c(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    write_photo(tmp_path / "p/a.png", "red")
    run("index", "p", cwd=tmp_path)
    # Ctrl-C is ignored in what a shell runs in the background, these tests perhaps; not so in a terminal.
    heeds = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", heeds, sys.executable, str(ROOT / "cli.py"), "watch", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "TWOBRANCH_LIBRARY"},
    )
    assert next_line(process, process.stderr) == "watching 1 folder; Ctrl-C ends it\n"
    write_photo(tmp_path / "p/b.png", "blue")
    line = next_line(process, process.stderr)
    assert line.endswith("1 added\n")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["added"] == 1
    assert run_json("status", cwd=tmp_path)["photos"] == 2


def test_config_toml_gives_defaults_that_options_override(indexed: Path) -> None:
    config = indexed / ".twobranch/config.toml"
    config.write_text('[search]\ntop = 1\npaths = true\n\n[index]\nexclude = ["two*"]\nno-such-comment = 1\n')
    error = run("search", "red", cwd=indexed, code=1).stderr
    assert error.startswith(f"error: {config}: `index` has no option 'no-such-comment'; keys in [index] are")
    config.write_text("[search]\ntop = 1\npaths = true\n\n[similarity]\njson = true\n")
    assert len(run("search", "red", cwd=indexed).stdout.splitlines()) == 1
    assert len(run("search", "red", "--top", "2", cwd=indexed).stdout.splitlines()) == 2
    assert json.loads(run("similarity", "one/red.png", "a red wall", cwd=indexed).stdout)["sentences"]
    config.unlink()


def test_config_toml_can_exclude(tmp_path: Path) -> None:
    write_photos(tmp_path, {"p/a.png": "red", "p/raw/b.png": "blue"})
    (tmp_path / ".twobranch").mkdir()
    (tmp_path / ".twobranch/config.toml").write_text('[index]\nexclude = ["raw"]\n')
    assert run_json("index", "p", cwd=tmp_path)["added"] == 1


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[search\n", "not a TOML file"),
        ("[find]\ntop = 1\n", "[find] is not the table of a command"),
        ("top = 1\n", "[top] is not the table of a command"),
        ("[search]\nTOP = 1\n", "no option 'TOP'; keys in [search] are "),
        ("[search]\ntop = 0\n", "search.top: 0 is not in the range"),
        ("[search]\nin = 'videos'\n", "search.in: 'videos' is not one of"),
        ("[search]\nexact = 'yes'\n", "search.exact is true or false, not 'yes'"),
        ("[index]\nexclude = 'raw'\n", "index.exclude takes a list, such as ['raw']"),
    ],
)
def test_mistakes_in_config_toml(tmp_path: Path, text: str, fact: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    error = run("--library", tmp_path, "status", cwd=tmp_path, code=1).stderr
    assert error.startswith(f"error: {tmp_path / 'config.toml'}: ")
    assert fact in error


def test_watch_without_a_library(tmp_path: Path) -> None:
    assert "no .twobranch folder" in run("watch", cwd=tmp_path, code=1).stderr


@pytest.mark.parametrize("command", MODULES)
def test_help_has_examples(command: str) -> None:
    text = run(command, "--help", cwd=ROOT).stdout
    assert "Example" in text
    assert f"\n    twobranch {command}" in text


def test_the_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def completed(words: str) -> list[str]:
        variables = {
            "_CLI.PY_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        command = [sys.executable, str(ROOT / "cli.py")]
        result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
        return result.stdout.split()

    assert completed("cli.py rel") == ["relocate"]
    assert completed("cli.py export --form") == ["--format"]


@pytest.mark.skipif(find_spec("rawpy") is not None, reason="rawpy is installed, so nothing is left out")
def test_raw_files_without_the_extra_are_one_note(tmp_path: Path) -> None:
    write_photo(tmp_path / "p/a.png", "red")
    for name in ("b.nef", "c.dng"):
        (tmp_path / "p" / name).write_bytes(b"x")
    result = run("index", "p", cwd=tmp_path)
    (note,) = (line for line in result.stderr.splitlines() if "left out" in line)
    assert note.startswith("2 files are left out; to index raw photos: ") and note.endswith("[raw]'")
    assert "1 added" in result.stdout and "0 failed" in result.stdout
