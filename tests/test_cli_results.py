"""What ``search`` does with its hits, end to end: formats, pages, copies, viewers, terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.fakes import write_photo
from tests.test_cli import ROOT, run, run_json

EVIL = '<img src=x onerror=alert(1)>, "so".jpg'
NOT_UTF_8 = os.fsdecode(b"caf\xe9.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small photos, one with a date and two with names that need care, and a caption; indexed."""
    place = tmp_path_factory.mktemp("place")
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2020:02:03 04:05:06"
    write_photo(place / "photos" / "dated.jpg", "red", exif=exif)
    write_photo(place / "photos" / EVIL, "orange")
    write_photo(place / "photos" / NOT_UTF_8, "green")
    write_photo(place / "photos" / "plain.png", "blue")
    (place / "captions.tsv").write_text('image\tcaption\nplain.png\tblue, and "nothing" else\n')
    run("index", "photos", "--captions", "captions.tsv", cwd=place)
    return place


@pytest.fixture
def no_graphics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is none of those that show pictures, whatever the tests are run in."""
    for name in ("TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def raw(*arguments: str, cwd: Path) -> bytes:
    """What ``search red`` prints."""
    command = [sys.executable, str(ROOT / "cli.py"), "search", "red", *arguments]
    return subprocess.run(command, capture_output=True, cwd=cwd, check=True).stdout


def test_hits_have_the_date_of_their_photo(place: Path) -> None:
    hits = run_json("search", "red", cwd=place)["hits"]
    dates = {Path(hit["path"]).name: hit["date"] for hit in hits}
    written = {Path(hit["path"]).name: _written(Path(hit["path"])) for hit in hits}
    assert dates == {**written, "dated.jpg": "2020-02-03T04:05:06"}
    assert {hit["date_from"] for hit in hits if hit["date"] != "2020-02-03T04:05:06"} == {"file"}
    header, *lines = raw(cwd=place).decode(errors="surrogateescape").splitlines()
    assert header.split() == ["rank", "score", "confidence", "date", "path"]
    assert [line.split()[3:5] for line in lines if line.endswith("dated.jpg")] == [["likely", "2020-02-03"]]
    captions = run("search", "blue", "--in", "captions", cwd=place).stdout.splitlines()
    assert captions[0].split()[-2:] == ["caption", "path"]


def _written(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime)).isoformat()


def test_null_ends_each_path(place: Path) -> None:
    paths = raw("--null", cwd=place).split(b"\0")
    assert paths.pop() == b""
    assert len(paths) == 4
    assert all(Path(os.fsdecode(path)).is_file() for path in paths)
    assert raw("-0", "--paths", cwd=place).split(b"\0")[:-1] == paths
    assert raw("--paths", cwd=place).splitlines() == paths


def test_csv_is_read_back_whole(place: Path) -> None:
    text = raw("--csv", cwd=place).decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["rank", "score", "confidence", "date", "path", "caption", "date_from"]
    for row, hit in zip(rows, run_json("search", "red", cwd=place)["hits"], strict=True):
        assert row == {key: "" if hit[key] is None else str(hit[key]) for key in row}
    (row,) = csv.DictReader(run("search", "blue", "--in", "captions", "--csv", cwd=place).stdout.splitlines())
    assert row["caption"] == 'blue, and "nothing" else'
    header = "rank,score,confidence,date,path,caption,date_from\n"
    assert run("search", "red", "--min-confidence", "1", "--csv", cwd=place).stdout == header


def test_html_is_one_page(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "hits.html"
    result = run("search", "something <b>red</b>", "--html", page, "--json", cwd=place)
    assert len(json.loads(result.stdout)["hits"]) == 4  # a page comes on top of what is printed
    assert result.stderr.splitlines()[-1] == f"{page}: 4 hits"
    html = page.read_text(encoding="utf-8")
    assert html.count('src="data:image/jpeg;base64,') == 4
    assert "<title>something &lt;b&gt;red&lt;/b&gt;</title>" in html
    assert "&lt;img src=x onerror=alert(1)&gt;, &quot;so&quot;.jpg" in html
    assert "<img src=x" not in html
    assert "caf%E9.png" in html
    assert "2020-02-03" in html
    for words in ("red 2020", "february 2020"):
        dated = run("search", words, "--html", "-", cwd=place).stdout
        assert f"<title>{words}</title>" in dated
    error = run("search", "red", "--html", tmp_path / "no" / "hits.html", cwd=place, code=1).stderr
    assert "hits.html: cannot be written (No such file or directory)" in error


def test_html_to_stdout_is_the_page_alone(place: Path, tmp_path: Path) -> None:
    run("search", "red", "--html", tmp_path / "hits.html", "--json", cwd=place)
    result = run("search", "red", "--html", "-", cwd=place)
    assert result.stdout == (tmp_path / "hits.html").read_text(encoding="utf-8")
    assert not (place / "-").exists()
    for other in ("--json", "--csv", "--paths", "-0", "--thumbnails"):
        error = run("search", "red", "--html", "-", other, cwd=place, code=2).stderr
        assert "--html - exclude each other" in error


def test_copies_sort_by_rank(place: Path, tmp_path: Path) -> None:
    search = ("search", "red", "-k", "2", "--paths", "--copy-to", tmp_path / "out")
    result = run(*search, cwd=place)
    found = result.stdout.splitlines()
    assert result.stderr.splitlines()[-1] == f"{tmp_path / 'out'}: 2 photos copied"
    for rank, photo in enumerate(map(Path, found), start=1):
        assert (tmp_path / "out" / f"{rank:03}-{photo.name}").read_bytes() == photo.read_bytes()
    assert run(*search, cwd=place).stderr.splitlines()[-1].endswith("0 photos copied, 2 were there")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_what_cannot_be_copied_is_said_and_is_an_error(tmp_path: Path) -> None:
    gone = write_photo(tmp_path / "photos" / "gone.png", "red")
    write_photo(tmp_path / "photos" / "here.png", "blue")
    run("index", "photos", cwd=tmp_path)
    gone.unlink()
    result = run("search", "red", "--copy-to", "out", cwd=tmp_path, code=1)
    assert f"warning: {gone}: not copied (No such file or directory)\n" in result.stderr
    assert result.stderr.endswith("out: 1 photo copied\nerror: out: 1 photo not copied\n")
    assert len(result.stdout.splitlines()) == 3  # the table is there all the same
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="stands in for the viewer of Linux desktops")
def test_open_hands_the_photos_to_the_viewer(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = tmp_path / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$1" >>"{tmp_path}/opened"\n[ "$1" != "{place}/photos/plain.png" ]\n'
    )
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{viewer.parent}{os.pathsep}{os.environ['PATH']}")
    best = run("search", "red", "-k", "2", "--open", "--paths", cwd=place).stdout.splitlines()
    assert sorted((tmp_path / "opened").read_text().splitlines()) == sorted(best)
    result = run("search", "red", "--open", "--json", cwd=place, code=1)
    assert result.stderr.endswith("photos/plain.png: xdg-open could not open it (exit code 1)\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("search", "red", "--open", cwd=place, code=1)
    assert "no viewer: xdg-open is not installed" in result.stderr
    assert result.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="stands in for the viewer of Linux desktops")
def test_open_stops_at_ten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(11):
        write_photo(tmp_path / "photos" / f"{number}.png", (250 - number, 0, 0))
    run("index", "photos", cwd=tmp_path)
    viewer = tmp_path / "xdg-open"
    viewer.write_text(f'#!/bin/sh\necho "$1" >>"{tmp_path}/opened"\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    result = run("search", "red", "-k", "11", "--no-fold", "--open", "--paths", cwd=tmp_path)
    assert result.stderr.endswith("opened the first 10 of 11 photos\n")
    opened = (tmp_path / "opened").read_text().splitlines()
    assert sorted(opened) == sorted(result.stdout.splitlines()[:10])


def in_a_terminal(*arguments: str, cwd: Path, command: str = "search red") -> str:
    """What ``search red``, or another command, sends to a terminal of 80 columns."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = [sys.executable, str(ROOT / "cli.py"), *command.split(), *arguments]
    environment = {**os.environ, "COLUMNS": "80"}
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, cwd=cwd, env=environment
    ):
        os.close(theirs)
        sent = b""
        try:
            while more := os.read(ours, 1 << 16):
                sent += more
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)
    return sent.decode(errors="surrogateescape").replace("\r\n", "\n")


