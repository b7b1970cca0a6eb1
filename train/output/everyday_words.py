"""Write the list of everyday words for `embedding.everyday`.

    python -m twobranch.train.output.everyday_words en=CAPTIONS.txt de=LEGENDEN.txt ...

Each file has one caption a line; those of the default model were the captions that it was trained on. A word
is listed that captions of its language use three times. The first word of a caption does not count, as its
capital letter says nothing. Words that English captions mostly write with a capital letter, such as "Paris",
are names and are left out.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from twobranch.embedding.everyday import EVERYDAY, keys
from twobranch.embedding.language import DATA, ENGLISH

_LEAST = 3  # times in captions
_WORD = re.compile(r"[^\W\d_]+")


def write_everyday_words(captions: Mapping[str, Iterable[str]], path: Path) -> int:
    """Write the list, and return its number of words.

    ``captions`` maps languages to captions; English is one of them.
    """
    names = _names(captions[ENGLISH])
    found = [
        keys(sorted(words), language)
        for language, texts in captions.items()
        if (words := everyday_words(texts) - names)
    ]
    table = np.unique(np.concatenate(found))
    np.save(path, table)
    return len(table)


def everyday_words(texts: Iterable[str]) -> set[str]:
    """Return the words that captions use three times, in lower case."""
    counts = Counter(word.lower() for text in texts for word in _WORD.findall(text)[1:] if len(word) > 1)
    return {word for word, count in counts.items() if count >= _LEAST}


def _names(texts: Iterable[str]) -> set[str]:
    """Return the words that captions mostly write with a capital letter."""
    capital = Counter[str]()
    for text in texts:
        for word in _WORD.findall(text)[1:]:
            capital[word.lower()] += 1 if word[0].isupper() else -1
    return {word for word, count in capital.items() if count > 0}


def main(arguments: list[str]) -> None:
    captions = {}
    for argument in arguments:
        language, _, name = argument.partition("=")
        captions[language] = Path(name).read_text(encoding="utf-8").splitlines()
    print(write_everyday_words(captions, DATA / EVERYDAY), DATA / EVERYDAY)


if __name__ == "__main__":
    main(sys.argv[1:])
