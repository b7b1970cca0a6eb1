"""A sentence to the photos whose names, folders, keywords or captions have its words, by SQLite's FTS5."""

from __future__ import annotations

from indexer.tokens import runs

# What a sentence needs and no photo is looked for by.
STOP_WORDS = frozenset(
    "a an and are as at be been being by can do does for from had has have he her hers him his i in into is it "
    "its me my no not of off on onto or our out over she so some than that the their them then there these "
    "they this those to up us was we were what when where which while who whose will with you your".split()
)


def content_words(text: str) -> list[str]:
    """The words of a sentence that mean something, in lower case, each once."""
    return [word for word in dict.fromkeys(runs(text)) if word not in STOP_WORDS]


def match_expression(words: list[str]) -> str:
    """An FTS5 query for rows with any of these words. Each is quoted, and so never read as syntax."""
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in words)
