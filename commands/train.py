"""``train``: train a model of one's own."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from twobranch.commands.shared import Json, Options, command, print_json
from twobranch.commands.train_options import (
    BackboneName,
    Cache,
    Captions,
    DevList,
    Epochs,
    Images,
    Out,
    PresetName,
    Resume,
    Seed,
    Start,
    TrainList,
    Weights,
    WordVectors,
)
from twobranch.common.errors import ModelError, UserError
from twobranch.common.extras import install_command
from twobranch.embedding.model_folder import read_config, resolve_model

if TYPE_CHECKING:
    from pathlib import Path

    from twobranch.train.presets import Preset
    from twobranch.train.run import TrainReport


@command
def train(
    context: typer.Context,
    captions: Captions,
    images: Images,
    out: Out,
    preset: PresetName = None,
    start: Start = None,
    epochs: Epochs = None,
    backbone: BackboneName = "efficientnet-lite2",
    weights: Weights = None,
    word_vectors: WordVectors = None,
    train_list: TrainList = None,
    dev_list: DevList = None,
    seed: Seed = 1,
    resume: Resume = False,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Train a model of your own on captioned photos.

    Needs the extra: pip install 'twobranch[train]'. Ctrl-C leaves the best model so far as a complete folder;
    --resume goes on where it was. A corpus without a dev split gives up a tenth of its photos to choose the
    best epoch; a test split is never read.

    With a model as --backbone, branches over both its towers are trained, in minutes. They start as the model
    itself, and dev decides how much of them is kept: captions that bring nothing leave the model as it is.

    \b
    Examples:
      twobranch train captions.csv --images photos --out my-model
      twobranch train captions.csv --images photos --out my-model --resume
      twobranch train captions.csv --images photos --out baseline --preset seed
      twobranch train captions.csv --images photos --out my-model --start default
      twobranch train captions.csv --images photos --out my-model --backbone default
      twobranch train a.csv b.json --images a --images b --out my-model
      twobranch index photos --model my-model            and search with it
    """
    try:
        from twobranch.train.features import default_cache
        from twobranch.train.run import CorpusPlace, TrainOptions
        from twobranch.train.run import train as run
    except ModuleNotFoundError as error:
        raise UserError(
            f"training needs the package {error.name}; install it with: {install_command('train')}"
        ) from None
    under = _backbone(backbone)
    recipe = _recipe(preset, epochs, under)
    _check_folders(captions, images)
    lists = {name: path for name, path in (("train", train_list), ("dev", dev_list)) if path is not None}
    train_options = TrainOptions(
        corpora=tuple(map(CorpusPlace, captions, images)),
        out=out,
        preset=recipe,
        backbone=under,
        weights=weights,
        word_vectors=word_vectors,
        split_lists=lists or None,
        start=None if start is None else resolve_model(start),
        seed=seed,
        resume=resume,
        cache=cache or default_cache(),
        command=shlex.join(["cli.py", *(word for word in sys.argv[1:] if word != "--resume")]),
    )
    report = run(train_options, Options.of(context).progress())
    _print_report(report, as_json=as_json)


def _backbone(name: str) -> str | Path:
    """Return the name of a backbone, or the folder of a model. Raises ``UserError`` if it is neither."""
    from twobranch.embedding.backbones import BACKBONE_NAMES

    if name in BACKBONE_NAMES:
        return name
    try:
        return resolve_model(name)
    except ModelError as error:
        raise UserError(f"--backbone {error}, or a backbone: {', '.join(BACKBONE_NAMES)}") from None


def _recipe(name: str | None, epochs: int | None, backbone: str | Path) -> Preset:
    """Return the preset of that name, by default the backbone's own."""
    from twobranch.train.presets import PRESETS, over_model

    name = name or ("default" if isinstance(backbone, str) else "adapter")
    if name not in PRESETS:
        raise typer.BadParameter(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    preset = PRESETS[name]
    if not isinstance(backbone, str):
        preset = over_model(preset, read_config(backbone).dim)
    return preset if epochs is None else replace(preset, epochs=epochs)


def _check_folders(captions: list[Path], images: list[Path]) -> None:
    if len(captions) != len(images):
        raise typer.BadParameter(
            f"{len(captions)} caption files and {len(images)} folders of photos; give --images for each"
        )


def _print_report(report: TrainReport, *, as_json: bool) -> None:
    from twobranch.retrieval.display.tables import evaluation_table

    if as_json:
        print_json(report.as_json())
        return
    print(f"{report.epochs} epochs in {report.seconds:.0f} s, the best is no. {report.best_epoch}; dev:")
    if report.gain is not None:
        print(report.gain.sentence)
    print(evaluation_table(report.dev, [1, 5, 10]))
    print(f"model {report.out}; use it with: twobranch index PHOTOS --model {report.out}")
    if report.gain is not None:  # over a finished model
        return
    cells = f"python -m twobranch.train.output.cells {report.out} --captions FILE --images DIR"
    print(f"`where` also needs its cells; add them with: {cells}")
