"""Rate at which `retrieval.spelling` knows what was meant by a word with one typing error.

    python -m benchmarks.typos CAPTIONS... [--split dev] [--kind query] [-n 4000] [--words EARLIER_LIST]

Words are drawn from the captions as often as people write them, each gets one error (Damerau 1964): a letter
left out, added, replaced, or two swapped. "uniform" draws the kind, the place and the letter with equal
chances; with "keys" a wrong letter is a neighbour on the keyboard and an added one doubles its neighbour, two
times of three. The library is not asked. Right captions that are changed or asked about are counted as well.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval import spelling
from twobranch.retrieval.spelling import Correction, corrections, frequent_words

_SHORTEST = 4  # letters; shorter words are not corrected
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="+", help="caption files")
    parser.add_argument("--split", default="dev", help="the captions of this split")
    parser.add_argument("--kind", help="only texts of this kind, such as query")
    parser.add_argument("-n", type=int, default=4000, help="how many words get an error")
    parser.add_argument("--words", type=Path, help="another list of words than the shipped one")
    arguments = parser.parse_args()
    if arguments.words is not None:
        spelling.WORDS = arguments.words
    for path in arguments.captions:
        texts = [
            caption.text.lower()
            for caption in read_corpus(path).captions
            if caption.split == arguments.split and arguments.kind in (None, caption.kind)
        ]
        print(f"{path.name}: {len(texts):,} texts, split {arguments.split}, kind {arguments.kind or 'any'}")
        _print_typos(texts, arguments.n)
        _print_right_ones(texts)


def _print_typos(texts: Sequence[str], n: int) -> None:
    """Print what became of ``n`` words with an error."""
    known = frequent_words()
    words = [word for text in texts for word in text.split() if len(word) >= _SHORTEST and word in known]
    for model in ("uniform", "keys"):
        chance = random.Random(1)
        outcomes: Counter[str] = Counter()
        for word in chance.choices(words, k=n):
            typed = mistyped(word, chance, keys=model == "keys")
            (found,) = corrections(typed) or (Correction(typed, (), False),)
            outcomes["first"] += found.known[:1] == (word,)
            outcomes["top 3"] += word in found.known[:3]
            outcomes["changed"] += found.is_certain
            outcomes["changed wrongly"] += found.is_certain and found.known[0] != word
            outcomes["taken for a word"] += not found.known
        shares = ", ".join(f"{name} {100 * outcomes[name] / n:.1f}%" for name in outcomes)
        print(f"  {model:8} {shares}")


def _print_right_ones(texts: Sequence[str]) -> None:
    """Print how many texts without an added error are changed or asked about."""
    found = [corrections(text) for text in texts]
    changed = sum(any(one.is_certain for one in its) for its in found)
    asked = sum(bool(its) for its in found) - changed
    print(f"  as written: changed {changed} texts ({100 * changed / len(texts):.2f}%), asked about {asked}")


def mistyped(word: str, chance: random.Random, *, keys: bool) -> str:
    """Return the word with one error. It differs from the word."""
    while True:
        at = chance.randrange(len(word) + 1)
        head, tail = word[:at], word[at:]
        letter = chance.choice(ascii_lowercase)
        by_hand = keys and chance.random() < 2 / 3
        match chance.choice(("leave out", "add", "replace", "swap")):
            case "leave out":
                typed = head + tail[1:]
            case "add":
                typed = head + (head[-1:] if by_hand else letter) + tail
            case "replace":
                typed = head + (chance.choice(_beside(tail[0])) if by_hand and tail else letter) + tail[1:]
            case _:
                typed = head + tail[1:2] + tail[:1] + tail[2:]
        if typed != word and abs(len(typed) - len(word)) <= 1 and (tail or len(typed) > len(word)):
            return typed


def _beside(letter: str) -> str:
    """Return the neighbours of a letter on a QWERTY keyboard."""
    for row, letters in enumerate(_ROWS):
        at = letters.find(letter)
        if at >= 0:
            rows = _ROWS[max(row - 1, 0) : row + 2]
            near = "".join(other[max(at - 1, 0) : at + 2] for other in rows)
            return near.replace(letter, "")
    return letter


if __name__ == "__main__":
    main()
