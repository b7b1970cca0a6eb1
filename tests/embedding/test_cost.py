"""The measured speed and memory of a model folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.smallmodel import seal, write_model
from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ModelError
from twobranch.embedding import cost
from twobranch.embedding.cost import measure_cost, record_cost
from twobranch.embedding.model_folder import fingerprint, read_config


def test_each_tower_is_measured_and_the_result_fits_the_configuration(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "small")
    shutil.copy(folder / "image.onnx", folder / "image-int8.onnx")
    seal(folder)
    before = fingerprint(folder)
    measured = record_cost(folder)
    assert measured.cores == usable_cores()
    assert measured.image_int8 is not None
    for image in (measured.image, measured.image_int8):
        # The tower of 8 x 8 pixels takes microseconds, decoding 12 megapixels some hundredths of a second.
        assert 0 < image.photos_per_s < image.images_per_s
        assert image.memory_mb is None or 0 < image.memory_mb < 500
    assert 0 <= measured.text.query_ms < 1000
    assert read_config(folder).cost == measured.as_json()
    assert fingerprint(folder) == before


def test_a_model_without_an_int8_tower_has_no_figures_for_it(tmp_path: Path) -> None:
    assert measure_cost(write_model(tmp_path / "small")).as_json()["image_int8"] is None


def ended(*_: object) -> None:
    """In place of a measurement: the system ends the process, which takes too much memory."""
    os._exit(1)


def test_a_process_that_is_ended_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_measure_image", ended)
    with pytest.raises(ModelError, match=r"small: cannot be measured here"):
        measure_cost(write_model(tmp_path / "small"))


def test_a_tower_that_cannot_be_loaded_is_reported(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "small")
    (folder / "image.onnx").write_bytes(b"no tower")
    with pytest.raises(ModelError, match=r"image\.onnx: the tower cannot be loaded"):
        measure_cost(folder)
