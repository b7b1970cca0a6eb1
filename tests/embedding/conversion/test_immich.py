"""Immich's exports as models: the same vectors, and one line for what is wrong with one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer

from tests.immichexport import MEAN, STD, export_to_immich, write_json
from tests.smallmodel import DIM, SIZE, VOCABULARY, write_model
from twobranch.common.errors import ModelError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.conversion import graphs
from twobranch.embedding.conversion.adding import add_model
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.conversion.immich import convert_immich
from twobranch.embedding.conversion.layouts import layout_of
from twobranch.embedding.conversion.names import Origin, new_folder, remove_model
from twobranch.embedding.conversion.storage import save_tower
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import SHIPPED_MODELS, known_names

LENGTH = 8
TEXTS = ["red", "a blue dog", "green red blue dog a a a a a a", "zebra", "Red   DOG"]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return write_model(tmp_path / "ours")


@pytest.fixture
def export(ours: Path, tmp_path: Path) -> Path:
    return export_to_immich(ours, tmp_path / "export", length=LENGTH)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWOBRANCH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def add(export: Path, name: str = "added") -> Encoder:
    return add_model(export, new_folder(name), Origin("made/up", "mit"), convert_immich, SILENT)


def photos() -> list[Image.Image]:
    rng = np.random.default_rng(1)
    return [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in ((8, 8), (20, 9), (7, 31))
    ]


def test_an_export_of_our_model_gives_the_vectors_of_our_model(ours: Path, export: Path) -> None:
    before, after = Encoder.load(ours), add(export)
    assert np.abs(before.encode_images(photos()) - after.encode_images(photos())).max() < 1e-3
    assert np.abs(before.encode_texts(TEXTS) - after.encode_texts(TEXTS)).max() < 1e-3
    assert after.knows("a dog")
    assert not after.knows("zebra")
    assert after.unknown_words("a zebra") == ["zebra"]


def test_an_added_model_has_a_name_and_keeps_its_origin(export: Path, models: Path) -> None:
    assert add(export, "mine").name == "mine"
    encoder = Encoder.load("mine", verify=True)
    assert encoder.folder == models / "mine"
    assert encoder.config.source["name"] == "made/up"
    assert encoder.config.source["layout"] == "immich"
    assert "| licence, as its makers state it | mit |" in (models / "mine/MODEL_CARD.md").read_text()


def test_vectors_are_those_of_the_export_itself(export: Path) -> None:
    """The oracle prepares photos and texts as Immich's server does, and runs the two files as they are."""
    encoder = add(export)
    session = onnxruntime.InferenceSession(str(export / "visual/model.onnx"))
    for photo, row in zip(photos(), encoder.encode_images(photos()), strict=True):
        square = np.asarray(photo.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32) / 255
        normal = ((square - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]
        (expected,) = session.run(None, {"image": normal})
        assert np.abs(expected[0] - row).max() < 1e-3  # weights are stored in 16 bits
    session = onnxruntime.InferenceSession(str(export / "textual/model.onnx"))
    tokenizer = Tokenizer.from_file(str(export / "textual/tokenizer.json"))
    tokenizer.enable_padding(length=LENGTH, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(LENGTH)
    for text, row in zip(TEXTS, encoder.encode_texts(TEXTS), strict=True):
        ids = np.array([tokenizer.encode(" ".join(text.split())).ids], dtype=np.int32)
        (expected,) = session.run(None, {"text": ids})
        assert np.abs(expected[0] - row).max() < 0.02  # and the text tower's in 8


def test_an_export_for_one_photo_at_a_time_is_taken(ours: Path, tmp_path: Path) -> None:
    whole, single = (
        add(export_to_immich(ours, tmp_path / name, length=LENGTH, batch=batch), name)
        for name, batch in (("whole", "batch_size"), ("single", 1))
    )
    assert np.array_equal(whole.encode_images(photos()), single.encode_images(photos()))
    assert np.array_equal(whole.encode_texts(TEXTS), single.encode_texts(TEXTS))


def test_crop_and_canonical_texts_come_from_its_configuration(export: Path) -> None:
    change(export / "visual/preprocess_cfg.json", resize_mode="shortest", interpolation="bilinear")
    change(
        export / "config.json", text_cfg={"context_length": 8, "tokenizer_kwargs": {"clean": "canonicalize"}}
    )
    encoder = add(export)
    assert (encoder.framing.fit, encoder.framing.filter, encoder.framing.margin) == (
        "crop",
        "bilinear",
        "round",
    )
    assert np.array_equal(encoder.encode_texts(["A red, DOG!"]), encoder.encode_texts(["a red dog"]))


def test_weights_in_a_file_of_their_own_are_taken(export: Path) -> None:
    add(export, "one")
    visual = export / "visual/model.onnx"
    onnx.save(
        onnx.load(visual), visual, save_as_external_data=True, location="model.onnx.data", size_threshold=0
    )
    add(export, "two")
    first, second = Encoder.load("one"), Encoder.load("two")
    assert np.array_equal(first.encode_images(photos()), second.encode_images(photos()))


def test_a_tower_too_large_for_one_file_is_written_as_two(export: Path, tmp_path: Path) -> None:
    model = onnx.load(export / "visual/model.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(4096, dtype=np.float32), "large"))
    save_tower(model, tmp_path / "image.onnx", most_bytes=1000)
    assert (tmp_path / "image.onnx.data").stat().st_size >= 4 * 4096
    assert len(onnx.load(tmp_path / "image.onnx").graph.initializer) == len(model.graph.initializer)


def test_uint8_pixels_that_the_graph_normalises_itself_are_taken(ours: Path, export: Path) -> None:
    # The image tower of ours, with its input called otherwise, is such a graph.
    model = onnx.load(ours / "image.onnx")
    for node in model.graph.node:
        node.input[:] = ["image" if name == "pixels" else name for name in node.input]
    model.graph.input[0].name = "image"
    onnx.save(model, export / "visual/model.onnx")
    encoder = add(export)
    assert np.abs(Encoder.load(ours).encode_images(photos()) - encoder.encode_images(photos())).max() < 1e-3


def test_a_mask_beside_the_ids_is_given_to_the_tower(ours: Path, export: Path) -> None:
    shutil.copy(ours / "text.onnx", export / "textual/model.onnx")  # takes input_ids and attention_mask
    assert np.abs(Encoder.load(ours).encode_texts(TEXTS) - add(export).encode_texts(TEXTS)).max() < 0.02


# --- what is wrong --------------------------------------------------------------------------------------


def change(path: Path, **values: Any) -> None:
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **values})


def rewrite(path: Path, edit: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(path)
    edit(model)
    onnx.save(model, path)


def other_dimension(export: Path) -> None:
    """A text tower whose rows are as wide as two of the image tower's."""

    def double(model: onnx.ModelProto) -> None:
        out = model.graph.output[0].name
        model.graph.node.append(helper.make_node("Concat", [out, out], ["wide"], axis=1))
        model.graph.output[0].name = "wide"
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2 * DIM

    rewrite(export / "textual/model.onnx", double)


def far_weights(export: Path) -> None:
    """Weights said to be outside of the export's folder."""

    def move(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "../../etc/passwd"

    model = onnx.load(export / "visual/model.onnx")
    move(model)
    (export / "visual/model.onnx").write_bytes(model.SerializeToString())


def lost_weights(export: Path) -> None:
    visual = export / "visual/model.onnx"
    onnx.save(onnx.load(visual), visual, save_as_external_data=True, location="w.data", size_threshold=0)
    (export / "visual/w.data").unlink()


def opset(version: int) -> Callable[[Path], None]:
    def set_version(export: Path) -> None:
        model = onnx.load(export / "textual/model.onnx")
        for one in model.opset_import:
            if one.domain == "":
                one.version = version
        (export / "textual/model.onnx").write_bytes(model.SerializeToString())

    return set_version


def more_tokens(export: Path) -> None:
    tokenizer = Tokenizer.from_file(str(export / "textual/tokenizer.json"))
    tokenizer.add_tokens([f"new{i}" for i in range(50)])
    tokenizer.save(str(export / "textual/tokenizer.json"))


def huge_file(export: Path) -> None:
    os.truncate(export / "visual/model.onnx", 4 << 30)  # sparse: takes no space


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "no image tower": (
        lambda e: (e / "visual/model.onnx").unlink(),
        "without visual/model.onnx; copy",
    ),
    "no text folder": (
        lambda e: shutil.rmtree(e / "textual"),
        "without textual/model.onnx, textual/token",
    ),
    "two models": (
        other_dimension,
        f"vectors of {DIM} numbers, its text tower of {2 * DIM}; these",
    ),
    "old opset": (opset(7), "ONNX opset 7, and this program reads 11 to 26; export the model again"),
    "opset of the future": (opset(99), "ONNX opset 99, and this program reads"),
    "far weights": (far_weights, r"weights in '../../etc/passwd', which is not in its folder"),
    "lost weights": (lost_weights, "weights in w.data, which is missing; copy that file as well"),
    "4 GB in a file": (huge_file, "4.0 GB in one file, and ONNX ends at 2 GB; export it with external data"),
    "not ONNX": (
        lambda e: (e / "visual/model.onnx").write_bytes(b"GIF89a" * 9),
        "not an ONNX file",
    ),
    "more tokens than rows": (more_tokens, "tokenizer.json: has more tokens than the text tower"),
    "stated vocabulary": (
        lambda e: change(e / "config.json", text_cfg={"context_length": 8, "vocab_size": 3}),
        f"{len(VOCABULARY)} tokens, and the model in config.json knows 3; it is another model's tokenizer",
    ),
    "no padding": (
        lambda e: change(e / "textual/tokenizer_config.json", pad_token="<none>"),
        "the pad_token '<none>' is not a token of it",
    ),
    "no tokenizer": (
        lambda e: (e / "textual/tokenizer.json").write_text("{}"),
        "tokenizer.json: the tokenizer cannot be used",
    ),
    "longest side": (
        lambda e: change(e / "visual/preprocess_cfg.json", resize_mode="longest"),
        "resize_mode 'longest'; this program knows squash, shortest",
    ),
    "oblong photos": (
        lambda e: change(e / "visual/preprocess_cfg.json", size=[8, 16]),
        r"photos of \[8, 16\] are not square",
    ),
    "another size": (
        lambda e: change(e / "visual/preprocess_cfg.json", size=16),
        "takes photos of any x 3 x 8 x 8 rather than any x 3 x 16 x 16, the size in its preprocessing",
    ),
    "no deviation": (
        lambda e: change(e / "visual/preprocess_cfg.json", std=[0, 1, 1]),
        "are not those of RGB",
    ),
    "resize_mode of many": (
        lambda e: change(e / "visual/preprocess_cfg.json", resize_mode=["squash"]),
        r"resize_mode \['squash'\]; this program knows squash, shortest",
    ),
    "deviation beyond float32": (
        lambda e: change(e / "visual/preprocess_cfg.json", std=[1e300, 1, 1]),
        "are not those of RGB",
    ),
    "deviation of nearly 0": (
        lambda e: change(e / "visual/preprocess_cfg.json", std=[1e-300, 1, 1]),
        "are not those of RGB",
    ),
    "text_cfg of many": (
        lambda e: change(e / "config.json", text_cfg=[8]),
        r"config.json: text_cfg is \[8\] rather than a table",
    ),
    "tokenizer_kwargs in words": (
        lambda e: change(e / "config.json", text_cfg={"tokenizer_kwargs": "clean"}),
        "config.json: tokenizer_kwargs is 'clean' rather than a table",
    ),
    "damaged table": (lambda e: (e / "visual/preprocess_cfg.json").write_text("{"), "cannot be read"),
    "another context": (
        lambda e: change(e / "config.json", text_cfg={"context_length": 5}),
        "takes texts of 8 tokens, and its tokenizer gives 5",
    ),
    "towers exchanged": (
        lambda e: shutil.copy(e / "textual/model.onnx", e / "visual/model.onnx"),
        "takes text of any x 8, which are not the pixels of photos",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    export: Path, models: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(export)
    with pytest.raises(ModelError, match=said) as raised:
        add(export)
    assert "\n" not in str(raised.value)
    assert list(models.iterdir()) == []


def test_files_of_a_killed_addition_are_removed_by_the_next(export: Path, models: Path) -> None:
    for name, age in {".old.adding": 7200, ".new.adding": 0}.items():  # seconds
        (models / name).mkdir(parents=True)
        (models / name / "image.onnx").write_bytes(b"weights")
        os.utime(models / name / "image.onnx", (time.time() - age,) * 2)
        os.utime(models / name, (time.time() - age,) * 2)
    (models / ".mine").mkdir()
    add(export)
    # Another `models add` may be writing to a folder of less than an hour.
    assert sorted(path.name for path in models.iterdir()) == [".mine", ".new.adding", "added"]


@pytest.mark.parametrize("names", [False, True])  # as `write` and as `shutil.copyfile` raise it
def test_a_full_disk_is_one_line_and_leaves_nothing(export: Path, models: Path, names: bool) -> None:
    def convert(source: Path, folder: Path, progress: Progress) -> Converted:
        (folder / "image.onnx").write_bytes(b"half of it")
        file = str(folder / "image.onnx") if names else None
        raise OSError(errno.ENOSPC, "No space left on device", file)

    with pytest.raises(ModelError, match=r"models: No space left on device; nothing was added"):
        add_model(export, new_folder("mine"), Origin("made/up"), convert, SILENT)
    assert list(models.iterdir()) == []


def test_an_unfinished_model_has_no_name(export: Path, models: Path) -> None:
    add(export, "mine")
    shutil.copytree(models / "mine", models / ".other.adding")
    assert known_names() == ["default", "mine"]


def test_a_model_that_cannot_be_deleted_stays_whole(
    export: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(export, "mine")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "tokenizer.json")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match=r"models/mine: cannot be deleted \(Read-only file system\)"):
        remove_model("mine")
    Encoder.load("mine", verify=True)


def test_removing_a_link_keeps_what_it_leads_to(ours: Path, models: Path) -> None:
    models.mkdir()
    (models / "linked").symlink_to(ours)
    remove_model("linked")
    assert list(models.iterdir()) == []
    assert (ours / "config.json").is_file()


def test_a_model_folder_of_this_program_is_told_so(ours: Path) -> None:
    with pytest.raises(
        ModelError, match=r"ours: a model folder of this program already; use it as it is"
    ) as raised:
        layout_of(ours)
    assert "copy it to" in str(raised.value)


def test_names_are_checked_before_anything_is_done(export: Path) -> None:
    add(export, "mine")
    for name, said in {
        "mine": "there is a model of this name",
        "default": "the name of a shipped model",
        "../x": "not a name for a model",
        ".hidden": "not a name for a model",
        "": "not a name for a model",
    }.items():
        with pytest.raises(ModelError, match=said):
            new_folder(name)


def test_two_additions_at_once_under_one_name_do_not_disturb_each_other(export: Path) -> None:
    def convert_slowly(source: Path, folder: Path, progress: Progress) -> Converted:
        add(export, "same")  # another process is done first
        return convert_immich(source, folder, progress)

    target = new_folder("same")
    with pytest.raises(ModelError, match="there is a model of this name"):
        add_model(export, target, Origin("a"), convert_slowly, SILENT)
    assert [path.name for path in target.parent.iterdir()] == ["same"]
    Encoder.load("same", verify=True)


def test_removing_deletes_added_models_alone(export: Path, models: Path) -> None:
    add(export, "mine")
    assert remove_model("mine") == models / "mine"
    assert list(models.iterdir()) == []
    for name in ("mine", "default", "..", ""):
        with pytest.raises(ModelError, match="no added model has this name"):
            remove_model(name)
    assert (SHIPPED_MODELS / "default").is_dir()


def test_a_conversion_twice_over_has_no_name_twice(export: Path) -> None:
    model = onnx.load(export / "visual/model.onnx")
    scaling = graphs.Scaling(MEAN, STD)
    graphs.image_tower(model, Path("a"), SIZE, scaling)
    graphs.image_tower(model, Path("a"), SIZE, scaling)
    onnx.checker.check_model(model)
