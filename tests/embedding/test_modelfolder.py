from __future__ import annotations

import json
from pathlib import Path

import pytest

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import (
    ModelConfig,
    Variant,
    check_files,
    fingerprint,
    model_label,
    model_name,
    read_config,
    resolve_model,
    sha256_file,
    split_label,
    weights_of,
    write_config,
)

VARIANTS = [Variant(tta, int8) for tta in (False, True) for int8 in (False, True)]


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


def test_the_variant_is_part_of_the_fingerprint_and_not_of_the_weights(folder: Path) -> None:
    found = [fingerprint(folder, variant) for variant in VARIANTS]
    assert [Variant.of_fingerprint(one) for one in found] == VARIANTS
    assert len(set(found)) == 4
    assert {weights_of(one) for one in found} == {fingerprint(folder)}


def test_a_label_is_what_one_types() -> None:
    assert model_label("default", Variant()) == "default"
    assert model_label("default", Variant(tta=True, int8=True)) == "default --int8 --tta"
    assert [split_label(model_label("default", variant)) for variant in VARIANTS] == [
        ("default", variant) for variant in VARIANTS
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


@pytest.mark.parametrize("cost", [{"text": 3}, {"image": {"photos_per_s": "fast"}}])
def test_a_damaged_cost_is_refused(folder: Path, cost: dict[str, object]) -> None:
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**data, "cost": cost}))
    with pytest.raises(ModelError, match=r"damaged \(the cost of"):
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


def test_only_the_int8_variant_depends_on_the_int8_tower(folder: Path) -> None:
    int8 = Variant(int8=True)
    config, before, fingerprints = read_config(folder), fingerprint(folder), {fingerprint(folder, int8)}
    for digest in ("0", "1"):
        files = {**config.files, "image-int8.onnx": digest}
        changed = {**vars(config), "files": files, "dev": {"rsum_int8": 300.0}}
        write_config(folder, ModelConfig(**changed))
        assert fingerprint(folder) == before
        fingerprints.add(fingerprint(folder, int8))
    assert len(fingerprints) == 3
