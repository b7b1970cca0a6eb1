"""Facts about the towers and the tokenizer that a converter wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twobranch.embedding.conversion.layouts import Layout
from twobranch.embedding.preparation import Framing, Tokens


@dataclass(frozen=True)
class Converted:
    """Facts about a converted model. Its towers and tokenizer are in a folder."""

    layout: Layout
    image_size: int  # side of the square photo, in pixels
    framing: Framing
    tokens: Tokens
    max_tokens: int  # longer texts are cut
    architecture: str = ""  # as its makers call it
    checks: Mapping[str, str] = field(default_factory=dict)  # how near its vectors are to the original's
