"""Model folders that were damaged on their way: no byte of them may change without `index` noticing."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import (
    CONFIG,
    SHIPPED_MODELS,
    ModelConfig,
    check_files,
    read_config,
    sha256_file,
    write_config,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with two files in it."""
    for name in ("image.onnx", "words.txt"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    files = {name: sha256_file(tmp_path / name) for name in ("image.onnx", "words.txt")}
    dev = {"rsum": 214.1, "text_to_image": {"R@1": 13.8}}
    write_config(tmp_path, ModelConfig("seed", "resnet50", 224, 512, "words", 0, {"seed": 1}, dev, files))
    return tmp_path


def verify(folder: Path) -> None:
    check_files(folder, read_config(folder))


def test_every_flipped_byte_and_every_cut_of_every_file_is_noticed(folder: Path) -> None:
    verify(folder)
    for name in (CONFIG, "image.onnx", "words.txt"):
        good = (folder / name).read_bytes()
        for at in range(len(good)):
            for bad in (good[:at], good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]):
                (folder / name).write_bytes(bad)
                with pytest.raises(ModelError):
                    verify(folder)
        (folder / name).write_bytes(good)
    verify(folder)


def test_a_folder_from_before_its_configuration_had_a_checksum_is_taken(folder: Path) -> None:
    (folder / "config.sha256").unlink()
    verify(folder)


def test_the_shipped_model_is_whole() -> None:
    verify(SHIPPED_MODELS / "default")
    assert (SHIPPED_MODELS / "default" / "config.sha256").is_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("files", []),
        ("files", {"a": 1}),
        ("dim", "512"),
        ("dim", 0),
        ("dim", True),
        ("image_size", -1),
        ("text_kind", "pickle"),
        ("dev", None),
        ("training", 3),
        ("max_tokens", 1.5),
        ("backbone", ["a"]),
    ],
)
def test_values_of_a_wrong_kind_are_damage(folder: Path, name: str, value: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, name: value}))
    with pytest.raises(ModelError, match=r"damaged .*; copy the model folder again"):
        read_config(folder)


def test_whatever_a_configuration_holds(folder: Path) -> None:
    """Pieces of JSON put into it: values of the right kinds, or an error that names the file."""
    good = (folder / CONFIG).read_text()
    pieces = ("{", "}", "[", "]", '"', ",", ":", "null", "1e999", "-1", "\0", '"a"', "[" * 5000, "{" * 2000)
    random, refused = Random(1), 0
    for _ in range(1000):
        at, n = random.randrange(len(good)), random.choice((0, 1, 5, 30))
        (folder / CONFIG).write_text(good[:at] + random.choice(pieces) + good[at + n :], encoding="utf-8")
        try:
            assert isinstance(read_config(folder).files, dict)
        except ModelError as error:
            refused += 1
            assert str(folder / CONFIG) in str(error)
    assert 500 < refused < 1000


def test_no_name_leads_out_of_the_folder(folder: Path) -> None:
    outside = folder.parent / "outside.onnx"
    outside.write_bytes(b"tower")
    for name in ("../outside.onnx", str(outside), "sub/../../outside.onnx", "..", ".", "", "a\0b"):
        config = json.loads((folder / CONFIG).read_text())
        config["files"] = {name: sha256_file(outside)}
        (folder / CONFIG).write_text(json.dumps(config))
        (folder / "config.sha256").unlink(missing_ok=True)
        with pytest.raises(ModelError, match=r"outside the model folder|missing from the model folder"):
            verify(folder)
