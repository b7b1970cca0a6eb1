"""The command line of tools that change a finished model folder.

They need the corpus that the model was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from twobranch.common.errors import UserError
from twobranch.common.progress import Console, Progress


class Work(Protocol):
    """A function that changes a model folder and returns it."""

    def __call__(
        self, model: str, captions: Path, images: Path, *, seed: int, progress: Progress
    ) -> Path: ...


def run_on_model(module: str, work: Work, result: str) -> None:
    """Run ``work`` with the arguments of ``python -m module``.

    Prints the path of the file ``result`` that it wrote.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=work.__doc__)
    parser.add_argument("model", help=f"shipped model or model folder; its {result} is replaced")
    parser.add_argument("--captions", type=Path, required=True, help="the caption file it was trained on")
    parser.add_argument("--images", type=Path, required=True, help="the folder of its photos")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the training; also used for all random draws here"
    )
    options = parser.parse_args()
    try:
        folder = work(options.model, options.captions, options.images, seed=options.seed, progress=Console())
    except UserError as error:
        parser.exit(1, f"error: {error}\n")
    print(folder / result)
