"""The second text tower: what it is trained on, and that training moves it where it should."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from twobranch.common.errors import CaptionFileError
from twobranch.common.progress import SILENT, Silent
from twobranch.train.checkpoint import Checkpoint, TrainingContext, load_checkpoint
from twobranch.train.data import CaptionedPhotos
from twobranch.train.languages.data import (
    NONE,
    DevTexts,
    Sentence,
    TrainingTexts,
    caption_sentences,
    dev_texts,
    english_sentences,
    parallel_sentences,
    query_sentences,
    read_parallel,
)
from twobranch.train.languages.e5weights import E5Weights
from twobranch.train.languages.loop import LanguagePreset, StudentDev, StudentSplit, train_student, typed
from twobranch.train.languages.student import Student, chosen_pieces


def photos(*names: str, kinds: bool = False) -> CaptionedPhotos:
    """One photo for each name, with a caption and, if ``kinds``, a typed query."""
    texts = [text for name in names for text in (f"a photo {name}", f"query {name}")]
    items = np.repeat(np.arange(len(names)), 2)
    return CaptionedPhotos(
        tuple(Path("photos", name) for name in names),
        tuple(texts),
        items,
        ("caption", "query") * len(names) if kinds else (),
        ("here",) * len(names),
    )


# --- what it is trained on ------------------------------------------------------------------------------


def test_translations_of_dev_captions_are_left_out(tmp_path: Path) -> None:
    table = tmp_path / "parallel.tsv"
    table.write_text(
        "flickr_id\ten\tde\tfr\n"
        "11\ta dog\tein Hund\tun chien\n"
        "12\ta cat\teine Katze\tun chat\n"
        "99\ta cow\teine Kuh\t\n"
        "98\ta\ttab\tin a text\ttoo many\n"
    )
    train, dev = photos("11_ab.jpg"), photos("12_cd.jpg")
    sentences = parallel_sentences(read_parallel(table), train, dev)
    # Photo 11 is trained on, 12 is dev, 99 is in neither corpus; an empty translation is none.
    assert sentences == [
        Sentence("ein Hund", "de", "a dog", 0),
        Sentence("un chien", "fr", "a dog", 0),
        Sentence("eine Kuh", "de", "a cow", NONE),
    ]


@pytest.mark.parametrize("content", ["", "id\tde\n1\tein Hund\n"])
def test_another_table_is_refused(tmp_path: Path, content: str) -> None:
    table = tmp_path / "parallel.tsv"
    table.write_text(content)
    with pytest.raises(CaptionFileError, match="flickr_id and en"):
        read_parallel(table)


def test_queries_in_other_languages_go_with_an_english_one(tmp_path: Path) -> None:
    file = tmp_path / "dataset.json"
    images = [
        {"filename": "a.jpg", "other_languages": {"de": ["Hund"], "es": ["perro"]}},
        {"filename": "unknown.jpg", "other_languages": {"de": ["Kuh"]}},
        {"filename": "b.jpg"},
    ]
    file.write_text(json.dumps({"images": images}))
    found = query_sentences(file, photos("b.jpg", "a.jpg", kinds=True))
    assert found == [Sentence("Hund", "de", "query a.jpg", 1), Sentence("perro", "es", "query a.jpg", 1)]


def test_captions_in_another_language_go_with_photos_alone(tmp_path: Path) -> None:
    file = tmp_path / "photos.de.token.txt"
    file.write_text("a.jpg#0\tein Hund\nz.jpg#0\teine Kuh\n")
    assert caption_sentences(file, "de", photos("a.jpg")) == [Sentence("ein Hund", "de", None, 0)]


def test_typed_queries_are_english_sentences_and_captions_are_not() -> None:
    assert english_sentences(photos("a.jpg", kinds=True)) == [Sentence("query a.jpg", "en", "query a.jpg", 0)]


def test_each_english_text_is_embedded_once() -> None:
    texts = TrainingTexts.of(
        [Sentence("Hund", "de", "dog"), Sentence("chien", "fr", "dog", 3), Sentence("Katze", "de", None, 4)]
    )
    assert texts.english == ("dog",)
    assert texts.english_rows.tolist() == [0, 0, NONE]
    assert texts.photo_rows.tolist() == [NONE, 3, 4]


def test_dev_texts_find_their_photo_among_those_of_its_source() -> None:
    dev = CaptionedPhotos(
        (Path("a"), Path("b"), Path("c")), (), np.empty(0, dtype=np.int64), (), ("x", "y", "y")
    )
    sentences = [Sentence("C", "de", None, 2), Sentence("A", "de", None, 0), Sentence("B", "fr", None, 1)]
    groups = [(g.source, g.language, g.photos.tolist(), g.items.tolist()) for g in dev_texts(sentences, dev)]
    assert groups == [("x", "de", [0], [0]), ("y", "de", [1, 2], [1]), ("y", "fr", [1, 2], [0])]


def test_a_text_as_it_is_typed() -> None:
    seen = {typed("Schöne Bäume", np.random.default_rng(seed)) for seed in range(20)}
    assert seen == {"schöne bäume", "schone baume"}


# --- training -------------------------------------------------------------------------------------------

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", *(f"▁w{i}" for i in range(16)), "▁я", "▁rare")


def weights(hidden: int = 8, layers: int = 8) -> E5Weights:
    """A random network of the wheel's layout, with sixteen words."""
    rng = np.random.default_rng(0)

    def matrix(*shape: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    tensors = {
        "emb.word": matrix(len(PIECES), hidden),
        "emb.pos": matrix(80, hidden),
        "emb.type": matrix(1, hidden),
        "emb.ln.w": np.ones(hidden, np.float32),
        "emb.ln.b": np.zeros(hidden, np.float32),
    }
    for layer in range(layers):
        sizes = {"q": (hidden, hidden), "k": (hidden, hidden), "v": (hidden, hidden), "ao": (hidden, hidden)}
        sizes |= {"fi": (16, hidden), "fo": (hidden, 16)}
        for name, shape in sizes.items():
            tensors[f"l{layer}.{name}.w"] = matrix(*shape)
            tensors[f"l{layer}.{name}.b"] = np.zeros(shape[0], np.float32)
        for name in ("aln", "oln"):
            tensors[f"l{layer}.{name}.w"] = np.ones(hidden, np.float32)
            tensors[f"l{layer}.{name}.b"] = np.zeros(hidden, np.float32)
    scores = -np.arange(len(PIECES), dtype=np.float32)
    return E5Weights(hidden, layers, 2, 16, 1e-12, PIECES, scores, tensors, begin=0, end=2, pad=1, unknown=3)


def test_the_pieces_of_the_texts_and_the_likeliest_are_kept() -> None:
    kept = chosen_pieces(weights(), ["w9"], n=8)
    # The four special ones, the single sign, w9 of the text, and the two likeliest others; never Cyrillic.
    assert [PIECES[row] for row in kept] == ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁w0", "▁w1", "▁w9"]


def splits() -> tuple[StudentSplit, StudentDev]:
    """Word i stands for English row i and photo i; dev asks for the same."""
    rng = np.random.default_rng(1)
    targets = rng.normal(size=(16, 12)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    rows = np.tile(np.arange(16), 8)
    sentences = [[0, 5 + row, 2] for row in rows.tolist()]
    split = StudentSplit(sentences, sentences, rows, np.where(rows % 2, rows, NONE), targets, targets)
    described = np.arange(15)  # the last photo has no text
    texts = DevTexts("de", "here", np.arange(16), tuple(f"w{i}" for i in range(15)), described)
    return split, StudentDev(texts, sentences[:15], targets)


class StopIn(Silent):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.label = ""

    def start(self, label: str, total: int | None) -> None:
        self.label = label

    def advance(self, n: int = 1) -> None:
        if self.label.startswith(f"epoch {self.epoch}/"):
            raise KeyboardInterrupt


def trained(checkpoint: Path, epochs: int = 6, progress: Silent = SILENT) -> Checkpoint:
    train, dev = splits()
    preset = LanguagePreset(epochs=epochs, batch_size=16, encoder_rate=1e-3, branch_rate=1e-2)
    student = Student(weights(), 12)
    context = TrainingContext(1, checkpoint, {}, checkpoint.is_file(), progress)
    return train_student(student, train, [dev], preset, context)


def test_texts_find_their_photos(tmp_path: Path) -> None:
    # By chance R@1/5/10 among 16 photos are 6, 31 and 62 percent, the sum both ways about 200.
    assert max(epoch.rsum for epoch in trained(tmp_path / "checkpoint").history) > 300


def test_a_stopped_training_goes_on_to_the_same_network(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", progress=StopIn(4))
    assert len(load_checkpoint(tmp_path / "stopped").history) == 3
    resumed = trained(tmp_path / "stopped")
    assert all(resumed.best[name].equal(value) for name, value in whole.best.items())
    assert [epoch.rsum for epoch in resumed.history] == [epoch.rsum for epoch in whole.history]


def test_the_lowest_layers_and_the_words_stay_as_they_were(tmp_path: Path) -> None:
    before = Student(weights(), 12).state_dict()
    after = trained(tmp_path / "checkpoint", epochs=1).network
    moved = {name for name, value in after.items() if not before[name].equal(value)}
    assert not any(".embeddings." in name or ".layer.0." in name or ".layer.5." in name for name in moved)
    assert any(".layer.6." in name for name in moved) and any(name.startswith("branch.") for name in moved)
