"""Search your photos with words, and your words with photos.

The public names are loaded when they are first used: the command line needs none of them to start.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twobranch.common.errors import UserError
    from twobranch.embedding.encoder import Encoder
    from twobranch.retrieval.engine import SearchEngine
    from twobranch.retrieval.hits import Hit
    from twobranch.retrieval.located_photo import where

__version__ = "0.2.0"
__all__ = ["Encoder", "Hit", "SearchEngine", "UserError", "__version__", "where"]

# ONNX Runtime from 1.29 on keeps a device id and a queue of events under ~/.cache as soon as it is imported,
# and sends them to its maker. It reads this variable only then. Every module of the program is imported
# after this one, and processes that it starts inherit the variable. A value of the user's, "0" too, stays.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ.get("ORT_DISABLE_TELEMETRY") or "1"

_HOMES = {
    "Encoder": "twobranch.embedding.encoder",
    "Hit": "twobranch.retrieval.hits",
    "SearchEngine": "twobranch.retrieval.engine",
    "UserError": "twobranch.common.errors",
    "where": "twobranch.retrieval.located_photo",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
