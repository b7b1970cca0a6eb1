"""No text is pushed away from a photo that it is right for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from twobranch.train.data import CaptionedPhotos
from twobranch.train.knowledge import Knowledge
from twobranch.train.truth import OBJECTS, Truth, with_object_texts

PIZZA, DOGS, BEAR, UNLISTED = range(4)


def photos() -> CaptionedPhotos:
    """Four photos: pizza and fork; a dog and a hot dog; a teddy bear and a bear; one that nobody listed."""
    return CaptionedPhotos(
        photos=tuple(Path(f"{n}.jpg") for n in range(4)),
        texts=("Dinner for two.", "dog", "dinner for two", "a fork", "a hot dog"),
        items=np.array([PIZZA, DOGS, BEAR, PIZZA, DOGS]),
        kinds=("caption", "word", "query", OBJECTS, OBJECTS),
        sources=("coco", "coco", "coco", "flickr8k"),
        objects=(
            frozenset({"pizza", "fork"}),
            frozenset({"dog", "hot dog"}),
            frozenset({"teddy bear", "bear"}),
            None,
        ),
    )


def test_a_photo_with_all_objects_of_a_text_is_no_negative_and_one_that_lacks_some_is() -> None:
    truth = Truth.of(photos())
    wrong = truth.negatives(np.arange(4), np.arange(5))
    dinner, dog, again, fork, hot_dog = wrong.T
    # Sentences are told apart by their photos alone.
    assert dinner.all()
    assert again.all()
    # "dog": not the photo with the dog; the photo that nobody listed has no say.
    assert dog.tolist() == [True, False, True, False]
    assert fork.tolist() == [False, True, True, False]
    # "hot dog" asks for no dog beside it.
    assert hot_dog.tolist() == [True, False, True, False]


def test_equal_texts_are_told_whatever_their_case_and_full_stop() -> None:
    same = Truth.of(photos()).same_text(np.arange(5))
    expected = np.eye(5, dtype=bool)
    expected[0, 2] = expected[2, 0] = True  # "Dinner for two." and "dinner for two"
    assert np.array_equal(same, expected)


def test_object_texts_name_what_is_listed_and_are_right_for_their_own_photo() -> None:
    many = with_object_texts(photos(), seed=3)
    added = range(5, len(many.texts))
    # Two for each of the three photos whose objects are listed.
    assert many.items[5:].tolist() == [PIZZA] * 2 + [DOGS] * 2 + [BEAR] * 2
    truth = Truth.of(many)
    for row in added:
        item = int(many.items[row])
        objects = photos().objects[item]
        assert objects is not None
        assert any(name in many.texts[row] for name in objects)
        assert not truth.negatives(np.array([item]), np.array([row]))[0, 0]
    assert with_object_texts(photos(), seed=3).texts == many.texts


def test_a_photo_is_no_negative_of_a_class_that_the_classifier_sees_in_it() -> None:
    said = torch.log(torch.tensor([[0.9, 0.1], [0.01, 0.99]]))
    knowledge = Knowledge(Truth.of(photos()))
    wrong = knowledge.negatives(np.array([PIZZA, DOGS]), np.array([0, 1]), np.array([0, 1]), said)
    assert wrong is not None
    # Rows: two photos, two class directions; columns: their two texts, two class names. 10% is likely enough.
    assert wrong[:2, 2:].tolist() == [[False, False], [True, False]]
    assert wrong[2:].all()
    assert Knowledge().negatives(np.array([0]), np.array([0]), np.array([0]), None) is None
