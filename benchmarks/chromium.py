"""Which browser the benchmarks and tests of the page run in."""

from __future__ import annotations

import os
import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """The browser's program: ``TWOBRANCH_CHROMIUM``, else the first that is installed."""
    named = os.environ.get("TWOBRANCH_CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


def chromium_arguments() -> list[str]:
    """Return the arguments for root, under which its sandbox refuses to work."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ["--no-sandbox", "--disable-dev-shm-usage"] if as_root else []
