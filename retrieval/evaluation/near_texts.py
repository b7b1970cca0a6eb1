"""Captions that say nearly the same as another one.

Where a caption is asked for, these would give the answer away: see ``retrieval.evaluation.fused``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.captionfiles.texts import text_key
from twobranch.retrieval.text_match import content_words

NEAR = (4, 5)  # the least share of common words among all words of two texts, exactly: 4 of 5


def near_texts(texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Find for each text those that say nearly the same.

    Returns the rows for each of the (C,) texts. Each list rises and has the text itself. Two texts are near
    if they are equal but for case, white space and full stops at the end, or if their content words have a
    Jaccard index of at least ``NEAR``: the words that both have, divided by the words that either has. Stop
    words do not count, and a plural is its singular. So of four words none may differ, and of five one may
    be missing.
    """
    numbers = _numbered(texts)
    keys: dict[str, list[int]] = defaultdict(list)
    having: dict[tuple[int, int], list[int]] = defaultdict(list)  # by word and number of words
    for row, (text, words) in enumerate(zip(texts, numbers, strict=True)):
        keys[text_key(text)].append(row)
        for word in words[: _n_prefix(len(words))]:
            having[word, len(words)].append(row)
    sets = [frozenset(words) for words in numbers]
    near = []
    for text, words, own in zip(texts, numbers, sets, strict=True):
        lengths = range(_least_common(len(words)), len(words) * NEAR[1] // NEAR[0] + 1)  # others are not near
        prefix = words[: _n_prefix(len(words))]
        candidates = {row for word in prefix for n in lengths for row in having.get((word, n), ())}
        found = {row for row in candidates if _is_near(own, sets[row])}
        near.append(np.array(sorted(found.union(keys[text_key(text)])), dtype=np.int64))
    return near


def _numbered(texts: Sequence[str]) -> list[list[int]]:
    """Return the different words of each text as numbers, the rarest first."""
    words = [list(dict.fromkeys(map(_singular, content_words(text)))) for text in texts]
    counts = Counter(word for some in words for word in some)
    order = {word: number for number, (word, _) in enumerate(reversed(counts.most_common()))}
    return [sorted(order[word] for word in some) for some in words]


def _n_prefix(n: int) -> int:
    """Return the number of words that find all near texts.

    Near texts have ``_least_common`` words in common, so at most the others can come before the first common
    one where all texts have their words in the same order (Chaudhuri et al. 2006).
    """
    return n - _least_common(n) + 1 if n else 0


def _least_common(n: int) -> int:
    """Return how many of n words a near text has at least."""
    return -(-n * NEAR[0] // NEAR[1])


def _is_near(one: frozenset[int], other: frozenset[int]) -> bool:
    common = len(one & other)
    return NEAR[1] * common >= NEAR[0] * (len(one) + len(other) - common)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
