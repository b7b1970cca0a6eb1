"""The command line end to end, with the shipped model, in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import write_photo, write_photos
from tests.wheelphotos import wheel_photo
from twobranch.embedding.encoder import Encoder

ROOT = Path(__file__).parent.parent
SHOWN = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def run(*arguments: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """One run of ``cli.py``; its exit code must be ``code``, and it never shows a traceback."""
    environment = {name: value for name, value in os.environ.items() if name != "TWOBRANCH_LIBRARY"}
    result = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )
    assert "Traceback" not in result.stderr
    assert result.returncode == code, result.stderr
    return result


def run_json(*arguments: str | Path, cwd: Path) -> Any:
    return json.loads(run(*arguments, "--json", cwd=cwd).stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five real photographs and captions for them, indexed."""
    place = tmp_path_factory.mktemp("place")
    photos = place / "photos"
    photos.mkdir()
    for name in SHOWN:
        shutil.copy(wheel_photo(name), photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    (place / "captions.tsv").write_text(
        "image\tcaption\n"
        "motorcycle_left.png\tA motorcycle is parked in a garage .\n"
        "coffee.png\tA cup of coffee with a spoon .\n"
        "astronaut.png\tA smiling woman in an orange space suit .\n"
        "rocket.jpg\tA rocket stands in the dark sky .\n"
        "elsewhere.jpg\tTwo dogs run through the snow .\n"
    )
    report = run_json("index", "photos", "--captions", "captions.tsv", cwd=place)
    assert report["added"] == len(SHOWN)
    assert report["failed"] == [{"path": str(photos / "broken.jpg"), "reason": report["failed"][0]["reason"]}]
    assert report["captions_without_image"] == 1
    return place


def test_indexing_again_encodes_nothing(place: Path) -> None:
    report = run_json("index", "photos", "--captions", "captions.tsv", cwd=place)
    changes = {
        name: report[name] for name in ("added", "updated", "moved", "removed", "encoded", "captions_added")
    }
    assert set(changes.values()) == {0}
    assert report["unchanged"] == len(SHOWN)


def test_words_find_the_photo(place: Path) -> None:
    answer = run_json("search", "a", "motorcycle", "-k", "2", cwd=place)
    assert (answer["query"], answer["in"]) == ("a motorcycle", "images")
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2]
    assert answer["hits"][0]["path"] == str(place / "photos" / "motorcycle_left.png")
    assert answer["hits"][0]["caption"] is None
    assert answer["hits"][0]["score"] > answer["hits"][1]["score"]
    assert answer["took_ms"] > 0


def test_a_search_imports_nothing_that_takes_long(place: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "cli.py"), "search", "a motorcycle"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=place, check=True)
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "onnxruntime" in imported
    # Each of these takes a tenth of a second or more; the whole search takes three.
    heavy = {
        "faiss",
        "sqlalchemy",
        "pydantic",
        "torch",
        "matplotlib",
        "gensim",
        "transformers",
        "scipy",
        "pandas",
    }
    assert heavy & imported == set()


def test_the_scores_are_those_of_the_python_api(place: Path) -> None:
    encoder = Encoder.load("default")
    photos = sorted((place / "photos").glob("*g"))
    photos = [photo for photo in photos if photo.name != "broken.jpg"]
    expected = encoder.encode_images(photos) @ encoder.encode_texts(["red car on a street"])[0]
    hits = run_json("search", "red car on a street", cwd=place)["hits"]
    by_path = dict(zip(map(str, photos), expected, strict=True))
    assert [hit["score"] for hit in hits] == pytest.approx([by_path[hit["path"]] for hit in hits], abs=1e-5)
    assert [hit["score"] for hit in hits] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)


def test_a_photo_finds_captions_and_other_photos(place: Path) -> None:
    captions = run_json("search", "./photos/coffee.png", "--in", "captions", cwd=place)
    assert captions["hits"][0]["caption"] == "A cup of coffee with a spoon ."
    assert captions["hits"][0]["path"] == str(place / "photos" / "coffee.png")
    photos = run_json("search", "./photos/coffee.png", "-k", "100", cwd=place)
    assert len(photos["hits"]) == len(SHOWN) - 1
    assert "coffee.png" not in {Path(hit["path"]).name for hit in photos["hits"]}


def test_words_find_captions_without_a_photo(place: Path) -> None:
    hit = run_json("search", "dogs in snow", "--in", "captions", "-k", "1", cwd=place)["hits"][0]
    assert (hit["caption"], hit["path"]) == ("Two dogs run through the snow .", None)


