"""Folders that are no models, or damaged ones: one line each, with the fact and the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("open_clip")
from safetensors.torch import load_file, save_file  # noqa: E402

from tests.train.conversion import smallmodels  # noqa: E402
from twobranch.common.errors import ModelError  # noqa: E402
from twobranch.common.progress import SILENT  # noqa: E402
from twobranch.embedding.conversion.storage import EXTERNAL_SUFFIX, save_tower  # noqa: E402
from twobranch.train.conversion import towers  # noqa: E402
from twobranch.train.conversion.convert import convert, read_model  # noqa: E402
from twobranch.train.conversion.open_clip_models import repository_of  # noqa: E402
from twobranch.train.conversion.source_model import ImageHalf, PixelScaling, SourceModel  # noqa: E402
from twobranch.train.output import export  # noqa: E402

Change = Callable[[Path], Any]


def edit(name: str, **values: Any) -> Change:
    """Change values of a JSON file; dots in a key lead into tables, None removes."""

    def change(folder: Path) -> None:
        data = json.loads((folder / name).read_text(encoding="utf-8"))
        for key, value in values.items():
            table = data
            *parents, last = key.split("__")
            for parent in parents:
                table = table[parent]
            table[last] = value
            if value is None:
                del table[last]
        smallmodels.write_json(folder / name, data)

    return change


def tensors(change: Callable[[dict[str, Any]], Any], name: str = "model.safetensors") -> Change:
    """Change the tensors of a folder."""

    def write(folder: Path) -> None:
        held = load_file(folder / name)
        change(held)
        save_file(held, folder / name)

    return write


def drop(beginning: str) -> Callable[[dict[str, Any]], None]:
    def change(held: dict[str, Any]) -> None:
        for name in [name for name in held if name.startswith(beginning)]:
            del held[name]

    return change


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def larger_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"extra{i}" for i in range(10)])
    tokenizer.save(str(folder / "tokenizer.json"))


def without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


CLIP_FAULTS: dict[str, tuple[Change, str]] = {
    "pickle": (as_pickle, "pytorch_model.bin: a pickle, which can run code"),
    "no weights": (without("model.safetensors"), "no *.safetensors file"),
    "cut weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 50), "cannot be read"),
    "no text tower": (tensors(drop("text_model.")), "the weights lack text_model.embeddings"),
    "no projection": (tensors(drop("visual_projection")), "the weights lack visual_projection.weight;"),
    "another width": (edit("config.json", text_config__hidden_size=48), "another size for text_model"),
    "fewer layers": (
        edit("config.json", vision_config__num_hidden_layers=1),
        "the configuration has no layer for",
    ),
    "more layers": (edit("config.json", vision_config__num_hidden_layers=3), "the weights lack vision_model"),
    "larger tokenizer": (larger_tokenizer, "they are not of one model"),
    "no tokenizer": (without("tokenizer.json", "vocab.json"), "no tokenizer.json"),
    "damaged tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be read"),
    "no processor": (without("preprocessor_config.json"), "preprocessor_config.json: no such file"),
    "other size": (edit("preprocessor_config.json", crop_size=64), "crop_size 64; this program"),
    "no crop": (edit("preprocessor_config.json", do_center_crop=False), "crop_size None"),
    "mean of grey": (edit("preprocessor_config.json", image_mean=[0.5]), "not those of RGB"),
    "mean of nothing": (edit("preprocessor_config.json", image_mean=[float("nan")] * 3), "not those of RGB"),
    "no std": (edit("preprocessor_config.json", image_std=None), "not those of RGB"),
    "unknown kind": (edit("config.json", model_type="blip"), "model_type is 'blip'; models that"),
    "several kinds": (edit("config.json", model_type=["bert"]), "model_type is ['bert']"),
    "naflex": (edit("config.json", model_type="siglip2"), "NaFlex"),
    "no kind": (edit("config.json", model_type=None), "model_type is None"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("["), "config.json: cannot be read"),
    "multilingual": (edit("config.json", model_type="M-CLIP"), "put the CLIP model that it"),
}


@pytest.mark.parametrize("fault", CLIP_FAULTS)
def test_damaged_models_of_transformers(fault: str, tmp_path: Path) -> None:
    change, message = CLIP_FAULTS[fault]
    smallmodels.write_clip(tmp_path)
    change(tmp_path)
    assert message in one_line(tmp_path)


WEIGHTS = "open_clip_model.safetensors"
OPEN_CLIP_FAULTS: dict[str, tuple[Change, str]] = {
    "no weights": (without(WEIGHTS), "no *.safetensors file"),
    "no image tower": (tensors(drop("visual."), WEIGHTS), "the weights lack visual"),
    "larger photos": (
        edit("open_clip_config.json", model_cfg__vision_cfg__image_size=64),
        "another size for visual.positional_embedding",
    ),
    "fewer layers": (
        edit("open_clip_config.json", model_cfg__text_cfg__layers=1),
        "the configuration has no layer for",
    ),
    "no halves": (edit("open_clip_config.json", model_cfg__text_cfg=None), "no model_cfg with"),
    "letter box": (edit("open_clip_config.json", preprocess_cfg__resize_mode="longest"), "is 'longest'"),
    "oblong": (edit("open_clip_config.json", model_cfg__vision_cfg__image_size=[32, 64]), "another size"),
    "unknown filter": (edit("open_clip_config.json", preprocess_cfg__interpolation="random"), "filter in"),
    "tokenizer is gone": (
        edit("open_clip_config.json", model_cfg__text_cfg__hf_tokenizer_name="timm/ViT-B-16-SigLIP"),
        "no tokenizer.json",
    ),
    "text network of another kind": (
        edit("open_clip_config.json", model_cfg__text_cfg__hf_model_name="google/mt5-base"),
        "its text network is 'google/mt5-base', and this program knows xlm-roberta",
    ),
    "tokenizer with a mode": (
        edit("open_clip_config.json", model_cfg__text_cfg__tokenizer_mode="clips"),
        "has a mode",
    ),
}


@pytest.mark.parametrize("fault", OPEN_CLIP_FAULTS)
def test_damaged_models_of_open_clip(fault: str, tmp_path: Path) -> None:
    change, message = OPEN_CLIP_FAULTS[fault]
    smallmodels.write_open_clip_clip(tmp_path)
    change(tmp_path)
    assert message in one_line(tmp_path)


def one_line(folder: Path) -> str:
    """The message about a model that cannot be read."""
    with pytest.raises(ModelError) as caught:
        read_model(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


class Averages(torch.nn.Module):
    """An image network that tells colours: (N, 3, S, S) to (N, 3)."""

    def forward(self, values: Any) -> Any:
        return values.mean(dim=(2, 3)) + 0.1


def test_towers_of_more_than_two_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ONNX file cannot hold them in float32: weights go beside it until they are compressed."""
    smallmodels.write_clip(tmp_path / "model")
    (tmp_path / "out").mkdir()
    written = []

    def save(model: Any, path: Path) -> None:
        save_tower(model, path, most_bytes=1000)
        written.append(f"{path.name}{EXTERNAL_SUFFIX}")
        assert (path.parent / written[-1]).is_file()

    monkeypatch.setattr(export, "save_tower", save)
    convert(tmp_path / "model", tmp_path / "out", SILENT)
    assert written == ["image.onnx.data", "text.onnx.data"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "image.onnx",
        "text.onnx",
        "tokenizer.json",
    }


