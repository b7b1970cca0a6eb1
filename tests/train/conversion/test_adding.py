"""Models of transformers and open_clip from their folders to hits, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("open_clip")

from tests.fakes import write_photo
from tests.test_cli import run, run_json
from tests.train.conversion import smallmodels
from twobranch.embedding.encoder import Encoder

WRITERS = {"transformers": smallmodels.write_multilingual_clip, "open_clip": smallmodels.write_open_clip_clip}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three photos, and a place for models."""
    monkeypatch.setenv("TWOBRANCH_MODELS", str(tmp_path / "models"))
    for color in ("red", "green", "blue"):
        write_photo(tmp_path / "photos" / f"{color}.png", color)
    return tmp_path


@pytest.mark.parametrize("layout", WRITERS)
def test_a_model_is_added_and_used(layout: str, place: Path) -> None:
    write: Callable[[Path], Path] = WRITERS[layout]
    write(place / "source")
    added = run("models", "add", "source", "--name", "small", cwd=place)
    assert "added small: 16 numbers a vector" in added.stdout
    run("index", "photos", "--model", "small", cwd=place)
    hits = run_json("search", "a dog", cwd=place)["hits"]
    # The weights are random, so the photos' order means nothing; their scores are the inner products.
    encoder = Encoder.load(place / "models/small", verify=True)
    rows = encoder.encode_images([hit["path"] for hit in hits]) @ encoder.encode_texts(["a dog"])[0]
    np.testing.assert_allclose([hit["score"] for hit in hits], rows, atol=1e-4)
    assert len(hits) == 3


def test_an_added_model_needs_no_pytorch(place: Path) -> None:
    smallmodels.write_open_clip_clip(place / "source")
    run("models", "add", "source", "--name", "small", cwd=place)
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'open_clip')))\n"
        "from twobranch import Encoder\n"
        "print(Encoder.load(sys.argv[1]).encode_texts(['a dog']).shape)"
    )
    command = [sys.executable, "-c", program, str(place / "models/small")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "(1, 16)\n"


def test_a_damaged_model_leaves_nothing_behind(place: Path) -> None:
    smallmodels.write_clip(place / "source")
    (place / "source/model.safetensors").rename(place / "source/pytorch_model.bin")
    result = run("models", "add", "source", cwd=place, code=1)
    assert "pytorch_model.bin: a pickle, which can run code" in result.stderr
    assert list((place / "models").iterdir()) == []
