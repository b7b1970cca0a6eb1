from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedding.errors import ModelError
from embedding.modelfolder import (
    ModelConfig,
    check_files,
    fingerprint,
    is_tta,
    model_label,
    model_name,
    read_config,
    resolve_model,
    sha256_file,
    split_label,
    weights_of,
    write_config,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with one file in it."""
    (tmp_path / "a.onnx").write_bytes(b"tower")
    files = {"a.onnx": sha256_file(tmp_path / "a.onnx")}
    write_config(tmp_path, ModelConfig("seed", "resnet50", 224, 512, "words", 0, {}, {}, files))
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    config = read_config(folder)
    assert (config.preset, config.image_size, config.text_kind) == ("seed", 224, "words")
    check_files(folder, config)


def test_the_fingerprint_changes_with_any_file(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "a.onnx").write_bytes(b"other")
    config = read_config(folder)
    write_config(folder, ModelConfig(**{**vars(config), "files": {"a.onnx": sha256_file(folder / "a.onnx")}}))
    assert fingerprint(folder) != before


def test_views_are_part_of_the_fingerprint_and_not_of_the_weights(folder: Path) -> None:
    plain, tta = fingerprint(folder), fingerprint(folder, tta=True)
    assert (is_tta(plain), is_tta(tta)) == (False, True)
    assert weights_of(tta) == weights_of(plain) == plain


def test_a_label_is_what_one_types() -> None:
    assert model_label("default", True) == "default --tta"
    assert [split_label(model_label("default", tta)) for tta in (False, True)] == [
        ("default", False),
        ("default", True),
    ]


def test_damaged_and_missing_files_are_named(folder: Path) -> None:
    config = read_config(folder)
    (folder / "a.onnx").write_bytes(b"towes")
    with pytest.raises(ModelError, match=r"a\.onnx: not the file"):
        check_files(folder, config)
    (folder / "a.onnx").unlink()
    with pytest.raises(ModelError, match=r"a\.onnx: missing"):
        check_files(folder, config)


def test_a_configuration_cannot_reach_outside_its_folder(folder: Path) -> None:
    config = read_config(folder)
    outside = ModelConfig(**{**vars(config), "files": {"../secret": "0"}})
    with pytest.raises(ModelError, match="outside the model folder"):
        check_files(folder, outside)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "surprise": 2}'])
def test_a_damaged_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        read_config(folder)


def test_a_newer_format_is_refused_politely(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**data, "format": 2}))
    with pytest.raises(ModelError, match="model format 2, this program knows 1; update"):
        read_config(folder)


def test_models_go_by_shipped_name_or_by_folder(folder: Path) -> None:
    assert model_name(resolve_model("default")) == "default"
    assert model_name(resolve_model(folder)) == str(folder)
    with pytest.raises(ModelError, match=r"no such model; .*\(default\)"):
        resolve_model("no-such-model")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json in it"):
        resolve_model(folder)


def test_the_fingerprint_outlives_a_calibration(folder: Path) -> None:
    before = fingerprint(folder)
    assert before == sha256_file(folder / "config.json")
    config = read_config(folder)
    for digest in ("0", "1"):
        files = {**config.files, "calibration.npz": digest}
        write_config(folder, ModelConfig(**{**vars(config), "files": files}))
        assert fingerprint(folder) == before
