"""Stop words: words of a sentence that say nothing about a photo."""

from __future__ import annotations

from twobranch.embedding.everyday import is_everyday
from twobranch.embedding.language import ENGLISH, is_function_word

# English words that say nothing about a photo. "photos of" does not mean the folder `photos` either.
STOP_WORDS = frozenset({
    "a", "am", "an", "and", "are", "as", "at", "be", "been", "being", "by", "can", "do", "does", "for",
    "from", "had", "has", "have", "he", "her", "hers", "him", "his", "i", "in", "into", "is", "it",
    "its", "me", "my", "no", "not", "of", "off", "on", "onto", "or", "our", "out", "over", "she", "so",
    "some", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "to", "up", "us", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whose",
    "will", "with", "you", "your", "photo", "photos", "picture", "pictures", "image", "images", "pic",
    "pics",
})  # fmt: skip


def is_stop_word(word: str, language: str) -> bool:
    """Return True for a stop word of English or of the language.

    The word is in lower case. "hat" and "man" are function words of German, but everyday things in English,
    so they are no stop words.
    """
    if language == ENGLISH or word in STOP_WORDS:
        return word in STOP_WORDS
    return is_function_word(word, language) and not is_everyday(word, ENGLISH)
