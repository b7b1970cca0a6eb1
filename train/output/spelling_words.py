"""Write the list of known words for `retrieval.spelling`.

    python -m twobranch.train.output.spelling_words CAPTIONS...      # writes retrieval/data/words.txt.gz

They are words of GloVe 6B that have letters only: those that people write most often about photos. GloVe has
its words in the order of newspapers and the web, where "house" is ten times as frequent as "horse". A word's
share is mostly that in the captions of the training split, and for the rest what its rank among GloVe's words
tells (Zipf's law). GloVe's words are public domain (PDDL). About half of the rarer ones among its 400,000 are
misspellings, and some of those that are in a caption or two.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.spelling import WORDS, one_step
from twobranch.train.sides.word_vectors import load_word_vectors

_WORDS = 80_000
_OF_CAPTIONS = 0.8  # weight of the share in captions
_CHANCE = 2  # occurrences in captions that do not count: they may be mistyped
_FREQUENT = 80_000  # words of GloVe that are taken for words, whatever is near
_FAR_RARER = 100  # any other word is mistyped if captions have one a step away so many times as often
_WORD = re.compile(r"[a-z]+")


def write_words(path: Path, texts: Iterable[str]) -> int:
    """Write the list, and return its number of words.

    Its order is that of ``texts`` and of GloVe.
    """
    words = [word for word in load_word_vectors().rows if word.isascii() and word.isalpha() and len(word) > 2]
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    rarer = [word for word in words[_FREQUENT:] if counts[word] > _CHANCE and not _is_mistyped(word, counts)]
    ordered = by_share([*words[:_FREQUENT], *rarer], counts)[:_WORDS]
    path.write_bytes(gzip.compress(("\n".join(ordered) + "\n").encode(), mtime=0))
    return len(ordered)


def _is_mistyped(word: str, counts: Counter[str]) -> bool:
    return any(counts[other] > _FAR_RARER * counts[word] for other in one_step(word))


def by_share(words: Sequence[str], counts: Counter[str]) -> list[str]:
    """Sort words by their share in captions and in other texts.

    ``words`` are in the order of their frequency in other texts; ``counts`` has how often captions have a
    word. The most frequent word comes first.
    """
    often = {word: max(0, counts[word] - _CHANCE) for word in words}
    total = sum(often.values()) or 1
    harmonic = sum(1 / rank for rank in range(1, len(words) + 1))
    shares = {
        word: _OF_CAPTIONS * often[word] / total + (1 - _OF_CAPTIONS) / (rank * harmonic)
        for rank, word in enumerate(words, start=1)
    }
    return sorted(words, key=lambda word: -shares[word])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="+", help="caption files with a training split")
    arguments = parser.parse_args()
    texts = [
        caption.text
        for path in arguments.captions
        for caption in read_corpus(path).captions
        if caption.split == "train"
    ]
    print(write_words(WORDS, texts), "words in", WORDS)


if __name__ == "__main__":
    main()
