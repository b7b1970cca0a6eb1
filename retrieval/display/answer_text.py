"""An answer in sentences: a verdict on its hits, and remarks.

Nothing in them is of one way of asking, such as an option of the command line.
"""

from __future__ import annotations

from collections.abc import Sequence

from twobranch.retrieval.answer import Answer
from twobranch.retrieval.display.tables import counted
from twobranch.retrieval.hits import Hit, Tier

_NOUNS = {"images": "photo", "captions": "caption"}


def verdict_sentence(answer: Answer) -> str:
    """Return one sentence on how well the hits match."""
    noun, n = _NOUNS[answer.gallery], len(answer.hits)
    if not answer.n_gallery:
        return f"There is nothing to search: no {noun}s are indexed."
    if answer.filters_exclude_all or not (answer.hits or answer.query.terms):
        return "No photo passes the filters."
    if not answer.query.terms:
        return f"These are the newest {noun}s{' that pass the filters' * bool(answer.query.filters)}."
    if answer.not_understood is not None:
        return f"{answer.not_understood}."
    if not answer.hits:
        return f"No {noun} was found."
    if answer.matches_well is None:
        return "The best come first; how well they match is not known."
    if not answer.matches_well:
        return f"No {noun} matches well; these are only the nearest."
    likely, perhaps = _count(answer.hits, "likely"), _count(answer.hits, "perhaps")
    if not likely:
        return f"No {noun} is likely to match; {perhaps:,} perhaps {_verb(perhaps)}."
    if likely == n:
        return f"All {counted(n, noun)} are likely to match; there may be more." if n > 1 else _only(noun)
    more = f"; {perhaps:,} more perhaps {_verb(perhaps)}" if perhaps else ""
    return f"{counted(likely, noun)} {'is' if likely == 1 else 'are'} likely to match{more}."


def remarks(answer: Answer) -> list[str]:
    """Return what was read otherwise than it was typed, a line each."""
    lines = []
    if answer.dates is not None and answer.dates.used:
        lines.append(f"read as a date: {answer.dates}")
    elif answer.dates is not None:
        lines.append(f"no photo is of this date ({answer.dates}), so its words were searched for")
    lines += [f"the model does not know {word!r}" for word in answer.unknown_words]
    for correction in answer.corrections:
        known = " or ".join(map(repr, correction.known))
        if correction.is_certain and answer.corrected:
            lines.append(f"searched for {correction.known[0]!r} instead of {correction.word!r}")
        else:
            lines.append(f"{correction.word!r} may be misspelt: {known}?")
    return lines


def _count(hits: Sequence[Hit], tier: Tier) -> int:
    return sum(hit.tier == tier for hit in hits)


def _verb(n: int) -> str:
    return "does" if n == 1 else "do"


def _only(noun: str) -> str:
    return f"This {noun} is likely to match."