def test_the_table_and_the_bare_paths(place: Path) -> None:
    header, first, *_ = run("search", "a motorcycle", "--visual-only", cwd=place).stdout.splitlines()
    assert header.split() == ["rank", "score", "confidence", "date", "path"]
    rank, score, confidence, tier, _, of_file, path = first.split()
    assert (tier, of_file) == ("likely", "(file)")
    assert (rank, len(score), Path(path).name) == ("1", 5, "motorcycle_left.png")
    assert confidence.endswith("%")
    paths = run("search", "a motorcycle", "--paths", cwd=place).stdout.splitlines()
    assert Path(paths[0]).name == "motorcycle_left.png"
    assert all(Path(path).is_file() for path in paths)


def test_unlikely_hits_are_called_so_and_left_out(place: Path) -> None:
    likely = run_json("search", "a motorcycle parked in a garage", cwd=place)
    confidences = [hit["confidence"] for hit in likely["hits"]]
    assert likely["matches_well"] is True
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.5 > confidences[1]
    kept = run_json("search", "a motorcycle parked in a garage", "--min-confidence", "0.5", cwd=place)
    assert kept["hits"] == likely["hits"][:1]

    nothing = ("search", "two brown dogs run through deep snow")  # there is none among these photos
    assert run_json(*nothing, cwd=place)["matches_well"] is False
    shown = run(*nothing, cwd=place)
    assert shown.stderr == "nothing here matches well\n"
    assert len(shown.stdout.splitlines()) == 1 + len(SHOWN)
    assert all(Path(path).is_file() for path in run(*nothing, "--paths", cwd=place).stdout.splitlines())
    assert run(*nothing, "--min-confidence", "0.9", cwd=place).stdout == ""


