"""``duplicates``, and searches that fold what looks alike, end to end with the shipped model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.test_cli import ROOT, run, run_json
from tests.wheelphotos import wheel_photo


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cup of coffee four times, and two other photos; the stereo pair of a motorcycle is two photos."""
    place = tmp_path_factory.mktemp("place")
    photos = place / "photos"
    photos.mkdir()
    for name in ("coffee.png", "motorcycle_left.png", "motorcycle_right.png"):
        shutil.copy(wheel_photo(name), photos)
    with Image.open(photos / "coffee.png") as coffee:
        coffee.save(photos / "coffee.jpg", quality=95)
        coffee.crop((20, 10, 590, 390)).save(photos / "coffee cropped.jpg", quality=90)
        coffee.resize((450, 300)).save(photos / "coffee small.jpg", quality=90)
    run("index", "photos", cwd=place)
    return place


# 600 x 400 and the larger file; then fewer pixels each
ORDER = ["coffee.png", "coffee.jpg", "coffee cropped.jpg", "coffee small.jpg"]


def test_the_groups_and_what_to_keep(place: Path) -> None:
    found = run_json("duplicates", cwd=place)
    group = found["groups"][0]["photos"]
    assert len(found["groups"]) == 1
    assert [photo["path"] for photo in group] == [str(place / "photos" / name) for name in ORDER]
    assert [photo["keep"] for photo in group] == [True, False, False, False]
    assert [(photo["width"], photo["height"]) for photo in group] == [
        (600, 400),
        (600, 400),
        (570, 380),
        (450, 300),
    ]
    assert [photo["bytes"] for photo in group] == [(place / "photos" / name).stat().st_size for name in ORDER]
    assert (found["spare_photos"], found["skipped"]) == (3, [])
    first, *others, blank, total = run("duplicates", cwd=place).stdout.splitlines()
    assert first.startswith("keep  600 x 400  0.47 MB  ") and first.endswith("coffee.png")
    assert [line.rpartition("/")[2] for line in others] == ORDER[1:]
    assert blank == "" and total.startswith("1 group, 3 photos to spare, ")


def test_bare_paths_are_all_but_the_kept_one(place: Path) -> None:
    spare = [str(place / "photos" / name) for name in ORDER[1:]]
    assert run("duplicates", "--paths", cwd=place).stdout.splitlines() == spare
    assert run("duplicates", "-0", cwd=place).stdout == "".join(f"{path}\0" for path in spare)
    command = f"{sys.executable} {ROOT / 'cli.py'} duplicates --null | xargs -0 ls -1"
    listed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=place, check=True)
    assert sorted(listed.stdout.splitlines()) == sorted(spare)


def test_a_photo_that_is_gone_is_skipped_with_a_warning(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "photos", tmp_path / "photos")
    run("index", "photos", cwd=tmp_path)
    (tmp_path / "photos" / "coffee.png").unlink()
    result = run("duplicates", "--paths", cwd=tmp_path)
    gone = tmp_path / "photos" / "coffee.png"
    assert result.stderr == f"warning: skipped {gone}: no such file or directory\n"
    assert [Path(path).name for path in result.stdout.splitlines()] == ORDER[2:]  # coffee.jpg is kept now


def test_no_near_duplicates(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "photos", tmp_path / "photos", ignore=shutil.ignore_patterns("coffee*"))
    run("index", "photos", cwd=tmp_path)
    result = run("duplicates", cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("", "no near-duplicates\n")
    assert run_json("duplicates", cwd=tmp_path)["groups"] == []


def test_a_search_folds_what_looks_alike(place: Path) -> None:
    every = run_json("search", "a cup of coffee", "--no-fold", cwd=place)["hits"]
    assert len(every) == 6 and all(hit["alike"] == [] for hit in every)
    hits = run_json("search", "a cup of coffee", cwd=place)["hits"]
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    shown = [path for hit in hits for path in (hit["path"], *hit["alike"])]
    assert sorted(shown) == sorted(hit["path"] for hit in every)
    best = hits[0]
    assert len(best["alike"]) >= 1 and all("coffee" in path for path in (best["path"], *best["alike"]))
    first = run("search", "a cup of coffee", cwd=place).stdout.splitlines()[1]
    assert first.endswith(f"{best['path']}  +{len(best['alike'])} alike")
    paths = run("search", "a cup of coffee", "--paths", cwd=place).stdout.splitlines()
    assert paths == [hit["path"] for hit in hits]
