"""A whole training, small: two dozen painted photos, the smallest backbone, the real sentence encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import write_photo
from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT, Silent
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import check_files, read_config
from twobranch.train.presets import PRESETS
from twobranch.train.run import CorpusPlace, TrainOptions, TrainReport, train

Whole = Callable[[str], tuple[Path, TrainReport]]
COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "white": (250, 250, 250)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 photos of one colour each in a folder with a caption file; the last 8 are dev."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    lines = ["image,caption,split"]
    for i in range(24):
        name = list(COLORS)[i % 4]
        shade = tuple(int(channel) for channel in np.clip(COLORS[name] + rng.integers(-20, 20, 3), 0, 255))
        write_photo(folder / "photos" / f"{i}.png", shade, size=(64, 48))  # type: ignore[arg-type]
        lines += [f"{i}.png,{text} {name} wall,{'train' if i < 16 else 'dev'}" for text in ("a", "a plain")]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    (folder / "photos" / "0.png").write_bytes(b"")  # one bad photo never ends a run
    return folder


def options(corpus: Path, out: Path, name: str, **changes: object) -> TrainOptions:
    preset = replace(PRESETS[name], epochs=3, batch_size=8, hidden=64, dim=16)
    if preset.tuning is not None:
        tuning = replace(preset.tuning, epochs=2, photos=8)
        preset = replace(preset, views=3, image_size=None, tuning=tuning)
    basic = TrainOptions(
        corpora=(CorpusPlace(corpus / "captions.csv", corpus / "photos"),),
        out=out,
        preset=preset,
        backbone="efficientnet-lite0",
        weights=None,
        word_vectors=None,
        split_lists=None,
        start=None,
        seed=1,
        resume=False,
        cache=corpus / "cache",
        command="cli.py train captions.csv --images photos --out model",
    )
    return replace(basic, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Trains a preset without a break, once: the folder, and what was reported."""

    @cache
    def train_it(name: str) -> tuple[Path, TrainReport]:
        out = tmp_path_factory.mktemp(name) / "model"
        return out, train(options(corpus, out, name), SILENT)

    return train_it


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.text != "model"])
def test_a_trained_folder_is_all_that_is_needed(corpus: Path, whole: Whole, name: str) -> None:
    out, report = whole(name)
    epochs = 3 + 2 * (PRESETS[name].tuning is not None)
    assert (report.epochs, report.dev["n_images"], report.dev["n_captions"]) == (epochs, 8, 16)
    config = read_config(out)
    check_files(out, config)
    assert config.dev == report.dev
    assert config.training["train_images"] == 15  # 16 without the bad one
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "Repeat it with" in (out / "MODEL_CARD.md").read_text()
    assert "Apache License" in (out / "NOTICE").read_text()
    assert not (out / ".training").exists()
    assert str(corpus) not in json.dumps(config.training["command"])

    encoder = Encoder.load(out)
    photos = [corpus / "photos" / f"{i}.png" for i in range(16, 20)]
    texts = [f"a {color} wall" for color in COLORS]
    scores = encoder.encode_images(photos) @ encoder.encode_texts(texts).T
    assert scores.shape == (4, 4)
    assert np.abs(scores).max() <= 1 + 1e-5
    if config.text_kind == "words":
        assert encoder.unknown_words("a red qwertyuiop") == ["qwertyuiop"]


def test_a_preset_may_ask_for_photos_of_another_size(corpus: Path, tmp_path: Path) -> None:
    chosen = options(corpus, tmp_path / "model", "seed")
    train(replace(chosen, preset=replace(chosen.preset, image_size=96)), SILENT)
    encoder = Encoder.load(tmp_path / "model")
    assert encoder.image_size == 96  # the backbone's own is 224
    assert encoder.encode_images([corpus / "photos" / "1.png"]).shape == (1, 16)


