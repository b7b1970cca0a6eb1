"""SIF against the paper's formulas, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twobranch.embedding.sif import SifEncoder, WordVectors, tokenize, training_vocabulary

WORDS = WordVectors.from_words(
    ["the", "dog", "red", "'s", "zebra"],
    np.array([[1, 0], [0, 1], [1, 1], [2, 0], [0, 3]], dtype=np.float32),
)


def test_tokenize() -> None:
    assert tokenize("A dog's T-shirt, isn’t it?") == ["a", "dog's", "t-shirt", "isn't", "it"]


def test_a_word_that_is_not_there_is_looked_up_in_its_parts() -> None:
    assert WORDS.lookup("dog") == [1]
    assert WORDS.lookup("dog's") == [1, 3]
    assert WORDS.lookup("red-dog") == [2, 1]
    assert WORDS.lookup("cat") == []


def test_weights_are_a_over_a_plus_p() -> None:
    # "the" is 3 of 4 words: 0.001 / (0.001 + 0.75); "dog" 1 of 4. A word without a count weighs 1.
    sif = SifEncoder.fit(WORDS, ["the the dog", "the"])
    assert sif.weights == pytest.approx([0.001 / 0.751, 0.001 / 0.251, 1, 1, 1])


def test_the_removed_direction_is_that_of_the_uncentred_sentences() -> None:
    # Rows a/(a + 3/4) (1, 0), three times, and a/(a + 1/4) (0, 1), once: singular values 0.0023 and 0.0040,
    # so the first singular vector is (0, 1) up to its sign. Centred, it would be neither axis.
    sif = SifEncoder.fit(WORDS, ["the", "the", "the", "dog"])
    assert np.abs(sif.component) == pytest.approx([0, 1], abs=1e-6)
    means = SifEncoder(WORDS, sif.weights, np.zeros(2, np.float32)).features(["the", "the", "the", "dog"])
    _, _, directions = np.linalg.svd(means)
    assert abs(directions[0] @ sif.component) == pytest.approx(1)


def test_features_by_hand() -> None:
    # weights 1 for the, dog and red; component (1, 0): only the second coordinate is left.
    # "red dog": ((1, 1) + (0, 1)) / 2 = (0.5, 1) -> (0, 1)
    sif = SifEncoder(WORDS, np.ones(5, np.float32), np.array([1, 0], np.float32))
    assert sif.features(["red dog", "the", "cat"]).tolist() == [[0, 1], [0, 0], [0, 0]]


def test_unknown_words_are_named() -> None:
    sif = SifEncoder(WORDS, np.ones(5, np.float32), np.array([1, 0], np.float32))
    assert sif.unknown_words("the red cat, the dog's hat") == ["cat", "hat"]
    assert sif.knows("a red cat")
    assert not sif.knows("a cat")
    assert not sif.knows("!!!")


def test_save_and_load_give_the_same_features(tmp_path: Path) -> None:
    words = training_vocabulary(WORDS, ["the red dog"])
    sif = SifEncoder.fit(words, ["the red dog", "the dog's", "a zebra"])
    assert sif.save(tmp_path) == ["words.txt", "words.npy", "sif.npz"]
    loaded = SifEncoder.load(tmp_path)
    texts = ["the red dog", "zebra", "dog's", "nothing known"]
    assert np.array_equal(loaded.features(texts), sif.features(texts))


def test_the_vocabulary_keeps_used_words_and_the_most_frequent() -> None:
    assert list(training_vocabulary(WORDS, ["a zebra"], n_frequent=2).rows) == ["the", "dog", "zebra"]


def test_words_and_vectors_must_agree() -> None:
    with pytest.raises(ValueError, match="1 words but 5 vectors"):
        WordVectors.from_words(["the"], WORDS.vectors)
