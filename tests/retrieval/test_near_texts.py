"""Which captions say nearly the same."""

from __future__ import annotations

import random

import pytest

from twobranch.retrieval.evaluation.near_texts import near_texts
from twobranch.retrieval.text_match import content_words


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("A dog runs.", "a dog runs", True),
        ("a dog runs in the snow", "the dog that runs in snow", True),  # stop words do not count
        ("two dogs run", "two dog run", True),  # nor does a plural
        ("a dog runs", "a cat runs", False),
        ("of the", "Of the.", True),  # nothing but stop words: equal as texts
        ("of the", "in the", False),
        # Four of five words: 4 / 5 = 0.8. Three of four: 0.75.
        ("brown dog runs fast uphill", "brown dog runs fast", True),
        ("brown dog runs fast", "brown dog runs", False),
        # Eight in common and one of each: 8 / 10; seven in common and one of each: 7 / 9 = 0.78.
        ("one two three four five six seven eight nine", "one two three four five six seven eight ten", True),
        ("one two three four five six seven eight", "one two three four five six seven nine", False),
    ],
)
def test_two_texts(one: str, other: str, near: bool) -> None:
    rows = near_texts([one, other, "something else"])
    assert [row.tolist() for row in rows] == [[0, 1] if near else [0], [0, 1] if near else [1], [2]]


@pytest.mark.parametrize("n", [1, 4, 8, 12, 28])
def test_a_text_with_a_quarter_more_words(n: int) -> None:
    # n of n + n/4 words are 4 of 5, whatever floating-point numbers say: 12 / 0.8 is less than 15 there.
    words = [f"word{i}" for i in range(n + n // 4)]
    more = [*words, "other"]
    rows = near_texts([" ".join(words[:n]), " ".join(words), " ".join(more)])
    assert rows[0].tolist() == [0, 1]


def test_all_pairs_are_found() -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abcdefgh", k=draw.randint(1, 7))) + "x" for _ in range(300)]
    words = [set(content_words(text)) for text in texts]
    for row, found in enumerate(near_texts(texts)):
        naive = [
            other
            for other in range(len(texts))
            if 5 * len(words[row] & words[other]) >= 4 * len(words[row] | words[other])
        ]
        assert found.tolist() == naive
