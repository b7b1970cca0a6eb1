"""``forget``: remove photos and captions from a library, not from disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json

if TYPE_CHECKING:
    from twobranch.indexer.maintenance.relocate import Forgotten


@command
def forget(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders, photos or caption files that are indexed.", metavar="PATH…"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Remove the vectors of this model instead. Searches must use another one.",
            metavar="MODEL",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove photos, caption files or models from the library.

    Their rows and vectors are removed. The captions of forgotten photos stay. Those of a forgotten caption
    file go, except the ones that another file has too. A path forgotten inside an indexed folder is skipped
    by later runs of `index` over that folder, until `index PATH` names it again; a caption file, until
    `--captions FILE` does. `vacuum` frees the disk space.

    \b
    Examples:
      twobranch forget ~/Pictures/receipts     this subfolder only
      twobranch forget ~/Pictures/2019/a.jpg   one photo
      twobranch forget /mnt/old-drive          all folders on it, though it is away
      twobranch forget captions.csv            the sentences of this caption file
      twobranch forget --model default         the vectors of a model that was in use before
    """
    from twobranch.indexer.catalog.library import find_library

    if bool(paths) == bool(model):
        raise typer.BadParameter("name paths, or models with --model", param_hint="PATH…")
    library = find_library(Options.of(context).library)
    if model:
        _forget_models(library, model, as_json=as_json)
    else:
        _forget_paths(library, paths or [], as_json=as_json)


def _forget_models(library: Path, names: list[str], *, as_json: bool) -> None:
    from twobranch.indexer.maintenance.kept_models import forget_models

    forgotten = forget_models(library, names)
    if as_json:
        print_json({"forgotten_models": [one.as_json() for one in forgotten]})
        return
    for one in forgotten:
        print(
            f"forgot {one.label} with its vectors of {one.photos:,} photos and {one.captions:,} captions; "
            "`vacuum` frees the disk space"
        )


def _forget_paths(library: Path, paths: list[Path], *, as_json: bool) -> None:
    from twobranch.indexer.maintenance.relocate import forget as run

    forgotten = run(library, paths)
    if as_json:
        totals = {key: sum(getattr(one, key) for one in forgotten) for key in ("photos", "captions")}
        print_json({"forgotten": [one.as_json() for one in forgotten], **totals})
        return
    for one in forgotten:
        print(_line(one))


def _line(one: Forgotten) -> str:
    """Describe what was forgotten of a path, and what stays."""
    counts = []
    if one.photos or not one.is_caption_file:
        counts.append(f"{one.photos:,} {'photo' if one.photos == 1 else 'photos'}")
    kept, how = "", "" if one.roots else f"; `index {one.path}` takes it back"
    if one.is_caption_file:
        counts.append(f"{one.captions:,} {'caption' if one.captions == 1 else 'captions'}")
        kept = f"; {one.captions_kept:,} more stay, other files have them too" if one.captions_kept else ""
        if not one.photos:
            how = f"; `index --captions {one.path}` takes it back"
    return f"forgot {' and '.join(counts)} of {one.path}{kept}{how}"
