"""Write the list of known words for `retrieval.spelling`.

    python -m twobranch.train.output.spelling_words        # writes retrieval/data/words.txt.gz

They are the most frequent words of GloVe 6B, in its order. GloVe's words are public domain (PDDL). About half
of the rarer ones among its 400,000 are misspellings.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from twobranch.retrieval.spelling import WORDS
from twobranch.train.sides.word_vectors import load_word_vectors

_WORDS = 80_000


def write_words(path: Path) -> int:
    """Write the list, and return its number of words."""
    words = [word for word in load_word_vectors().rows if word.isascii() and word.isalpha() and len(word) > 2]
    text = "\n".join(words[:_WORDS]) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return len(words[:_WORDS])


if __name__ == "__main__":
    print(write_words(WORDS), WORDS)
