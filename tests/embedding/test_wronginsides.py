"""Model folders with right checksums and wrong insides: one line that names folder, file and mismatch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
from onnx import TensorProto

from tests.smallmodel import (
    VOCABULARY,
    calibration,
    image_tower,
    seal,
    text_tower,
    tokenizer,
    word_tower,
    words,
    write_model,
)
from twobranch.common.errors import ModelError
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import TextKind
from twobranch.retrieval.confidence import FEATURES, Calibration


@dataclass(frozen=True)
class Wrong:
    """What is done to a model folder, which file is to blame for it, and what is said."""

    file: str
    said: str  # a regular expression
    change: Callable[[Path], object] = lambda folder: None
    values: dict[str, Any] = field(default_factory=dict)  # in config.json
    kind: TextKind = "wordpiece"

    def apply(self, folder: Path) -> None:
        self.change(folder)
        seal(folder, **self.values)


def write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def swap(folder: Path) -> None:
    """Each tower under the other one's name."""
    (folder / "image.onnx").rename(folder / "other")
    (folder / "text.onnx").rename(folder / "image.onnx")
    (folder / "other").rename(folder / "text.onnx")


def copy(source: str, target: str) -> Callable[[Path], object]:
    return lambda folder: shutil.copy(folder / source, folder / target)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


