"""Fitting confidence on made-up embeddings, where what is right is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from twobranch.retrieval.confidence import RISING, Bank, Calibration
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.calibrate import BANK, banks_of, fit_calibration, write_calibration
from twobranch.train.output.questions import Embedded, EncodedPhotos, draw, embed, questions, visual_words

DIM = 16


class FakeTowers:
    """Photo "<number>.jpg" and text "… <number>" have the direction of the number, and noise of their own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.centres = self.rng.normal(size=(400, DIM))

    def encode_images(self, images: Sequence[Path]) -> NDArray[np.float32]:
        return self._near([int(path.stem) for path in images])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._near([int(text.split()[-1]) if text.split()[-1].isdigit() else 0 for text in texts])

    def knows(self, text: str) -> bool:
        return text != "unknown"

    def _near(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        vectors = self.centres[list(numbers)] + self.rng.normal(scale=0.5, size=(len(numbers), DIM))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32).reshape(-1, DIM)


def part(numbers: Sequence[int], captions: int = 3) -> CaptionedPhotos:
    """Photos with these numbers; every other one is a dog by all accounts, the others cats."""
    animals = ("dog", "cat")
    texts = [f"a {animals[n % 2]} number {n}" for n in numbers for _ in range(captions)]
    items = np.repeat(np.arange(len(numbers)), captions)
    return CaptionedPhotos(tuple(Path(f"{n}.jpg") for n in numbers), tuple(texts), items)


def embedded(towers: FakeTowers, dev: CaptionedPhotos) -> Embedded:
    return embed(towers, dev, towers.encode_images(dev.photos), towers.encode_texts(dev.texts), seed=1)


def test_visual_words_are_those_that_people_agree_on() -> None:
    texts = ["a dog here", "the dog", "a dog", "a cat", "a cat", "that cat", "a bird", "a bird", "a thing"]
    words, counts = visual_words(texts, np.repeat([0, 1, 2], 3), 3)
    # "a" is agreed on, but it is everywhere; dogs, cats and birds are each in a third of the captions, three
    # times as often in those of one photo: more than a lift of 4 allows, so a larger corpus is needed
    assert words == []
    many = texts + ["nothing"] * 27
    words, counts = visual_words([*many, "one dog", "a dog"], np.r_[np.repeat(np.arange(12), 3), 12, 12], 13)
    assert words == ["dog"]  # of cats and birds there is only one photo
    assert counts.tolist() == [[3, *[0] * 11, 2]]


def test_every_question_has_its_answer_in_one_gallery_and_not_in_the_other() -> None:
    towers = FakeTowers()
    data = embedded(towers, part(range(60)))
    bank = Bank.of(towers.encode_images([Path(f"{n}.jpg") for n in range(100, 200)]))
    asked = questions("text_to_images", data, np.random.default_rng(0))[0]
    hits = draw(asked, bank, [1, 2, 60], np.random.default_rng(0), hits=60)
    for size in (1, 2, 60):
        here = hits.size == size
        assert hits.right[here & hits.answerable].sum() == len(asked.queries)  # one photo each
        assert hits.right[here & ~hits.answerable].sum() == 0
    assert np.all(hits.n_gallery[hits.answerable] == hits.size[hits.answerable])
    assert np.all(hits.n_gallery[(hits.size == 60) & ~hits.answerable] == 59)


def test_a_caption_is_not_its_own_answer() -> None:
    data = embedded(FakeTowers(), part(range(20)))
    (asked,) = questions("text_to_captions", data, np.random.default_rng(0))
    hits = draw(asked, Bank.of(data.captions), [20], np.random.default_rng(0), hits=60)
    assert hits.right.sum() == len(asked.queries) * 2  # the other two captions of its photo


@pytest.fixture(scope="module")
def calibration() -> tuple[Calibration, FakeTowers]:
    towers = FakeTowers()
    banks = banks_of(towers, part(range(200, 400)), seed=1)
    return fit_calibration(embedded(towers, part(range(100))), *banks, seed=1), towers


def test_it_tells_right_from_wrong_and_small_from_large(
    calibration: tuple[Calibration, FakeTowers],
) -> None:
    fitted, towers = calibration
    assert set(fitted.fits) >= {"text_to_images", "image_to_captions", "text_to_captions"}
    for fit in fitted.fits.values():
        assert np.all(fit.weights[[1 + column for column in RISING]] >= 0)
        assert np.all((fit.weak > 0) & (fit.weak < 1))
    (query,) = towers.encode_texts(["a dog number 150"])  # neither in dev nor in the bank
    text = "a dog number 150"
    for size in (1, 2, 10, 100):
        found = fitted.confidences("text_to_images", query, text, [0.9, 0.2], size)
        assert found is not None
        assert found[0] > 0.6
        assert found[1] < 0.3
    small, large = (fitted.confidences("text_to_images", query, text, [0.5], n) for n in (2, 100))
    assert small is not None and large is not None
    assert small[0] > large[0]  # chance reaches higher in a large gallery


def test_the_same_seed_gives_the_same_fit(tmp_path: Path) -> None:
    written = []
    for name in "ab":
        towers, dev = FakeTowers(), part(range(60))
        (tmp_path / name).mkdir()
        photos, captions = towers.encode_images(dev.photos), towers.encode_texts(dev.texts)
        encoded = EncodedPhotos(dev, photos, captions)
        files = write_calibration(tmp_path / name, towers, part(range(200, 260)), encoded, seed=1)
        written.append(json.dumps(files))
    assert written[0] == written[1]
    assert "calibration.npz" in written[0]


def test_too_small_a_dev_split_gives_none(tmp_path: Path) -> None:
    towers, dev = FakeTowers(), part(range(2))
    photos, captions = towers.encode_images(dev.photos), towers.encode_texts(dev.texts)
    encoded = EncodedPhotos(dev, photos, captions)
    assert write_calibration(tmp_path, towers, part(range(9)), encoded, seed=1) == {}
    assert list(tmp_path.iterdir()) == []


def test_banks_are_small(calibration: tuple[Calibration, FakeTowers]) -> None:
    assert BANK * 512 * 2 < 1_100_000  # bytes, both sides
    assert len(calibration[0].images.rows) == 200
    assert calibration[0].images.rows.dtype == np.int8
