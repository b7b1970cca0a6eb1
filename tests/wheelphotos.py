"""The photographs in scikit-image's wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


def wheel_photo(name: str) -> Path:
    """Where the photograph of this name is; without scikit-image the test is skipped."""
    data = find_spec("skimage.data")
    if data is None or not data.submodule_search_locations:
        pytest.skip("scikit-image, which brings the photographs, is not installed")
    return Path(data.submodule_search_locations[0], name)
