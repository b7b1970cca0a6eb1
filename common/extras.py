"""Optional dependencies, and the command that installs them."""

from __future__ import annotations

import sys
from pathlib import Path


def install_command(extra: str) -> str:
    """Return the command that installs an extra of setup.cfg. It installs into the Python that runs this."""
    here = Path(__file__).resolve().parents[1]
    source = here if (here / "setup.cfg").is_file() else "twobranch"
    return f"{sys.executable} -m pip install '{source}[{extra}]'"
