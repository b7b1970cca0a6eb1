"""``where`` and ``search --where``, end to end, with a small model of which answers can be computed."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

pytest.importorskip("onnx")

from tests.fakes import write_photo
from tests.smallmodel import add_cells, write_model
from tests.test_cli import ROOT, run, run_json
from tests.test_cli_results import in_a_terminal

COLD = "nothing in this photo fits"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with cells and one without; a photo that is red on its left, one that is blue; a library."""
    place = tmp_path_factory.mktemp("place")
    write_model(place / "plain")
    folder = write_model(place / "small")
    add_cells(folder)
    photos = place / "photos"
    half = Image.new("RGB", (80, 40), "blue")
    ImageDraw.Draw(half).rectangle((0, 0, 39, 39), fill="red")
    photos.mkdir()
    half.save(photos / "half.png")
    write_photo(photos / "blue.png", (0, 0, 250))
    (place / "captions.tsv").write_text("image\tcaption\nhalf.png\tred and blue\n")
    run("index", "photos", "--model", folder, "--captions", "captions.tsv", cwd=place)
    return place


def where(place: Path, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return run("where", "photos/half.png", *arguments, "--model", "small", cwd=place, code=code)


def test_a_table_for_each_phrase(place: Path) -> None:
    red, header, row, dog = where(place, "red", "dog").stdout.splitlines()
    assert red == "red:"
    assert header.split() == ["score", "confidence", "box"]
    assert re.fullmatch(r"0\.9\d\d  9\d%         0,0 to (3|4)\d,40", row)
    assert dog == f"dog: {COLD} (<1% at most)"


def test_no_library_is_needed_or_made(place: Path, tmp_path: Path) -> None:
    photo, model = place / "photos" / "half.png", place / "small"
    assert "0,0 to" in run("where", photo, "red", "--model", model, cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_path_and_each_phrase(place: Path) -> None:
    found = json.loads(where(place, "red", "dog", "--json").stdout)
    assert (found["path"], found["width"], found["height"]) == (str(place / "photos" / "half.png"), 80, 40)
    red, dog = found["phrases"]
    assert (red["phrase"], red["heat"]) == ("red", [[1] * 4 + [0] * 4] * 8)
    assert red["regions"][0]["box"][:2] == [0, 0]
    assert dog["regions"] == []


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP")])
def test_a_picture_in_the_format_of_its_suffix(place: Path, tmp_path: Path, name: str, kind: str) -> None:
    result = where(place, "red", "--out", tmp_path / name)
    assert result.stdout.startswith("red:")  # a picture comes on top of what is printed
    assert result.stderr == f"{tmp_path / name}: written\n"
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        assert image.width >= 400  # the photo is small, but its labels can be read
        hot, cold = image.convert("RGB").getpixel((60, 200)), image.convert("RGB").getpixel((350, 200))
    assert isinstance(hot, tuple) and isinstance(cold, tuple)
    assert hot[1] > 150 and cold[1] < 60  # the pale yellow of heat, and dimmed blue
    where(place, "dog", "--out", tmp_path / name)  # and may be written again


def test_a_picture_to_stdout_is_alone_there(place: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "where", "photos/half.png", "red", "dog"]
    command += ["--model", "small", "--out", "-"]
    result = subprocess.run(command, capture_output=True, cwd=place, check=True)
    with Image.open(io.BytesIO(result.stdout)) as image:
        assert image.format == "PNG"
    assert result.stderr == b"" and not (place / "-").exists()
    error = where(place, "red", "--out", "-", "--json", code=2).stderr
    assert "--out - and --json exclude each other" in " ".join(error.replace("│", " ").split())


def test_photos_are_never_overwritten(place: Path) -> None:
    half, blue = place / "photos" / "half.png", place / "photos" / "blue.png"
    before = half.read_bytes(), blue.read_bytes()
    assert where(place, "red", "--out", half, code=1).stderr.endswith(
        "is the photo itself, which stays as it is; give another name\n"
    )
    assert "exists and was not made by `where`" in where(place, "red", "--out", blue, code=1).stderr
    assert (half.read_bytes(), blue.read_bytes()) == before
    assert len(list((place / "photos").iterdir())) == 2


def test_mistakes_are_one_line(place: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no more")
    for arguments, error in (
        (("photos/none.png", "red"), f"{place}/photos/none.png: no such file"),
        (("photos", "red"), f"{place}/photos: a folder, not a photo"),
        ((broken, "red"), f"{broken}: not an image, or damaged at its beginning"),
        (("photos/half.png", "xyzzy"), "the model knows no word of this query: xyzzy"),
        (("photos/half.png", " "), "no phrase to look for; as in: where photo.jpg"),
        (("photos/half.png", "red", "--out", "a.gif"), "a.gif: a picture is written as .png"),
        (("photos/half.png", "red", "--out", "no/a.png"), "no/a.png: cannot be written (No such file"),
        (("photos/half.png", "red", "--language", "de"), "reads English only"),
        (("photos/half.png", "red", "--language", "xx"), "xx: no such language"),
        (
            ("photos/half.png", "red", "--model", "plain"),
            "plain: this model gives no cells, so it cannot tell",
        ),
        (("photos/half.png", "red", "--model", "none"), "none: no such model"),
    ):
        model = () if "--model" in arguments else ("--model", "small")
        result = run("where", *arguments, *model, cwd=place, code=1)
        assert error in result.stderr and result.stderr.count("\n") == 1, result.stderr
        assert result.stdout == ""
    run("where", "photos/half.png", cwd=place, code=2)


def test_a_phrase_that_no_picture_shows_is_said_to_be(place: Path) -> None:
    result = where(place, "red the", "the a")
    assert result.stderr.splitlines() == [
        "warning: the model does not know 'the'",
        "warning: 'the a' has only words that no photo shows; what is found is a guess",
    ]


def test_a_terminal_that_can_shows_the_picture(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    asked = ("photos/half.png", "red", "--model", "small")
    kitty = in_a_terminal(*asked, command="where", cwd=place)
    assert kitty.startswith("\x1b_Ga=T,f=100,q=2,c=")
    assert "\x1b\\\nred:\n" in kitty
    assert in_a_terminal(*asked, "--no-picture", command="where", cwd=place).startswith("red:\n")
    refused = in_a_terminal(*asked, "--out", "-", command="where", cwd=place)
    assert refused == ""  # on stderr: a terminal cannot show a PNG
    assert where(place, "red", "--picture").stdout.startswith("\x1b_G")
    assert where(place, "red").stdout.startswith("red:\n")


# --- search --where -----------------------------------------------------------------------------------


def test_hits_have_the_place_of_the_query(place: Path) -> None:
    header, half, blue = run("search", "red", "--where", cwd=place).stdout.splitlines()
    assert header.split()[-2:] == ["where", "path"]
    assert re.search(r"  0,0 to (3|4)\d,40  9\d%  .*half\.png$", half)
    assert re.search(r"  nothing fits  .*blue\.png$", blue)
    assert "where" not in run("search", "red", cwd=place).stdout.split()


def test_the_json_of_hits_has_their_maps(place: Path) -> None:
    half, blue = run_json("search", "red", "--where", cwd=place)["hits"]
    alone = run_json("where", half["path"], "red", "--model", "small", cwd=place)
    assert {"path": half["path"], **half["where"]} == alone
    assert blue["where"]["phrases"][0]["regions"] == []
    assert "where" not in run_json("search", "red", cwd=place)["hits"][0]


def test_each_sentence_that_a_query_moves_towards_is_looked_for(place: Path) -> None:
    (half, _) = run_json("search", "red", "+", "blue", "-", "dog", "--where", cwd=place)["hits"]
    assert [one["phrase"] for one in half["where"]["phrases"]] == ["red", "blue"]
    (row, _) = csv.DictReader(
        run("search", "red", "+", "blue", "--where", "--csv", cwd=place).stdout.splitlines()
    )
    assert re.fullmatch(r"red: 0,0 to \d+,40  \d+%; blue: \d+,0 to 80,40  \d+%", row["where"])


def test_a_page_has_heat_maps_to_switch_off(place: Path) -> None:
    page = run("search", "red", "--where", "--html", "-", cwd=place).stdout
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]*)', page)
    ]
    assert len(pictures) == 3  # of the blue photo, in which nothing fits, there is no second one
    photo, heat = (picture.getpixel((12, 30)) for picture in pictures[:2])
    assert isinstance(photo, tuple) and isinstance(heat, tuple)
    assert photo[1] < 30 and heat[1] > 150
    assert page.count('<input type="checkbox" id="map-1" checked>') == 1
    assert page.count('<label for="map-1">heat map</label>') == 1 and 'id="map-2"' not in page
    assert COLD in page and "<script" not in page


def test_a_terminal_shows_heat_maps(place: Path) -> None:
    plain, heated = (
        run("search", "red", "--thumbnails", *option, cwd=place).stdout.partition("rank")[0]
        for option in ((), ("--where",))
    )
    assert plain.startswith("\x1b") and heated.startswith("\x1b") and heated != plain


def test_a_photo_that_is_gone_keeps_its_place(tmp_path: Path, place: Path) -> None:
    for color in ("red", "green", "blue"):
        write_photo(tmp_path / "photos" / f"{color}.png", color)
    run("index", "photos", "--model", place / "small", cwd=tmp_path)
    (tmp_path / "photos" / "red.png").unlink()
    write_photo(tmp_path / "photos" / "green.png", "red")  # another photo than the one that was indexed
    result = run("search", "red", "--where", "--json", cwd=tmp_path)
    reasons = {Path(hit["path"]).stem: hit.get("where_failed") for hit in json.loads(result.stdout)["hits"]}
    assert reasons == {
        "red": "no such file",
        "green": "changed since it was indexed; run `index`",
        "blue": None,
    }
    table = run("search", "red", "--where", cwd=tmp_path).stdout.splitlines()
    assert len(table) == 4 and "  no such file  " in table[1]
    assert "no such file" in run("search", "red", "--where", "--html", "-", cwd=tmp_path).stdout


def test_searches_without_words_for_photos_are_refused(place: Path, tmp_path: Path) -> None:
    for arguments, error in (
        (
            ("red", "--in", "captions"),
            "--where looks into photos; leave it out, or search without --in captions",
        ),
        (("./photos/half.png",), "--where looks for words in photos; add some to the query, or leave it out"),
        (("--format", "png"), "--where looks for words in photos"),
        (
            ("the", "a"),
            "--where: 'the a' has only words that no photo shows; use other words, or leave it out",
        ),
    ):
        result = run("search", *arguments, "--where", cwd=place, code=1)
        assert error in result.stderr and result.stderr.count("\n") == 1, result.stderr
        assert result.stdout == ""
    write_photo(tmp_path / "photos" / "red.png", "red")
    run("index", "photos", "--model", place / "plain", cwd=tmp_path)
    error = run("search", "red", "--where", cwd=tmp_path, code=1).stderr
    assert error.startswith(f"error: {place / 'plain'}: this model gives no cells, so it cannot tell where")
    assert error.count("\n") == 1


def test_places_are_not_looked_for_in_vain(place: Path, tmp_path: Path) -> None:
    error = run("search", "red", "--where", "-0", cwd=place, code=2).stderr
    assert "--null shows no places; leave out --where" in " ".join(error.replace("│", " ").split())
    run("search", "red", "--where", "--paths", "--html", tmp_path / "a.html", cwd=place)
    assert "heat map" in (tmp_path / "a.html").read_text(encoding="utf-8")
