"""Other forms of a word, such as "receipts" for "receipt".

Two words are forms of each other if the Snowball stemmer of the query's language (https://snowballstem.org)
reduces them to the same stem. The candidates are the words that a library has, so its full-text table needs
no stems. There are stemmers for the ten languages of ``embedding.language``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from twobranch.embedding.language import without_accents

# The names of the stemmers.
STEMMERS = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "cs": "czech",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
    "pl": "polish",
    "sv": "swedish",
}
_SHORTEST = 3  # letters that all forms of a word begin with; with fewer, stems are of unrelated words


def word_forms(word: str, language: str, written: Callable[[str], Sequence[str]]) -> tuple[str, ...]:
    """Return the word, and its other forms that a library has.

    ``written`` returns the words of the library that begin with some letters, in lower case and without
    accents. A word with a digit, or of another language than those in ``STEMMERS``, has no other forms. ß and
    ss are the same: people have keyboards without ß.
    """
    if language not in STEMMERS or not word.isalpha():
        return (word,)
    other = word.replace("ß", "ss") if "ß" in word else word.replace("ss", "ß")
    spelt = [] if other == word else [one for one in written(other) if one == other]
    return tuple(dict.fromkeys(form for one in (word, *spelt) for form in _same_stem(one, language, written)))


def _same_stem(word: str, language: str, written: Callable[[str], Sequence[str]]) -> tuple[str, ...]:
    """Return the word, and words of the library with its stem."""
    from Stemmer import Stemmer  # takes 1 ms

    stemmer = Stemmer(STEMMERS[language])
    plain = without_accents(word)
    stem = stemmer.stemWord(plain)
    n_common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(plain, stem, strict=False)))
    if n_common < _SHORTEST:
        return (word,)
    # The last letter of a stem may be in none of the forms: "parti" is that of "party".
    candidates = written(stem[: max(_SHORTEST, min(n_common, len(stem) - 1))])
    stems = stemmer.stemWords(candidates)
    forms = (form for form, of in zip(candidates, stems, strict=True) if of == stem and form != plain)
    return (word, *forms)
