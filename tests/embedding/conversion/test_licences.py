"""Licences out of the head of a model card."""

from __future__ import annotations

from pathlib import Path

import pytest

from twobranch.embedding.conversion.licences import is_restricted, stated_licence


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\ntags:\n- clip\n---\n# A model\n", "mit"),
        ('---\nlibrary_name: open_clip\nlicense: "apple-amlr"\n---\n', "apple-amlr"),
        ("---\nlicense: other\nlicense_name: apple-ascl\n---\n", "apple-ascl"),
        ("---\ntags: []\n---\nlicense: mit\n", None),  # below the head
        ("# No head\nlicense: mit\n", None),
    ],
)
def test_the_head_of_the_card_states_it(tmp_path: Path, card: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_text(card)
    assert stated_licence(tmp_path) == licence


def test_without_a_card_it_is_not_known(tmp_path: Path) -> None:
    assert stated_licence(tmp_path) is None


@pytest.mark.parametrize(
    ("licence", "restricted"),
    [("mit", False), ("apache-2.0", False), ("apple-amlr", True), ("cc-by-nc-4.0", True), (None, True)],
)
def test_names_that_may_forbid_a_use(licence: str | None, restricted: bool) -> None:
    assert is_restricted(licence) is restricted