def test_a_tower_that_changes_in_the_export_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(smallmodels.write_clip(tmp_path / "model"))
    network = Averages()
    # The export sees another factor than the comparison, as if an operator had been exported wrongly.
    half = ImageHalf(network, network, PixelScaling(1 / 255, (0, 0, 0), (1, 1, 1)), 32, model.image.framing)
    right = towers.write_onnx

    def wrong(tower: Any, *rest: Any, **options: Any) -> None:
        tower.shift += torch.tensor([3.0, 0.0, 0.0]).view(1, 3, 1, 1)
        right(tower, *rest, **options)

    monkeypatch.setattr(towers, "write_onnx", wrong)
    with pytest.raises(ModelError, match="gives other vectors than PyTorch"):
        towers.write_towers(tmp_path, SourceModel(half, model.text, ""), "transformers", SILENT)


def test_a_network_that_does_not_run(tmp_path: Path) -> None:
    model = read_model(smallmodels.write_clip(tmp_path / "model"))

    def features(values: Any) -> Any:
        raise RuntimeError("no such layer")

    broken = replace(model, image=replace(model.image, features=features))
    with pytest.raises(ModelError, match=r"image.onnx: .* cannot be exported \(no such layer\)"):
        towers.write_towers(tmp_path, broken, "transformers", SILENT)


def test_names_of_open_clip() -> None:
    assert repository_of("ViT-B-32/laion2b_s34b_b79k") == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert repository_of("openai/clip-vit-base-patch32") is None
    with pytest.raises(ModelError, match=r"no such checkpoint.*for ViT-B-32 it has: .*laion2b_s34b_b79k"):
        repository_of("ViT-B-32/nothing")
