"""Replies in JSON."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response


def json_reply(facts: Any) -> Response:
    """Reply with the facts as JSON."""
    return json_bytes_reply(as_json(facts))


def json_bytes_reply(data: bytes) -> Response:
    """Reply with JSON that is already encoded."""
    return Response(data, media_type="application/json")


def as_json(facts: Any) -> bytes:
    """Encode the facts as JSON in UTF-8.

    Characters that UTF-8 cannot encode, as in some file names, are replaced.
    """
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")
