"""Fitting confidence on made-up embeddings, where what is right is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import write_photo
from tests.smallmodel import seal, write_model
from twobranch.common.progress import SILENT
from twobranch.embedding.model_folder import read_config
from twobranch.retrieval.background import background_of as background_library
from twobranch.retrieval.background import scale_of
from twobranch.retrieval.confidence import RISING, Background, Calibration, SearchedGallery
from twobranch.train.data import CaptionedPhotos, joined
from twobranch.train.output.background_fits import standard_hits
from twobranch.train.output.calibrate import (
    BANK,
    CAPTIONS_A_PHOTO,
    background_of,
    draw_all,
    fit_calibration,
    recalibrate,
    write_calibration,
)
from twobranch.train.output.calibrate import fit as fit_hits
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
    (only,) = embed(towers, encoded(towers, dev), seed=1)
    return only


def encoded(towers: FakeTowers, dev: CaptionedPhotos) -> EncodedPhotos:
    return EncodedPhotos(dev, towers.encode_images(dev.photos), towers.encode_texts(dev.texts))


def background(towers: FakeTowers) -> Background:
    return background_of(towers, part(range(200, 400)), seed=1)


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
    asked = questions("text_to_images", data, np.random.default_rng(0))[0]
    rng = np.random.default_rng(0)
    hits = draw(asked, "text_to_images", background(towers), [1, 2, 60], rng, hits=60)
    for size in (1, 2, 60):
        here = hits.size == size
        assert hits.right[here & hits.answerable].sum() == len(asked.queries)  # one photo each
        assert hits.right[here & ~hits.answerable].sum() == 0
    assert np.all(hits.n_gallery[hits.answerable] == hits.size[hits.answerable])
    assert np.all(hits.n_gallery[(hits.size == 60) & ~hits.answerable] == 59)


def test_a_caption_is_not_its_own_answer() -> None:
    towers = FakeTowers()
    data = embedded(towers, part(range(20)))
    (asked,) = questions("text_to_captions", data, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    hits = draw(asked, "text_to_captions", background(towers), [20], rng, hits=60)
    assert hits.right.sum() == len(asked.queries) * 2  # the other two captions of its photo


@pytest.fixture(scope="module")
def calibration() -> tuple[Calibration, FakeTowers]:
    towers = FakeTowers()
    return fit_calibration([embedded(towers, part(range(100)))], background(towers), seed=1), towers


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
    others = towers.encode_images([Path(f"{n}.jpg") for n in range(151, 199)])
    for size in (1, 2, 10, 100):
        gallery = SearchedGallery(size, others[:size])
        found = fitted.confidences("text_to_images", query, text, [0.9, 0.2], gallery)
        assert found is not None
        assert found[0] > 0.6
        assert found[1] < 0.3
    small, large = (
        fitted.confidences("text_to_images", query, text, [0.5], SearchedGallery(n, others)) for n in (2, 100)
    )
    assert small is not None and large is not None
    assert small[0] > large[0]  # chance reaches higher in a large gallery


def test_the_same_seed_gives_the_same_fit(tmp_path: Path) -> None:
    written = []
    for name in "ab":
        towers, dev = FakeTowers(), part(range(60))
        (tmp_path / name).mkdir()
        train = part(range(200, 260))
        files = write_calibration(tmp_path / name, towers, train, encoded(towers, dev), seed=1)
        written.append(json.dumps(files))
    assert written[0] == written[1]
    assert "calibration.npz" in written[0]


def test_too_small_a_dev_split_gives_none(tmp_path: Path) -> None:
    towers, dev = FakeTowers(), part(range(2))
    assert write_calibration(tmp_path, towers, part(range(9)), encoded(towers, dev), seed=1) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_background_is_small(calibration: tuple[Calibration, FakeTowers]) -> None:
    assert BANK * (1 + CAPTIONS_A_PHOTO) * 512 < 1_600_000  # bytes
    assert len(calibration[0].background.images.rows) == 200
    assert calibration[0].background.images.rows.dtype == np.int8


def test_short_queries_match_photos_whose_texts_have_all_their_words() -> None:
    texts = ["a dog on a beach", "dogs", "a dog in the snow", "the beach", "a cat"]
    kinds = ("caption", "query", "caption", "caption", "caption")
    dev = CaptionedPhotos(
        tuple(Path(f"{n}.jpg") for n in range(4)),
        tuple(texts),
        np.array([0, 0, 1, 2, 3]),
        kinds=kinds,
        sources=("pets",) * 4,
        objects=(frozenset({"dog"}), frozenset({"dog"}), frozenset(), None),
    )
    data = embedded(FakeTowers(), dev)
    queries, objects = (
        next(one for one in data.short if one.name == name) for name in ("queries", "objects")
    )
    assert queries.relevance.tolist() == [[1, 1, 0, 0]]  # "dogs" and the dog in the snow: plurals count
    assert objects.relevance[0].tolist() == [1, 1, 0, -1]  # nobody listed what is in the last photo
    assert len(data.captions) == 4  # the query is no caption


def test_collections_are_asked_by_themselves() -> None:
    towers, names = FakeTowers(), ("here", "there")
    parts = [replace(part(range(60 * i, 60 * i + 60)), sources=(name,) * 60) for i, name in enumerate(names)]
    data = embed(towers, encoded(towers, joined(parts)), seed=1)
    assert [(one.source, len(one.photos), len(one.captions)) for one in data] == [
        ("here", 60, 180),
        ("there", 60, 180),
    ]


def test_an_added_model_is_calibrated_too(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")  # of colours, without a record of a training
    (folder / "calibration.npz").unlink()
    seal(folder)
    photos = [write_photo(tmp_path / f"{at}.png", (5 * at, 0, 255 - 5 * at)) for at in range(51)]
    words = ["red" if at > 25 else "blue" for at in range(51)]
    of_colours = CaptionedPhotos(tuple(photos), tuple(words), np.arange(51))
    assert recalibrate(str(folder), of_colours, of_colours, seed=1, progress=SILENT) == folder
    assert Calibration.load(folder, 4) is not None
    assert "calibration.npz" in read_config(folder).files
    assert not (folder / "MODEL_CARD.md").exists()


def test_fits_of_models_without_calibration_know_only_the_photos_and_the_background_texts() -> None:
    towers = FakeTowers()
    data = embedded(towers, part(range(100)))
    texts = towers.encode_texts([f"a dog number {n}" for n in range(200, 300)])
    (drawn, *_) = standard_hits("text_to_images", [data], texts, seed=1, sizes=(10, 100))
    found = fit_hits([drawn], len(data.photos))
    first, answerable = drawn.hits.rank == 1, drawn.hits.answerable
    confidence = found.probabilities(drawn.hits.features)
    # Every second gallery has no answer: first hits there are less likely
    assert confidence[first & answerable].mean() > confidence[first & ~answerable].mean() + 0.2
    # In the units of the model: the same numbers for its own features
    scale = scale_of("text_to_images", texts, data.photos)
    raw = draw_all("text_to_images", [data], background_library(texts, data.photos), 1, (10, 100))[0]
    assert scale.for_scores(found).probabilities(raw.hits.features) == pytest.approx(confidence, abs=1e-6)
