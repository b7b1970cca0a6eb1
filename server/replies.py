"""Facts as the bytes of an answer."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response


def json_reply(facts: Any) -> Response:
    """The facts as JSON in UTF-8. What cannot be written in it, as in some names of files, is replaced."""
    return Response(
        json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace"), media_type="application/json"
    )