IMAGE, TEXT, CONFIG = "image.onnx", "text.onnx", "config.json"
ones = np.ones
WRONG: dict[str, Wrong] = {
    # --- config.json
    **{
        f"image_size {value!r:.12}": Wrong(
            CONFIG, rf"image_size is {re.escape(f'{value!r:.9}')}", values={"image_size": value}
        )
        for value in (0, -1, 4097, 10**9, 10**30, "8", 8.0, None, [8], True)
    },
    **{
        f"dim {value!r:.12}": Wrong(CONFIG, rf"dim is {re.escape(f'{value!r:.9}')}", values={"dim": value})
        for value in (0, -4, 10**9, "4", 4.0, None)
    },
    **{
        f"max_tokens {value!r:.12}": Wrong(
            CONFIG, rf"max_tokens is {value!r:.9}", values={"max_tokens": value}
        )
        for value in (0, 2, -1, 10**9, 10**30, "8")
    },
    "text_kind": Wrong(
        CONFIG, "text_kind is 'pickle' rather than words or wordpiece", values={"text_kind": "pickle"}
    ),
    "figures in dev": Wrong(CONFIG, "a figure in dev is 'high'", values={"dev": {"rsum": "high"}}),
    "recalls in dev": Wrong(CONFIG, "a recall in dev is not a table", values={"dev": {"text_to_image": [1]}}),
    "a recall in dev": Wrong(
        CONFIG, "a figure in dev is None", values={"dev": {"text_to_image": {"R@1": None}}}
    ),
    # --- towers that are others than config.json says
    "image_size 1": Wrong(
        IMAGE,
        r"takes pixels of any x 8 x 8 x 3 rather than any x 1 x 1 x 3 \(image_size 1 in config.json\)",
        values={"image_size": 1},
    ),
    "image_size 4096": Wrong(IMAGE, r"rather than any x 4096 x 4096 x 3", values={"image_size": 4096}),
    "dim 5": Wrong(IMAGE, "gives vectors of 4 numbers, and config.json says dim 5", values={"dim": 5}),
    "dim 65536": Wrong(
        IMAGE, "gives vectors of 4 numbers, and config.json says dim 65,536", values={"dim": 65_536}
    ),
    "towers of two sizes": Wrong(
        TEXT, "gives vectors of 3 numbers, and config.json says dim 4", partial(text_tower, dim=3)
    ),
    "text tower as image tower": Wrong(
        IMAGE,
        "takes input_ids, attention_mask rather than pixels, so it is another kind of tower",
        copy(TEXT, IMAGE),
    ),
    "image tower as text tower": Wrong(
        TEXT, "takes pixels rather than input_ids and attention_mask", copy(IMAGE, TEXT)
    ),
    "towers swapped": Wrong(IMAGE, "takes input_ids, attention_mask rather than pixels", swap),
    "word tower for word pieces": Wrong(TEXT, "takes features rather than input_ids", word_tower),
    "image input of another name": Wrong(
        IMAGE, "takes image rather than pixels", partial(image_tower, name="image")
    ),
    "text input of another name": Wrong(
        TEXT, "takes ids, attention_mask rather than", partial(text_tower, names=("ids", "attention_mask"))
    ),
    "pixels as float": Wrong(
        IMAGE,
        r"takes pixels as tensor\(float\) rather than tensor\(uint8\)",
        partial(image_tower, type=TensorProto.FLOAT),
    ),
    "ids of 32 bits": Wrong(
        TEXT,
        r"takes input_ids as tensor\(int32\) rather than tensor\(int64\)",
        partial(text_tower, type=TensorProto.INT32),
    ),
    "channels first": Wrong(
        IMAGE,
        "takes pixels of any x 3 x 8 x 8 rather",
        partial(image_tower, shape=("n", 3, 8, 8), over=(2, 3)),
    ),
    "no batch": Wrong(
        IMAGE, "takes pixels of 2 x 8 x 8 x 3 rather", partial(image_tower, shape=(2, 8, 8, 3))
    ),
    "three axes": Wrong(
        IMAGE, "takes pixels of 8 x 8 x 3 rather", partial(image_tower, shape=(8, 8, 3), over=(1,))
    ),
    "five tokens": Wrong(TEXT, "takes input_ids of any x 5 rather", partial(text_tower, shape=("n", 5))),
    "vectors of 16 bits": Wrong(
        IMAGE, r"gives out0 \(tensor\(float16\), 2 axes\)", partial(image_tower, out_type=TensorProto.FLOAT16)
    ),
    "two outputs": Wrong(TEXT, r"gives out0 .*, out1 .* rather than one", partial(text_tower, outputs=2)),
    "size that is only seen in a run": Wrong(
        IMAGE,
        r"gives \d x 5 numbers for \d rows, and config.json says dim 4",
        partial(image_tower, dim=5, is_told=False),
    ),
    "vectors that are no unit vectors": Wrong(
        IMAGE, r"gives vectors of length 2\d\d", partial(image_tower, is_unit=False)
    ),
    "image tower gone": Wrong(IMAGE, "no such file", remove(IMAGE)),
    "no ONNX": Wrong(TEXT, "the tower cannot be loaded", write(TEXT, b"no ONNX at all")),
    "empty": Wrong(IMAGE, "the tower cannot be loaded", write(IMAGE, b"")),
    # --- tokenizer.json
    "no tokenizer": Wrong("tokenizer.json", "the tokenizer cannot be used", write("tokenizer.json", b"{}")),
    "no JSON": Wrong("tokenizer.json", "the tokenizer cannot be used", write("tokenizer.json", b"\x00\xff")),
    "a tokenizer with more words": Wrong(
        TEXT,
        r"fails on input_ids of \d+ x \d+ \(from tokenizer.json\), .*Gather",
        partial(text_tower, rows=4),
    ),
    "without [UNK]": Wrong(
        "tokenizer.json",
        "the tokenizer cannot be used .*UNK",
        lambda f: tokenizer(f, [word for word in VOCABULARY if word not in ("[UNK]", "a")]),
    ),
    "tokenizer gone": Wrong("tokenizer.json", "no such file", remove("tokenizer.json")),
    # --- word vectors
    "words for word pieces": Wrong("words.txt", "no such file", values={"text_kind": "words"}),
    "word pieces for words": Wrong(
        "tokenizer.json", "no such file", values={"text_kind": "wordpiece", "max_tokens": 8}, kind="words"
    ),
    "fewer words": Wrong(
        "words.npy", "4 vectors for 2 words in words.txt", write("words.txt", b"red\ngreen\n"), kind="words"
    ),
    "no text": Wrong("words.txt", "utf-8", write("words.txt", b"\xff\xfe"), kind="words"),
    "vectors of one axis": Wrong(
        "words.npy", "rather than a vector for each", partial(words, vectors=ones(4)), kind="words"
    ),
    "vectors of whole numbers": Wrong(
        "words.npy", "int64 of", partial(words, vectors=np.eye(4, dtype=np.int64)), kind="words"
    ),
    "no vectors": Wrong("words.npy", "cannot be used", write("words.npy", b"\x93NUMPY"), kind="words"),
    "weights": Wrong(
        "sif.npz", r"weights \(3,\) and", partial(words, weights=ones(3, np.float32)), kind="words"
    ),
    "component": Wrong(
        "sif.npz", r"component \(5,\)", partial(words, component=ones(5, np.float32)), kind="words"
    ),
    "double": Wrong("sif.npz", "float64", partial(words, weights=ones(4), component=ones(4)), kind="words"),
    "no weights": Wrong("sif.npz", "cannot be used", write("sif.npz", b"PK\x03\x04"), kind="words"),
    "features of another size": Wrong(
        TEXT,
        r"takes features of any x 5 rather than any x 4 \(the vectors in words.npy\)",
        partial(word_tower, features=5),
        kind="words",
    ),
    # --- calibration.npz
    "bank of another size": Wrong(
        "calibration.npz",
        r"a bank is int8 of shape \(4, 5\), but the model's vectors have 4 numbers",
        partial(calibration, images__rows=np.zeros((4, 5), np.int8)),
    ),
    "bank of one axis": Wrong(
        "calibration.npz", "a bank is", partial(calibration, images__rows=ones(4, np.int8))
    ),
    "empty bank": Wrong(
        "calibration.npz", "a bank is", partial(calibration, captions__rows=np.zeros((0, 4), np.int8))
    ),
    "float bank": Wrong("calibration.npz", "a bank is float64", partial(calibration, images__rows=np.eye(4))),
    "scales": Wrong(
        "calibration.npz", "a bank .* has scales", partial(calibration, images__scales=ones(3, np.float32))
    ),
    "no numbers": Wrong(
        "calibration.npz",
        "a bank .* not finite",
        partial(calibration, captions__scales=np.full(4, np.nan, np.float32)),
    ),
    "fewer weights": Wrong(
        "calibration.npz", "not of this version", partial(calibration, text_to_images__weights=ones(3))
    ),
    "weights that are none": Wrong(
        "calibration.npz",
        "a fit has numbers that are not finite",
        partial(calibration, text_to_images__weights=np.full(1 + len(FEATURES), np.inf)),
    ),
    "limits": Wrong(
        "calibration.npz",
        r"limits of shape \(2, 2\)",
        partial(calibration, text_to_images__weak=np.full((2, 2), 0.5)),
    ),
    "limits beyond 1": Wrong(
        "calibration.npz",
        "not probabilities",
        partial(calibration, text_to_images__weak=np.full((1, 1), 7.0)),
    ),
    "sizes": Wrong(
        "calibration.npz", "sizes or lengths", partial(calibration, text_to_images__sizes=np.zeros(1))
    ),
    "no sizes": Wrong(
        "calibration.npz", "sizes or lengths", partial(calibration, text_to_images__sizes=np.zeros(0))
    ),
    "no archive": Wrong("calibration.npz", "damaged", write("calibration.npz", b"PK\x03\x04 no more")),
}


