"""CLIP's tokenizer out of open_clip's vocabulary: the ids of ``open_clip.SimpleTokenizer``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("open_clip")
from open_clip.tokenizer import SimpleTokenizer

from tests.train.conversion.smallmodels import TEXTS
from twobranch.embedding.preparation import Tokens
from twobranch.embedding.text_inputs import TokensInput
from twobranch.train.conversion.open_clip_tokenizer import clip_tokenizer

THEIRS = SimpleTokenizer()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> TokensInput:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    clip_tokenizer().save(str(path))
    return TokensInput(path, 77, Tokens("lower"))


def ids_of(ours: TokensInput, text: str) -> list[int]:
    return ours.inputs([text])["input_ids"][0].tolist()


def their_ids(text: str) -> list[int]:
    row = THEIRS([text])[0].tolist()
    return row[: len(row) - row[::-1].index(THEIRS.eot_token_id)]  # the zeros behind the end are padding


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_open_clip(ours: TokensInput, text: str) -> None:
    assert ids_of(ours, text) == their_ids(text)


def test_known_ids(ours: TokensInput) -> None:
    # As the makers of CLIP print them: <start> a photo of a cat <end>.
    assert ids_of(ours, "A photo of a cat") == [49406, 320, 1125, 539, 320, 2368, 49407]


@pytest.mark.parametrize(
    "text", ["the dog\u2019s ball", "\u201cquoted\u201d", "cafe\u0301", "<end_of_text> x", "a  \t b\n"]
)
def test_repairs_of_quotes_and_accents(ours: TokensInput, text: str) -> None:
    assert ids_of(ours, text) == their_ids(text)


# Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, kana, Chinese and emoji, with punctuation and digits.
LETTERS = (
    "abcdeistlm AEIOU'0123-_.,!?()/\"#%+ \u00e9\u00f1\u00df\u00e6 "
    "\u03b1\u03c9 \u0434\u0436 \u05d0 \u0645 \u0e01 \u3042\u65e5\u672c\u4e2d \U0001f600\U0001f415"
)


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet=LETTERS, max_size=60))
def test_ids_of_any_text(ours: TokensInput, text: str) -> None:
    assert ids_of(ours, text) == their_ids(text)
