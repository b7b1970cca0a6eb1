"""Vectors and metadata as other programs read them."""

from __future__ import annotations

import builtins
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as PillowImage

from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from twobranch.common.errors import LibraryError, UserError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.export import export

COLUMNS = ["image_path", "caption", "date", "date_from", "camera", "width", "height", "latitude", "longitude"]


@pytest.fixture
def indexed(library: Path, photos: Path, encoder: FakeEncoder) -> Path:
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Model] = "Box"
    exif[ExifTags.Base.DateTime] = "2019:05:04 03:02:01"
    write_photo(photos / "blue.png", "blue", (16, 8), exif=exif)
    file = photos.parent / "c.csv"
    file.write_text("image,caption\nblue.png,blue\nblue.png,something blue\nnowhere.png,green\n")
    update_library(library, [photos], encoder, captions=file)
    return library


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_parquet_is_what_clip_retrieval_writes(indexed: Path, photos: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    done = export(indexed, tmp_path / "out", "parquet")
    assert (done.rows, done.dim) == (3, 4)
    assert done.files == ("img_emb/img_emb_0.npy", "metadata/metadata_0.parquet")
    vectors = np.load(tmp_path / "out/img_emb/img_emb_0.npy")
    table = parquet.read_table(tmp_path / "out/metadata/metadata_0.parquet")
    assert table.column_names == COLUMNS
    rows = table.to_pylist()
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, FakeEncoder().encode_images([row["image_path"] for row in rows]))
    (blue,) = (row for row in rows if row["image_path"] == str(photos / "blue.png"))
    assert blue["caption"] == "blue"  # the first of two
    assert (blue["camera"], blue["width"], blue["height"]) == ("Box", 16, 8)
    assert (blue["date"], blue["date_from"]) == (datetime(2019, 5, 4, 3, 2, 1), "photo")


def test_npy_needs_no_package_and_halves_the_size(indexed: Path, tmp_path: Path) -> None:
    done = export(indexed, tmp_path / "out", "npy", precision="float16")
    assert done.files == ("img_emb/img_emb_0.npy", "metadata/metadata_0.jsonl")
    vectors = np.load(tmp_path / "out/img_emb/img_emb_0.npy")
    rows = lines(tmp_path / "out/metadata/metadata_0.jsonl")
    assert vectors.dtype == np.float16
    expected = FakeEncoder().encode_images([row["image_path"] for row in rows])
    assert vectors == pytest.approx(expected, abs=1e-3)
    assert list(rows[0]) == COLUMNS
    written = {
        Path(row["image_path"]): datetime.fromtimestamp(Path(row["image_path"]).stat().st_mtime)
        for row in rows
        if row["date_from"] == "file"
    }
    assert len(written) == 2
    assert {row["date"] for row in rows} == {
        "2019-05-04T03:02:01",
        *(date.replace(microsecond=0).isoformat() for date in written.values()),
    }


def test_captions_come_with_their_photo(indexed: Path, photos: Path, tmp_path: Path) -> None:
    export(indexed, tmp_path / "out", "npy", "captions")
    vectors = np.load(tmp_path / "out/text_emb/text_emb_0.npy")
    rows = lines(tmp_path / "out/metadata/metadata_0.jsonl")
    blue = str(photos / "blue.png")
    assert [(row["caption"], row["image_path"]) for row in rows] == [
        ("blue", blue),
        ("something blue", blue),
        ("green", None),
    ]
    assert np.array_equal(vectors, FakeEncoder().encode_texts([row["caption"] for row in rows]))


def test_json_lines_hold_everything(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.retrieval.export._BLOCK", 2)  # three rows are two blocks
    progress = RecordedProgress()
    done = export(indexed, tmp_path / "out", "jsonl", progress=progress)
    assert (done.files, progress.done) == (("images.jsonl",), [3])
    rows = lines(tmp_path / "out/images.jsonl")
    assert list(rows[0]) == [*COLUMNS, "embedding"]
    vectors = np.array([row["embedding"] for row in rows])
    expected = FakeEncoder().encode_images([row["image_path"] for row in rows])
    assert vectors == pytest.approx(expected, abs=1e-9)


def test_nothing_is_overwritten_and_nothing_is_left_half_done(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    export(indexed, tmp_path / "out", "jsonl")  # empty: fine
    with pytest.raises(UserError, match="exists already"):
        export(indexed, tmp_path / "out", "jsonl")

    def fail(vectors: list[bytes], dim: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("twobranch.retrieval.export.as_matrix", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space"):
        export(indexed, tmp_path / "more", "npy")
    assert sorted(tmp_path.iterdir()) == before


def test_parquet_without_pyarrow_names_the_line_to_type(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_pyarrow(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(UserError) as error:
        export(indexed, tmp_path / "out", "parquet")
    assert f"install it with: {sys.executable} -m pip install '" in str(error.value)
    assert "[export]'" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_empty_library(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    Catalog.open(library, create=True).close()
    with pytest.raises(LibraryError, match="nothing is indexed yet"):
        export(library, tmp_path / "out", "npy")
    update_library(library, [photos], encoder)
    done = export(library, tmp_path / "out", "npy", "captions")
    assert done.rows == 0
    assert np.load(tmp_path / "out/text_emb/text_emb_0.npy").shape == (0, 4)
