"""Options of ``train``: its captions, recipe, weights and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE

Captions = Annotated[list[Path], typer.Argument(help="Caption files, or folders of sidecars.")]
Images = Annotated[
    list[Path], typer.Option(help="The folder of each caption file's photos, in the same order.")
]
Out = Annotated[Path, typer.Option(help="The model folder to write.")]
PresetName = Annotated[
    str | None,
    typer.Option(
        help="The recipe: default, flickr8k, seed or paper; over a model adapter, seed or paper "
        "[default: default; adapter over a model].",
        show_default=False,
    ),
    SETTABLE,
]
Start = Annotated[
    str | None, typer.Option(help="Start from this model (a name or a folder), not from ImageNet alone.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the preset's number."), SETTABLE]
BackboneName = Annotated[
    str,
    typer.Option(
        help="efficientnet-lite0, -lite1, -lite2 or resnet50; or a finished model (a name or a folder), "
        "to train branches over."
    ),
]
Weights = Annotated[Path | None, typer.Option(help="Backbone weights, instead of its package's.")]
WordVectors = Annotated[
    Path | None, typer.Option(help="word2vec or GloVe file, instead of GloVe 6B 50d (seed, paper).")
]
TrainList = Annotated[Path | None, typer.Option(help="Names of the training photos, one a line.")]
DevList = Annotated[Path | None, typer.Option(help="Names of the dev photos, one a line.")]
Seed = Annotated[int, typer.Option(help="Of all randomness."), SETTABLE]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")]
Cache = Annotated[Path | None, typer.Option(help="Where features are kept [default: the cache folder].")]