def use(folder: Path) -> None:
    """All that any command does with a model."""
    encoder = Encoder.load(folder, verify=True)
    encoder.check()
    Calibration.load(folder, encoder.dim)


@pytest.mark.parametrize("kind", ["wordpiece", "words"])
def test_a_model_that_is_right(tmp_path: Path, kind: TextKind) -> None:
    folder = write_model(tmp_path / "model", kind)
    use(folder)
    encoder = Encoder.load(folder)
    red, green = encoder.encode_images([Image.new("RGB", (20, 10), color) for color in ("red", "lime")])
    texts = encoder.encode_texts(["red", "a green dog" if kind == "wordpiece" else "green"])
    assert red @ texts[0] > 0.99 > 0.5 > red @ texts[1]
    assert green @ texts[1] > 0.7
    assert encoder.unknown_words("red zebra") == ["zebra"]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_line_that_names_the_file(tmp_path: Path, wrong: Wrong) -> None:
    folder = write_model(tmp_path / "model", wrong.kind)
    wrong.apply(folder)
    with pytest.raises(ModelError) as raised:
        use(folder)
    said = str(raised.value)
    assert said.startswith(f"{folder / wrong.file}: ") and "\n" not in said
    assert re.search(wrong.said, said), said
    assert re.search("copy the model folder again|refit it with", said)
    assert len(said) < 600


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_the_first_use_says_the_same(tmp_path: Path, wrong: Wrong, capfd: pytest.CaptureFixture[str]) -> None:
    """Without the check that `index` and `doctor` make, as a search and the Python API use a model."""
    folder = write_model(tmp_path / "model", wrong.kind)
    wrong.apply(folder)
    uses: tuple[Callable[[Encoder], object], ...] = (
        lambda encoder: encoder.encode_images([Image.new("RGB", (20, 10), "red")] * 3),
        lambda encoder: encoder.encode_texts(["red", "a dog " * 50, "zebra"] * 20),
        lambda encoder: encoder.unknown_words("red zebra"),
        lambda encoder: encoder.knows("red"),
        lambda encoder: Calibration.load(encoder.folder, encoder.dim),
    )
    said = set()
    for one in uses:
        try:
            one(Encoder.load(folder))
        except ModelError as error:
            said.add(str(error))
    assert any(re.search(wrong.said, one) for one in said), said
    assert capfd.readouterr().err == ""  # nor does ONNX Runtime say anything of its own


