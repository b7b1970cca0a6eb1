#!/usr/bin/env python3
"""The command line in a checkout; ``twobranch`` where it is installed. Commands are in ``commands``."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if any(find_spec(name) is None for name in ("typer", "faiss", "onnxruntime", "sqlalchemy", "tokenizers")):
    # Started as ./cli.py outside the environment that `make demo` made: go on inside it.
    _python = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
    if _python.is_file() and Path(sys.prefix) != _python.parent.parent:
        os.execv(_python, [str(_python), __file__, *sys.argv[1:]])
    sys.exit("error: twobranch is not installed for this Python; run `make demo` or `pip install .` first")

from twobranch.commands.main import main

if __name__ == "__main__":
    main()