def test_a_model_without_calibration_searches_as_before(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(ROOT / "embedding" / "models" / "default", model)
    config = json.loads((model / "config.json").read_text())
    config["files"].pop("calibration.npz", None)
    (model / "config.json").write_text(json.dumps(config))
    (model / "config.sha256").unlink()  # as folders have none that an earlier version wrote
    (model / "calibration.npz").unlink(missing_ok=True)
    write_photo(tmp_path / "photos" / "a.png", "red")
    run("index", "photos", "--model", model, cwd=tmp_path)
    answer = run_json("search", "red", cwd=tmp_path)
    assert (answer["matches_well"], answer["hits"][0]["confidence"]) == (None, None)
    assert run("search", "red", cwd=tmp_path).stdout.split()[:4] == ["rank", "score", "date", "path"]
    error = run("search", "red", "--min-confidence", "0.5", cwd=tmp_path, code=1).stderr
    assert "has no calibration" in error


def test_eval_agrees_with_naive_numpy(place: Path) -> None:
    result = run_json("eval", "--recall", "1,2,5", cwd=place)
    assert (result["n_images"], result["n_captions"], result["model"]) == (4, 4, "default")
    encoder = Encoder.load("default")
    lines = [line.split("\t") for line in (place / "captions.tsv").read_text().splitlines()[1:-1]]
    images = encoder.encode_images([place / "photos" / name for name, _ in lines])
    scores = images @ encoder.encode_texts([text for _, text in lines]).T
    for way, matrix in (("image_to_text", scores), ("text_to_image", scores.T)):
        ranks = [1 + sum(matrix[i, j] >= matrix[i, i] for j in range(4) if j != i) for i in range(4)]
        for k in (1, 2, 5):
            assert result[way][f"R@{k}"] == pytest.approx(100 * np.mean(np.array(ranks) <= k), abs=0.1)
        assert result[way]["median_rank"] == np.median(ranks)


def test_eval_draws_keeps_and_lists(place: Path) -> None:
    run("eval", "--plot", "recall.png", cwd=place)
    assert (place / "recall.png").read_bytes().startswith(b"\x89PNG")
    rows = run_json("eval", "--history", cwd=place)
    assert rows[-1]["command"] == "cli.py eval --plot recall.png"
    assert "rsum" in run("eval", "--history", cwd=place).stdout


def test_similarity_needs_no_library(place: Path, tmp_path: Path) -> None:
    photos = place / "photos"
    result = run_json("similarity", photos, "a motorcycle", "a cup of coffee", cwd=tmp_path)
    assert [Path(path).name for path in result["images"]] == list(SHOWN)
    assert result["sentences"] == ["a motorcycle", "a cup of coffee"]
    scores = np.array(result["scores"])
    assert scores.shape == (len(SHOWN), 2)
    assert [SHOWN[row] for row in scores.argmax(axis=0)] == ["motorcycle_left.png", "coffee.png"]
    assert not (tmp_path / ".twobranch").exists()
    table = run("similarity", photos, "a motorcycle", cwd=tmp_path).stdout.splitlines()
    assert table[0] == "a motorcycle:"
    assert table[1].endswith("motorcycle_left.png")


def test_status_and_models(place: Path) -> None:
    facts = run_json("status", cwd=place)
    assert (facts["model"], facts["searchable_photos"]) == ("default", len(SHOWN))
    assert [Path(failure["path"]).name for failure in facts["failed"]] == ["broken.jpg"]
    assert "broken.jpg" in run("status", cwd=place).stdout
    (model,) = run_json("models", cwd=place)
    assert model["name"] == "default"
    assert model["rsum"] >= 250


def test_global_options_may_stand_anywhere(place: Path, tmp_path: Path) -> None:
    library = place / ".twobranch"
    before = run("--library", library, "search", "a cat", "--paths", cwd=tmp_path).stdout
    after = run("search", "a cat", "--paths", "--library", library, cwd=tmp_path).stdout
    assert before == after != ""


TRAIN = ("train", "no.csv", "--images", ".", "--out", "m")


@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        (["search", "dog"], 1, "no .twobranch folder"),
        (["index", "nowhere"], 1, "nowhere"),
        (["search"], 2, "describe a photo"),
        (["search", "dog", "-k", "0"], 2, "--top"),
        (["search", "dog", "--in", "videos"], 2, "videos"),
        (["search", "dog", "--min-confidence", "2"], 2, "--min-confidence"),
        (["eval", "--recall", "1,x"], 2, "1,x"),
        (["eval", "--recall", "99999999999999999999"], 2, "1 to 1,000,000"),
        (["similarity", "./no.jpg", "a dog"], 1, "no such photo"),
        (["index", ".", "--model", "no-such-model"], 1, "no-such-model"),
        (["train", "no.csv", "--images", ".", "--out", "m", "--preset", "nope"], 2, "nope"),
        (["train", "no.csv", "--images", ".", "--out", "m"], 1, "no.csv"),
        ([*TRAIN, "--backbone", "resnet18"], 1, "or a backbone: efficientnet-lite0"),
        ([*TRAIN, "--backbone", "default", "--preset", "flickr8k"], 1, "presets adapter, seed, paper"),
        ([*TRAIN, "--preset", "adapter"], 1, "add --backbone MODEL"),
        ([*TRAIN, "--backbone", "default", "--weights", "w.pth"], 1, "leave --weights out"),
    ],
)
def test_mistakes_get_one_clear_line(tmp_path: Path, arguments: list[str], code: int, fact: str) -> None:
    result = run(*arguments, cwd=tmp_path, code=code)
    assert fact in result.stderr
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1


def test_an_empty_folder_is_a_library_without_hits(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert run_json("index", "photos", cwd=tmp_path)["added"] == 0
    assert run_json("search", "a dog", cwd=tmp_path)["hits"] == []
    assert "nothing to search" in run("search", "a dog", cwd=tmp_path).stderr


def test_file_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_photo(tmp_path / "photos" / name, "red")
    run("index", "photos", cwd=tmp_path)
    result = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "search", "red", "--paths"], capture_output=True, cwd=tmp_path
    )
    assert result.stdout == os.fsencode(tmp_path / "photos" / name) + b"\n"


@pytest.mark.skipif(os.name == "nt", reason="this system has no such locale")
def test_names_in_the_c_locale(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", {"家族/red.png": "red", "other/blue.png": "blue"})
    run("index", "photos", cwd=tmp_path)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    red, blue = tmp_path / "photos/家族/red.png", tmp_path / "photos/other/blue.png"
    for arguments, expected in (
        (["--path", "家族"], red),
        (["--not-path", "家族"], blue),
        ([red, "--path", "other"], blue),
    ):
        found = subprocess.run(
            [sys.executable, str(ROOT / "cli.py"), "search", "--paths", *map(str, arguments)],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, **ascii_only},
        )
        assert (found.stderr, found.stdout.decode()) == (b"", f"{expected}\n")


def test_a_reader_that_has_seen_enough_is_no_error(place: Path) -> None:
    command = f"set -o pipefail; {sys.executable} {ROOT / 'cli.py'} search coffee -k 1000 --paths | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=place)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_that_cannot_show_a_name_gets_it_escaped(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "日本.png", "red")
    run("index", "photos", cwd=tmp_path)
    result = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "search", "red"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert result.returncode == 0
    assert b"\\u65e5\\u672c.png" in result.stdout


