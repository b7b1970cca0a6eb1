"""Rate at which `retrieval.spelling` changes words of real captions, or asks about them.

    python -m benchmarks.spelling CAPTIONS [--sample 60]

Captions that people wrote hold few mistakes: most of what is touched should be one. The sample is there to be
read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.spelling import corrections


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captions", type=Path, help="a caption file")
    parser.add_argument("--sample", type=int, default=60, help="how many of the words put right to show")
    arguments = parser.parse_args()
    texts = [caption.text for caption in read_corpus(arguments.captions).captions]
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for text in texts:
        for correction in corrections(text):
            if correction.is_certain:
                right[f"{correction.word} -> {correction.known[0]}"] += 1
            else:
                asked[correction.word] += 1
    print(f"{len(texts):,} captions, {sum(len(text.split()) for text in texts):,} words")
    for what, words in (("put right", right), ("asked about", asked)):
        print(f"{what}: {words.total():,}, of {len(words):,} kinds")
    chosen = np.random.default_rng(1).permutation(len(right))[: arguments.sample]
    for place in sorted(chosen):
        print(f"  {sorted(right)[place]}")


if __name__ == "__main__":
    main()