def test_thumbnails_where_the_terminal_can(
    place: Path, monkeypatch: pytest.MonkeyPatch, no_graphics: None
) -> None:
    assert in_a_terminal(cwd=place).startswith("rank  score")
    assert in_a_terminal("--thumbnails", cwd=place).startswith(
        "\x1bP0;1;0q"
    )  # Sixel, unless it is known better
    monkeypatch.setenv("TERM", "xterm-kitty")
    kitty = in_a_terminal(cwd=place)
    assert kitty.startswith("\x1b_Ga=T,f=100,q=2,c=64,m=")  # four photos, 16 columns each
    assert "\x1b\\\nrank  score" in kitty
    assert in_a_terminal("--no-thumbnails", cwd=place).startswith("rank  score")
    assert in_a_terminal("--csv", cwd=place).startswith("rank,score")


def test_thumbnails_in_a_pipe_only_when_asked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch, no_graphics: None
) -> None:
    monkeypatch.setenv("TERM_PROGRAM", "WezTerm")
    assert raw(cwd=place).startswith(b"rank  score")
    assert raw("--thumbnails", cwd=place).startswith(b"\x1b]1337;File=inline=1;size=")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "--csv"], "--json and --csv exclude each other"),
        (["--csv", "--paths"], "--csv and --paths exclude each other"),
        (["--json", "--null"], "--json and --null exclude each other"),
        (["--paths", "--thumbnails"], "--paths and --thumbnails exclude each other"),
        (["--html"], "--html"),
    ],
)
def test_options_that_contradict_one_another(tmp_path: Path, options: list[str], message: str) -> None:
    result = run("search", "red", *options, cwd=tmp_path, code=2)  # before it misses a library
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""


def test_a_plain_search_loads_nothing_of_this(place: Path, no_graphics: None) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "cli.py"), "search", "red"]
    result = subprocess.run(command, capture_output=True, cwd=place, check=True, text=True, errors="replace")
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if "|" in line}
    assert "twobranch.retrieval.display.tables" in imported
    ours = {
        "twobranch.retrieval.display.contact_sheet",
        "twobranch.retrieval.display.open_photos",
        "twobranch.retrieval.display.terminal",
        "twobranch.retrieval.display.sixel",
    }
    assert imported & (ours | {"csv", "PIL.ImageDraw", "PIL.ImageFont"}) == set()


def test_hits_of_filters_alone_have_no_score(place: Path, tmp_path: Path) -> None:
    result = run(
        "search", "--after", "2020", "--before", "2021", "--csv", "--html", tmp_path / "a.html", cwd=place
    )
    assert result.stdout.splitlines()[1:] == [f"1,,,2020-02-03T04:05:06,{place}/photos/dated.jpg,,photo"]
    assert '<h1 dir="auto">Photos</h1>' in (tmp_path / "a.html").read_text(encoding="utf-8")
