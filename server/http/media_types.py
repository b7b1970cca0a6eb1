"""The media types of request bodies. Wrong ones are answered with 415."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from twobranch.server.errors import Refused


async def check_media_type(request: Request) -> None:
    """Refuse a body of an undescribed media type.

    A FastAPI dependency of every route. Raises ``Refused`` with status 415.
    """
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    accepted = _accepted(request.scope["route"])
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = given.startswith("application/") and given.endswith("+json")
    if not accepted or given in accepted or (is_json and "application/json" in accepted):
        return
    what = f"the body is {given[:100]}" if given else "the body has no Content-Type"
    raise Refused(415, f"{what}; this address takes {' or '.join(accepted)}")


def _accepted(route: Any) -> tuple[str, ...]:
    """Return the media types of a route's body. None of them if it takes no body."""
    described = (getattr(route, "openapi_extra", None) or {}).get("requestBody")
    if described is not None:
        return tuple(described["content"])
    field = getattr(route, "body_field", None)
    return () if field is None else (field.field_info.media_type,)
