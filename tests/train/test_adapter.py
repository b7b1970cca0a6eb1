"""Branches over a finished model: a hand-made one, whose vectors are colours and colour words."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests import smallmodel
from tests.fakes import write_photo
from tests.immichexport import export_to_immich
from twobranch.common.errors import ModelError, UserError
from twobranch.common.progress import SILENT
from twobranch.embedding.conversion.adding import add_model
from twobranch.embedding.conversion.immich import convert_immich
from twobranch.embedding.conversion.names import Origin, new_folder
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import check_files, read_config, resolve_model
from twobranch.train.blend import WEIGHTS
from twobranch.train.presets import PRESETS, over_model
from twobranch.train.run import CorpusPlace, TrainOptions, TrainReport, train

ALL_RIGHT = 600.0  # rsum: six recalls of 100 percent
# Mixtures of red, green and blue in at most five parts; no two are of one hue.
MIXTURES = [m for m in itertools.product(range(4), repeat=3) if 0 < sum(m) <= 5 and math.gcd(*m) == 1]
TRUE, TURNED = (0, 1, 2), (1, 2, 0)  # the colour whose word is used for red, green and blue


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smallmodel.write_model(tmp_path_factory.mktemp("models") / "colours")


def write_corpus(folder: Path, words: tuple[int, int, int]) -> CorpusPlace:
    """A photo of each mixture; its caption has as many colour words as the mixture has parts.

    With the ``words`` TURNED every caption names the wrong colours, but always the same ones.
    """
    lines = ["image,caption,split"]
    for number, mixture in enumerate(MIXTURES):
        red, green, blue = (50 * part for part in mixture)
        write_photo(folder / "photos" / f"{number}.png", (red, green, blue))
        named = [smallmodel.WORDS[words[axis]] for axis, part in enumerate(mixture) for _ in range(part)]
        lines.append(f"{number}.png,{' '.join(named)},{'dev' if number % 2 else 'train'}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return CorpusPlace(folder / "captions.csv", folder / "photos")


def options(
    place: CorpusPlace, out: Path, model: Path, name: str = "adapter", **changes: object
) -> TrainOptions:
    preset = replace(PRESETS[name], epochs=20, batch_size=8, hidden=64, learning_rate=0.02, dropout=0.0)
    basic = TrainOptions(
        corpora=(place,),
        out=out,
        preset=over_model(replace(preset, dim=16), smallmodel.DIM),
        backbone=model,
        weights=None,
        word_vectors=None,
        split_lists=None,
        start=None,
        seed=1,
        resume=False,
        cache=place.captions.parent / "cache",
        command="cli.py train captions.csv --images photos --out model --backbone colours",
    )
    return replace(basic, **changes)  # type: ignore[arg-type]


def vectors(folder: Path, place: CorpusPlace) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    encoder = Encoder.load(folder, verify=True)
    photos = sorted(place.images.iterdir())
    return encoder.encode_images(photos), encoder.encode_texts(["red", "green blue", "a dog"])


@pytest.fixture(scope="module")
def turned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainReport, CorpusPlace]:
    """A model trained on captions that name other colours than the model under it does."""
    place = write_corpus(tmp_path_factory.mktemp("turned"), TURNED)
    out = tmp_path_factory.mktemp("out") / "model"
    return out, train(options(place, out, model), SILENT), place


def test_captions_that_say_something_new_are_learnt(turned: tuple[Path, TrainReport, CorpusPlace]) -> None:
    out, report, _ = turned
    assert report.gain is not None
    # The captions of a photo name none of its colours, unless it has several.
    assert report.gain.rsum_before < 300
    assert report.gain.rsum > report.gain.rsum_before + 100
    assert report.gain.weight in WEIGHTS[1:]
    assert report.gain.by_weight[0] == report.gain.rsum_before
    assert max(report.gain.by_weight) == report.gain.rsum
    config = read_config(out)
    check_files(out, config)
    assert config.dev["rsum"] == pytest.approx(report.gain.rsum, abs=0.1)
    assert config.training["base"]["rsum_before"] == round(report.gain.rsum_before, 1)
    assert config.training["base"]["weight"] == report.gain.weight
    assert config.training["base"]["name"] == config.backbone == "colours"
    assert report.as_json()["gain"]["rsum"] == round(report.gain.rsum, 1)
    card = (out / "MODEL_CARD.md").read_text()
    assert f"with {report.gain.weight:g} of what the branches add" in card


def test_captions_that_say_nothing_new_leave_the_model_as_it_is(model: Path, tmp_path: Path) -> None:
    place = write_corpus(tmp_path, TRUE)
    report = train(options(place, tmp_path / "model", model), SILENT)
    assert report.gain is not None
    assert (report.gain.rsum_before, report.gain.weight) == (ALL_RIGHT, 0)  # nothing is better than all right
    assert "the captions bring nothing more" in report.gain.sentence
    for found, expected in zip(vectors(tmp_path / "model", place), vectors(model, place), strict=True):
        assert np.array_equal(found, expected)
    assert "no branches were kept" in (tmp_path / "model" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("name", ["seed", "paper"])
def test_presets_for_backbones_train_their_branches_over_a_model_too(
    model: Path, tmp_path: Path, name: str, turned: tuple[Path, TrainReport, CorpusPlace]
) -> None:
    _, _, place = turned
    report = train(options(place, tmp_path / "model", model, name), SILENT)
    assert report.gain is not None
    assert report.gain.weight is None
    assert report.dev["rsum"] == pytest.approx(report.gain.rsum, abs=0.1)
    config = read_config(tmp_path / "model")
    assert (config.preset, config.dim, config.text_kind) == (name, 16, "wordpiece")
    assert not (tmp_path / "model" / "words.npy").exists()  # no word vectors
    images, texts = vectors(tmp_path / "model", place)
    assert (images.shape, texts.shape) == ((len(MIXTURES), 16), (3, 16))
    assert "which replace its vectors" in (tmp_path / "model" / "MODEL_CARD.md").read_text()


def test_every_tower_of_a_model_gets_its_branch(tmp_path: Path) -> None:
    """Cells and calibration are of the vectors without branches, so they are left out."""
    base = smallmodel.write_model(tmp_path / "base")
    smallmodel.image_tower(base, "image-int8.onnx")
    smallmodel.text_tower(base, "text-languages.onnx")
    (base / "tokenizer-languages.json").write_bytes((base / "tokenizer.json").read_bytes())
    (base / "NOTICE").write_text("of the base\n")
    smallmodel.seal(base, languages=["de"])
    smallmodel.add_cells(base)
    (base / "NOTICE").write_text("of the base\n")
    place = write_corpus(tmp_path, TURNED)
    train(options(place, tmp_path / "model", base), SILENT)

    config = read_config(tmp_path / "model")
    assert (config.cells, config.languages) == ({}, ["de"])
    assert "calibration.npz" not in config.files
    assert (tmp_path / "model" / "base" / "NOTICE").read_text() == "of the base\n"
    photos = sorted(place.images.iterdir())[:4]
    plain, int8 = (Encoder.load(tmp_path / "model", int8=int8) for int8 in (False, True))
    assert np.allclose(plain.encode_images(photos), int8.encode_images(photos), atol=1e-6)
    english, german = (plain.encode_texts(["red", "a dog"], language) for language in ("en", "de"))
    assert np.allclose(english, german, atol=1e-6)
    assert not np.allclose(english, Encoder.load(base).encode_texts(["red", "a dog"], "en"), atol=1e-2)


def test_a_model_over_word_vectors_keeps_them(tmp_path: Path) -> None:
    base = smallmodel.write_model(tmp_path / "base", "words")
    place = write_corpus(tmp_path, TURNED)
    report = train(options(place, tmp_path / "model", base), SILENT)
    assert report.gain is not None
    assert report.gain.weight != 0
    assert Encoder.load(tmp_path / "model", verify=True).unknown_words("a red qwertyuiop") == [
        "a",
        "qwertyuiop",
    ]


@pytest.mark.parametrize("batch", ["batch_size", 1])
def test_a_converted_model_may_be_under_the_branches(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int | str
) -> None:
    monkeypatch.setenv("TWOBRANCH_MODELS", str(tmp_path / "models"))
    export = export_to_immich(model, tmp_path / "export", length=8, batch=batch)
    added = add_model(export, new_folder("toy"), Origin("made/up", "mit"), convert_immich, SILENT)
    place = write_corpus(tmp_path, TURNED)
    report = train(options(place, tmp_path / "model", resolve_model("toy")), SILENT)
    assert report.gain is not None
    assert report.gain.rsum > report.gain.rsum_before + 100
    config, base = read_config(tmp_path / "model"), added.config
    assert (config.text_kind, config.backbone) == ("tokenizer", "toy")
    assert (config.framing, config.tokens, config.source) == (base.framing, base.tokens, base.source)
    notice = (tmp_path / "model" / "NOTICE").read_text()
    assert "the model toy (licence: mit), unchanged" in notice
    assert (tmp_path / "model" / "base" / "MODEL_CARD.md").is_file()
    assert vectors(tmp_path / "model", place)[1].shape == (3, smallmodel.DIM)


def test_weights_in_a_file_beside_the_graph_stay_there(tmp_path: Path) -> None:
    """As in models above 2 GB, which a graph cannot hold."""
    base = smallmodel.write_model(tmp_path / "base")
    tower = onnx.load(base / "image.onnx")
    beside = {"save_as_external_data": True, "location": "image.onnx.data", "size_threshold": 0}
    onnx.save_model(tower, base / "image.onnx", **beside)
    smallmodel.seal(base)
    place = write_corpus(tmp_path, TURNED)
    train(options(place, tmp_path / "model", base), SILENT)
    assert (tmp_path / "model" / "image.onnx.data").read_bytes() == (base / "image.onnx.data").read_bytes()
    assert vectors(tmp_path / "model", place)[0].shape == (len(MIXTURES), smallmodel.DIM)


def test_a_second_run_reads_all_features_from_the_cache(
    model: Path,
    tmp_path: Path,
    turned: tuple[Path, TrainReport, CorpusPlace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, first, place = turned
    checked = len(MIXTURES)  # the comparison at the end encodes a few again

    def forbidden(self: Encoder, pixels: object) -> None:
        raise AssertionError(f"{checked} photos are encoded again")

    monkeypatch.setattr(Encoder, "encode_pixels", forbidden)
    again = train(options(place, tmp_path / "model", model), SILENT)
    assert again.dev == first.dev
    assert read_config(tmp_path / "model").files == read_config(turned[0]).files


def test_a_stopped_run_goes_on_over_the_same_model_only(
    model: Path, tmp_path: Path, turned: tuple[Path, TrainReport, CorpusPlace]
) -> None:
    from tests.train.test_run import StopAtEpoch

    folder, whole, place = turned
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        train(options(place, out, model), StopAtEpoch(3))
    assert read_config(out).training["epochs"] == 2
    assert Encoder.load(out, verify=True).encode_texts(["red"]).shape == (1, smallmodel.DIM)
    other = smallmodel.write_model(tmp_path / "other")
    smallmodel.seal(other, preset="another")
    with pytest.raises(UserError, match=r"other settings \(backbone\)"):
        train(options(place, out, other, resume=True), SILENT)
    assert train(options(place, out, model, resume=True), SILENT).dev == whole.dev
    assert read_config(out).files == read_config(folder).files


def test_the_trained_folder_encodes_without_torch(turned: tuple[Path, TrainReport, CorpusPlace]) -> None:
    out, _, place = turned
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'transformers')))\n"
        "from twobranch import Encoder; encoder = Encoder.load(sys.argv[1], verify=True)\n"
        "print(encoder.encode_images(sys.argv[2:]).shape, encoder.encode_texts(['red']).shape)"
    )
    command = [sys.executable, "-c", program, str(out), str(place.images / "0.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(1, 4) (1, 4)"


def test_the_command_reports_the_gain(
    model: Path, tmp_path: Path, turned: tuple[Path, TrainReport, CorpusPlace]
) -> None:
    _, _, place = turned
    command = [
        sys.executable,
        "-m",
        "twobranch",
        "--quiet",
        "train",
        place.captions,
        "--images",
        place.images,
    ]
    command += ["--out", tmp_path / "model", "--backbone", model, "--epochs", "2", "--json"]
    command += ["--cache", place.captions.parent / "cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    config = read_config(tmp_path / "model")
    assert (config.preset, config.dim, report["epochs"]) == ("adapter", smallmodel.DIM, 2)
    assert report["gain"].keys() == {"rsum_before", "rsum", "weight", "by_weight"}
    assert report["gain"].items() <= config.training["base"].items()
    assert report["gain"]["by_weight"]["0"] == report["gain"]["rsum_before"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": Path("w.pth")}, "--weights w.pth: .* is a finished model with weights of its own"),
        ({"word_vectors": Path("v.txt")}, "--word-vectors v.txt: .* is a finished model"),
        (
            {"backbone": "efficientnet-lite0"},
            "preset adapter trains branches over a finished model; add --back",
        ),
        ({"start": Path("other")}, "only one that tunes can --start"),
    ],
)
def test_options_that_do_not_go_with_a_model_are_refused(
    model: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    place = CorpusPlace(tmp_path / "no.csv", tmp_path)
    with pytest.raises(UserError, match=message):
        train(options(place, tmp_path / "out", model, **changes), SILENT)
    with pytest.raises(
        UserError, match=r"preset default tunes .* there are the presets adapter, seed, paper"
    ):
        over_model(PRESETS["default"], 4)


def test_a_model_whose_parts_do_not_fit_is_refused_before_training(tmp_path: Path) -> None:
    base = smallmodel.write_model(tmp_path / "base")
    smallmodel.text_tower(base, dim=3)
    smallmodel.seal(base)
    place = write_corpus(tmp_path, TRUE)
    with pytest.raises(
        ModelError, match=r"text.onnx: gives vectors of 3 numbers, and config.json says dim 4"
    ):
        train(options(place, tmp_path / "out", base), SILENT)
    assert not json.loads((base / "config.json").read_text())["dev"]