def test_a_library_whose_model_is_gone_says_what_to_do(place: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(ROOT / "embedding" / "models" / "default", model)
    write_photo(tmp_path / "photos" / "a.png", "red")
    run("index", "photos", "--model", model, cwd=tmp_path)
    assert run_json("search", "red", cwd=tmp_path)["hits"]
    shutil.rmtree(model)
    error = run("search", "red", cwd=tmp_path, code=1).stderr
    assert "which is gone" in error
    assert "index --model default" in error


def test_a_damaged_model_file_is_refused_before_it_is_used(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(ROOT / "embedding" / "models" / "default", model)
    tower = model / "image.onnx"
    tower.write_bytes(tower.read_bytes()[:-1] + b"\0\0")
    (tmp_path / "photos").mkdir()
    assert "image.onnx" in run("index", "photos", "--model", model, cwd=tmp_path, code=1).stderr


def test_help_is_instant_and_truthful() -> None:
    for command in ("index", "search", "eval", "similarity", "train", "status", "models"):
        assert "Usage" in run(command, "--help", cwd=ROOT).stdout
    assert run("--version", cwd=ROOT).stdout.startswith("twobranch ")


def test_tta_is_remembered_until_it_is_turned_off(place: Path, tmp_path: Path) -> None:
    photos = place / "photos"

    def tta(*options: str) -> tuple[bool, int]:
        report = run_json("index", photos, *options, cwd=tmp_path)
        assert run_json("status", cwd=tmp_path)["tta"] == report["tta"]
        return report["tta"], report["encoded"]

    assert tta("--tta") == (True, len(SHOWN))
    assert "default --tta" in run("status", cwd=tmp_path).stdout
    assert tta() == (True, 0)
    # A photo as query has the library's views: it finds its own copy with a cosine of 1.
    shutil.copy(photos / "coffee.png", tmp_path)
    (hit,) = run_json("search", "./coffee.png", "-k", "1", cwd=tmp_path)["hits"]
    assert (Path(hit["path"]).name, hit["score"]) == ("coffee.png", pytest.approx(1, abs=1e-5))
    result = run("index", photos, "--no-tta", cwd=tmp_path)
    assert "changes from default --tta to default: 5 photos are encoded again" in result.stderr
    assert tta() == (False, 0)


def test_int8_is_remembered_and_finds_the_same(place: Path, tmp_path: Path) -> None:
    report = run_json(
        "index", place / "photos", "--int8", "--workers", "1", "--batch-size", "2", cwd=tmp_path
    )
    assert (report["int8"], report["tta"], report["encoded"]) == (True, False, len(SHOWN))
    again = run_json("index", place / "photos", cwd=tmp_path)
    assert (again["int8"], again["encoded"]) == (True, 0)
    assert "default --int8" in run("status", cwd=tmp_path).stdout
    (hit,) = run_json("search", "a cup of coffee", "-k", "1", cwd=tmp_path)["hits"]
    assert Path(hit["path"]).name == "coffee.png"


def test_int8_and_cuda_where_there_is_none(place: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(ROOT / "embedding" / "models" / "default", model)
    config = json.loads((model / "config.json").read_text())
    del config["files"]["image-int8.onnx"]
    (model / "config.json").write_text(json.dumps(config))
    (model / "config.sha256").unlink()  # as folders have none that an earlier version wrote
    error = run("index", place / "photos", "--model", model, "--int8", cwd=tmp_path, code=1).stderr
    assert "this model has no int8 tower; make it with `python -m twobranch.train.output.quantise`" in error
    assert "no CUDA" in run("index", place / "photos", "--device", "cuda", cwd=tmp_path, code=1).stderr


def test_a_plan_touches_nothing(place: Path, tmp_path: Path) -> None:
    facts = run_json("index", "--plan", "5000000", place / "photos", cwd=tmp_path)
    assert (facts["photos"], facts["index"], facts["lists"]) == (5_000_000, "inverted lists", 4096)
    assert facts["measured_on"] == f"{len(SHOWN)} of these photos"
    assert not any(tmp_path.iterdir())
    assert "inverted lists: 4,096" in run("index", "--plan", "5000000", place / "photos", cwd=tmp_path).stdout


def test_index_needs_a_folder(tmp_path: Path) -> None:
    assert "name the folders of your photos" in run("index", cwd=tmp_path, code=2).stderr
