"""The words that `retrieval.spelling` takes for known: the most frequent of GloVe's list, in its order.

    python -m twobranch.train.output.spelling_words        # writes retrieval/data/words.txt.gz

GloVe 6B's words are public domain (PDDL). Of its 400,000 the rarer ones are half misspellings.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from twobranch.retrieval.spelling import WORDS
from twobranch.train.sides.word_vectors import load_word_vectors

_WORDS = 80_000


def write_words(path: Path) -> int:
    """Write the list, and return how many words it has."""
    words = [word for word in load_word_vectors().rows if word.isascii() and word.isalpha() and len(word) > 2]
    text = "\n".join(words[:_WORDS]) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return len(words[:_WORDS])


if __name__ == "__main__":
    print(write_words(WORDS), WORDS)
