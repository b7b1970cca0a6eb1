"""What the classifier says stands beside the branch, in one unit vector and one inner product."""

from __future__ import annotations

import math

import pytest
import torch

from twobranch.train.knowledge import Classifier
from twobranch.train.presets import EvidencePreset
from twobranch.train.sides.evidence import PhotoEvidence, QueryEvidence, WordSpace

# Three classes whose names are the axes of a space of three; the classifier reads them off the features.
NAMES = torch.eye(3)
CLASSIFIER = Classifier(20 * torch.eye(3), torch.zeros(3))
PRESET = EvidencePreset(dim=3, likeliest=1, photo=0.5, short=1.0, long=0.5, short_pieces=1, long_pieces=5)


def sides() -> tuple[PhotoEvidence, QueryEvidence]:
    space = WordSpace(NAMES, PRESET.dim)
    return PhotoEvidence(CLASSIFIER, NAMES, space, PRESET), QueryEvidence(space, PRESET)


def masks(*pieces: int) -> torch.Tensor:
    """Masks of queries with so many word pieces between their two marks."""
    return (torch.arange(12) < torch.tensor(pieces)[:, None] + 2).long()


def test_a_score_is_the_branches_and_the_words_in_their_shares() -> None:
    photo, query = sides()
    row = torch.tensor([[1.0, 0.0]])
    seen = photo(row, torch.tensor([[0.0, 1.0, 0.0]]))  # class 1
    asked = query(row, torch.tensor([[0.0, 1.0, 0.0]]), masks(5))  # its name, in a long query
    other = query(row, torch.tensor([[1.0, 0.0, 0.0]]), masks(5))  # another class's
    assert torch.linalg.norm(seen) == pytest.approx(1)
    assert torch.linalg.norm(asked) == pytest.approx(1)
    # b/a = 1/2 on both sides: a² = 4/5 of the score are the branches, b² = 1/5 the words.
    assert float(seen @ asked.T) == pytest.approx(4 / 5 + 1 / 5)
    assert float(seen @ other.T) == pytest.approx(4 / 5, abs=1e-6)


def test_words_count_the_more_the_shorter_the_query() -> None:
    photo, query = sides()
    features = torch.tensor([[0.0, 1.0, 0.0]]).expand(4, 3)
    rows = torch.tensor([[0.0, 1.0]]).expand(4, 2)
    seen = photo(torch.tensor([[1.0, 0.0]]), features[:1])  # its branch vector says nothing of the query
    scores = (seen @ query(rows, features, masks(1, 3, 5, 9)).T)[0]
    # b_p = 0.5/sqrt(1.25); b_q = r/sqrt(1 + r²) with r = 1, 0.75, 0.5 and, beyond the longest, 0.5
    expected = [0.5 / math.sqrt(1.25) * r / math.sqrt(1 + r * r) for r in (1, 0.75, 0.5, 0.5)]
    assert scores.tolist() == pytest.approx(expected)


def test_only_the_likeliest_classes_have_a_say() -> None:
    photo, _ = sides()
    unsure = Classifier(torch.eye(3), torch.zeros(3))
    space = WordSpace(NAMES, 3)
    features = torch.tensor([[3.0, 2.0, 1.0]])
    one = PhotoEvidence(unsure, NAMES, space, PRESET)(torch.zeros(1, 1), features)
    certain = photo(torch.zeros(1, 1), torch.tensor([[1.0, 0.0, 0.0]]))
    torch.testing.assert_close(one, certain)  # of classes 0, 1 and 2 only the first is left


def test_fewer_dimensions_keep_what_names_differ_most_in() -> None:
    # Names that differ along axis 0 and 1 only: two dimensions lose nothing.
    names = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]]), dim=1)
    space = WordSpace(names, 2)
    torch.testing.assert_close(space(names) @ space(names).T, names @ names.T)
