"""``train``: a model of one's own."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Given, Json, command, print_json
from twobranch.common.errors import UserError
from twobranch.common.extras import install_command
from twobranch.embedding.model_folder import resolve_model


@command
def train(
    captions: Annotated[list[Path], typer.Argument(help="Caption files, or folders of sidecars.")],
    images: Annotated[
        list[Path], typer.Option(help="The folder of each caption file's photos, in the same order.")
    ],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    preset: Annotated[
        str, typer.Option(help="The recipe: default, flickr8k, seed or paper."), SETTABLE
    ] = "default",
    start: Annotated[
        str | None, typer.Option(help="Go on from this model (a name or a folder), not from ImageNet alone.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Instead of the preset's number."), SETTABLE
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="efficientnet-lite0, -lite1, -lite2 or resnet50.")
    ] = "efficientnet-lite2",
    weights: Annotated[Path | None, typer.Option(help="Backbone weights, instead of its package's.")] = None,
    word_vectors: Annotated[
        Path | None, typer.Option(help="word2vec or GloVe file, instead of GloVe 6B 50d (seed, paper).")
    ] = None,
    train_list: Annotated[Path | None, typer.Option(help="Names of the training photos, one a line.")] = None,
    dev_list: Annotated[Path | None, typer.Option(help="Names of the dev photos, one a line.")] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness."), SETTABLE] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Where features are kept [default: the cache folder].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model on captioned photos (needs the extra: pip install 'twobranch[train]').

    Ctrl-C leaves the best model so far as a complete folder; --resume goes on where it was. A corpus without
    a dev split gives up a tenth of its photos to choose the best epoch; a test split is never read.

    \b
    Examples:
      twobranch train captions.csv --images photos --out my-model
      twobranch train captions.csv --images photos --out my-model --resume
      twobranch train captions.csv --images photos --out baseline --preset seed
      twobranch train captions.csv --images photos --out my-model --start default
      twobranch train a.csv b.json --images a --images b --out my-model
      twobranch index photos --model my-model            and search with it
    """
    from dataclasses import replace

    from twobranch.retrieval.display.tables import evaluation_table

    try:
        from twobranch.train.features import default_cache
        from twobranch.train.presets import PRESETS
        from twobranch.train.run import CorpusPlace, TrainOptions
        from twobranch.train.run import train as run
    except ModuleNotFoundError as error:
        raise UserError(
            f"training needs the package {error.name}; install it with: {install_command('train')}"
        ) from None
    if preset not in PRESETS:
        raise typer.BadParameter(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    if len(captions) != len(images):
        raise typer.BadParameter(
            f"{len(captions)} caption files and {len(images)} folders of photos; give --images for each"
        )
    recipe = PRESETS[preset] if epochs is None else replace(PRESETS[preset], epochs=epochs)
    lists = {name: path for name, path in (("train", train_list), ("dev", dev_list)) if path is not None}
    report = run(
        TrainOptions(
            corpora=tuple(map(CorpusPlace, captions, images)),
            out=out,
            preset=recipe,
            backbone=backbone,
            weights=weights,
            word_vectors=word_vectors,
            split_lists=lists or None,
            start=None if start is None else resolve_model(start),
            seed=seed,
            resume=resume,
            cache=cache or default_cache(),
            command=shlex.join(
                ["cli.py", *(argument for argument in sys.argv[1:] if argument != "--resume")]
            ),
        ),
        Given.progress(),
    )
    if as_json:
        print_json(report.as_json())
        return
    print(f"{report.epochs} epochs in {report.seconds:.0f} s, the best is no. {report.best_epoch}; dev:")
    print(evaluation_table(report.dev, [1, 5, 10]))
    print(f"model {report.out}; use it with: cli.py index PHOTOS --model {report.out}")