class StopAtEpoch(Silent):
    """Ctrl-C when an epoch begins."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.warnings: list[str] = []

    def start(self, label: str, total: int | None) -> None:
        if label.startswith(f"epoch {self.number}/"):
            raise KeyboardInterrupt

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_ctrl_c_leaves_the_best_model_and_resume_goes_on(corpus: Path, tmp_path: Path, whole: Whole) -> None:
    out = tmp_path / "cut"
    progress = StopAtEpoch(3)
    with pytest.raises(KeyboardInterrupt):
        train(options(corpus, out, "seed"), progress)
    assert "--resume continues" in progress.warnings[-1]
    assert read_config(out).training["epochs"] == 2
    assert (out / "network.safetensors").stat().st_mode & 0o044  # others may read it
    assert Encoder.load(out, verify=True).encode_texts(["a red wall"]).shape == (1, 16)

    with pytest.raises(UserError, match="add --resume"):
        train(options(corpus, out, "seed"), SILENT)
    with pytest.raises(UserError, match=r"other settings \(seed\)"):
        train(options(corpus, out, "seed", resume=True, seed=2), SILENT)
    resumed = train(options(corpus, out, "seed", resume=True), SILENT)
    folder, uninterrupted = whole("seed")
    assert resumed.dev == uninterrupted.dev
    assert read_config(out).files["image.onnx"] == read_config(folder).files["image.onnx"]
    with pytest.raises(UserError, match="its training is finished"):
        train(options(corpus, out, "seed", resume=True), SILENT)


def test_tuning_resumes_to_the_very_same_towers(corpus: Path, tmp_path: Path, whole: Whole) -> None:
    out = tmp_path / "cut"
    for epoch in (2, 4, 5):  # among the branches', before and in the middle of tuning
        with pytest.raises(KeyboardInterrupt):
            train(options(corpus, out, "default", resume=epoch > 2), StopAtEpoch(epoch))
        assert read_config(out).training["epochs"] == epoch - 1
        assert Encoder.load(out, verify=True).encode_texts(["a red wall"]).shape == (1, 16 + 128)
    train(options(corpus, out, "default", resume=True), SILENT)
    assert read_config(out).files == read_config(whole("default")[0]).files


def test_photos_that_cannot_be_read_may_leave_too_few(corpus: Path, tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.jpg").write_bytes(b"junk")
    captions = tmp_path / "captions.csv"
    captions.write_text(
        "image,caption,split\n" + "".join(f"{i}.jpg,photo,{'train' if i < 2 else 'dev'}\n" for i in range(4))
    )
    with pytest.raises(UserError, match="only 0 photos with captions to train on"):
        train(options(corpus, tmp_path / "model", "seed", corpora=(CorpusPlace(captions, tmp_path),)), SILENT)


def test_several_corpora_are_trained_on_together_from_an_earlier_model(
    corpus: Path, tmp_path: Path, whole: Whole
) -> None:
    """The second corpus lists objects, as Karpathy JSON with ``source``, ``objects`` and kinds of texts."""
    rng = np.random.default_rng(1)
    images = []
    for i in range(24):
        name = list(COLORS)[i % 4]
        write_photo(tmp_path / "more" / f"{i}.png", tuple(int(c) for c in rng.integers(0, 256, 3)))  # type: ignore[arg-type]
        texts = [(f"a {name} thing", "caption"), (name, "word")]
        images.append(
            {
                "filename": f"{i}.png",
                "split": "train" if i < 12 else "val",
                "source": "things",
                "objects": [name, "thing"],
                "sentences": [{"raw": raw, "kind": kind} for raw, kind in texts],
            }
        )
    (tmp_path / "more.json").write_text(json.dumps({"images": images}))
    places = (
        CorpusPlace(corpus / "captions.csv", corpus / "photos"),
        CorpusPlace(tmp_path / "more.json", tmp_path / "more"),
    )
    start, _ = whole("flickr8k")
    out = tmp_path / "model"
    train(options(corpus, out, "default", corpora=places, start=start), SILENT)

    config = read_config(out)
    assert config.training["train_images_by_source"] == {"captions": 15, "things": 12}
    # 30 and 24 texts of their own, and two of the objects of each of the 12 photos that list them.
    assert config.training["train_captions"] == 30 + 24 + 24
    assert config.dev["n_images"] == 8  # the headline is that of the first corpus
    things = config.dev["by_source"]["things"]
    assert (things["n_images"], things["caption"]["n_texts"], things["word"]["n_texts"]) == (12, 12, 12)
    assert 0 < things["object_names_mAP"] <= 100
    assert "| things | word | 12 | 12 |" in (out / "MODEL_CARD.md").read_text()
    encoder = Encoder.load(out, verify=True)
    rows = encoder.encode_texts(["red", "a red thing on a white wall beside a blue one"])
    assert rows.shape == (2, 16 + 128)  # the branch, and what the classifier says
    # In a name the words have a larger part than in a sentence.
    assert np.linalg.norm(rows[0, 16:]) > 1.5 * np.linalg.norm(rows[1, 16:])

    with pytest.raises(UserError, match="only one that tunes can --start"):
        train(options(corpus, tmp_path / "seed", "seed", start=start), SILENT)


def test_what_is_in_the_way_is_not_overwritten(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        train(options(corpus, tmp_path, "seed"), SILENT)