def test_a_configuration_that_is_no_unicode(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"small"', r'"\ud800"'))
    with pytest.raises(ModelError, match=r"config\.json: damaged \(.*surrogates not allowed"):
        Encoder.load(folder)


def test_a_tokenizer_of_whatever_json(tmp_path: Path) -> None:
    """Pieces of it replaced: a tokenizer that works, or one line that names it."""
    folder = write_model(tmp_path / "model")
    good = (folder / "tokenizer.json").read_text()
    pieces = ("{", "}", "[", "]", "null", "-1", "1e999", '"a"', "true", "99999999", '""', "4294967295")
    random, refused = Random(1), 0
    for _ in range(500):
        at, n = random.randrange(len(good)), random.choice((0, 1, 4, 30))
        (folder / "tokenizer.json").write_text(good[:at] + random.choice(pieces) + good[at + n :])
        try:
            Encoder.load(folder).check()
        except ModelError as error:
            refused += 1
            assert str(error).startswith((f"{folder / 'tokenizer.json'}: ", f"{folder / 'text.onnx'}: "))
    assert 250 < refused < 500


def test_too_little_memory_is_not_the_model_s_fault(tmp_path: Path) -> None:
    encoder = Encoder.load(write_model(tmp_path / "model"))

    def run(outputs: object, inputs: object) -> object:
        raise RuntimeError("[ONNXRuntimeError] : Failed to allocate memory for requested buffer of size 7")

    encoder.prepare()
    encoder._image_tower._session = SimpleNamespace(run=run)
    with pytest.raises(
        ModelError, match=r"image\.onnx: not enough memory for pixels of 1 x 8 x 8 x 3 \(image"
    ):
        encoder.encode_images([Image.new("RGB", (8, 8))])
