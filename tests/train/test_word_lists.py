"""The lists of words that training writes for searches."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from twobranch.train.languages.date_names import write_names
from twobranch.train.output.spelling_words import _is_mistyped, by_share


def test_words_are_in_the_order_of_captions_and_then_of_other_texts() -> None:
    # Two occurrences do not count, so "horse" has all of the captions, 0.8. Of the other 0.2 the ranks 1 to 3
    # make 0.1, 0.05 and 0.03.
    counts = Counter(horse=100, course=2)
    assert by_share(["the", "house", "course", "horse"], counts) == ["horse", "the", "house", "course"]


def test_a_rare_neighbour_of_a_frequent_word_is_mistyped() -> None:
    counts = Counter(black=1000, balck=5, surf=1000, surfs=50)
    assert _is_mistyped("balck", counts)
    assert not _is_mistyped("surfs", counts)


def test_names_of_dates_are_those_of_dateparser(tmp_path: Path) -> None:
    pytest.importorskip("dateparser")
    write_names(tmp_path / "names.json")
    names = json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))
    assert names["fr"]["months"][7] == ["aoû", "août"]
    assert names["fr"]["relative"]["year 1"] == ["année dernière", "l'année dernière"]
