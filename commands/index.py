"""``index``: bring a library up to date."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Given, Json, command, print_json


class Device(str, Enum):
    """Where photos are encoded."""

    cpu = "cpu"
    cuda = "cuda"


@command
def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of photos, or single photos [default: all that the library knows].", metavar="PATH…"
        ),
    ] = None,
    captions: Annotated[Path | None, typer.Option(help="A caption file (or a folder of sidecars).")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Only this split of the caption file, photos and captions; names it if the file has none."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Shipped model or model folder [default: the library's own, else `default`]."),
    ] = None,
    tta: Annotated[
        bool | None,
        typer.Option(
            "--tta/--no-tta",
            help="A photo's vector is the mean over two views of it: better hits for half the speed "
            "[default: as the library is, at first --no-tta].",
        ),
        SETTABLE,
    ] = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="Encode photos in arithmetic of 8 bits: faster, nearly the same hits; on processors "
            "with VNNI (most since 2020) [default: as the library is, at first --no-int8].",
        ),
        SETTABLE,
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out what matches, such as 'raw/*' or '*.png', now and in later runs over these "
            "folders; given again it replaces what was given before, and --exclude '' clears it.",
            metavar="GLOB",
        ),
        SETTABLE,
    ] = None,
    include_hidden: Annotated[
        bool | None,
        typer.Option(
            "--include-hidden/--no-include-hidden",
            help="Look at hidden files and folders too, now and in later runs over these folders "
            "[default: as it was, at first --no-include-hidden].",
        ),
        SETTABLE,
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where photos are encoded: cuda needs onnxruntime-gpu."), SETTABLE
    ] = Device.cpu,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that read and encode photos [default: one for each core]."),
        SETTABLE,
    ] = None,
    memory: Annotated[
        int, typer.Option(min=100, help="Keep the whole program below about this.", metavar="MB"), SETTABLE
    ] = 400,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Photos that a thread encodes at a time [default: the fastest, as measured]."
        ),
        SETTABLE,
    ] = None,
    max_megapixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Refuse larger photos, by their header. Decoding takes up to 20 bytes a pixel; what goes "
            "beyond --memory is decoded alone. For good: write it into config.toml [default: 128].",
            metavar="N",
        ),
        SETTABLE,
    ] = None,
    plan: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000_000,
            help="Index nothing; say what so many photos like those in PATH would take on this machine.",
            metavar="N",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the library up to date with these folders, or with all that it knows.

    Only what changed is read and encoded. What is done is kept when the run is stopped; the next one goes on.
    Photos that were removed leave the library, but nothing is lost when a drive is away.

    \b
    Examples:
      twobranch index ~/Pictures                         the first time, and again later
      twobranch index                                    all folders that the library knows
      twobranch index photos --captions captions.csv     sentences too
      twobranch index ~/Pictures --exclude 'raw/*'       remembered for the next time
      twobranch index ~/Pictures --int8                  1.7 times as fast, nearly the same hits
      twobranch index ~/Pictures --plan 1000000          what a million of them would take
    """
    from dataclasses import asdict

    from twobranch.common.cpu import usable_cores
    from twobranch.common.progress import one_line
    from twobranch.embedding.model_folder import model_label
    from twobranch.embedding.preprocess import MAX_PIXELS
    from twobranch.embedding.sif import well_formed
    from twobranch.indexer.catalog.library import library_for_indexing
    from twobranch.indexer.update.library import update_library
    from twobranch.indexer.update.models import encoder_for, library_fingerprint
    from twobranch.indexer.update.plan import plan as make_plan
    from twobranch.indexer.update.remembered import has_folders
    from twobranch.indexer.update.run import Effort
    from twobranch.retrieval.display.tables import index_text, plan_text

    library = library_for_indexing(Given.library)
    if not paths and plan is None and not has_folders(library):
        raise typer.BadParameter("name the folders of your photos", param_hint="PATH…")
    as_it_is = model is None and tta is None and int8 is None  # then by the library's model, whatever that is
    chosen_for = library_fingerprint(library) if as_it_is else None
    encoder = encoder_for(library, model, tta=tta, int8=int8, device=device.value)
    max_pixels = MAX_PIXELS if max_megapixels is None else 1_000_000 * max_megapixels
    effort = Effort(workers or usable_cores(), memory, batch_size, max_pixels=max_pixels)
    if plan is not None:
        planned = make_plan(plan, library, paths or [], encoder, effort, Given.progress())
        if as_json:
            print_json(planned.as_json())
        else:
            print(plan_text(planned, effort))
        return
    report = update_library(
        library,
        paths or [],
        encoder,
        captions=captions,
        split=None if split is None else well_formed(split),
        exclude=exclude or None,
        include_hidden=include_hidden,
        chosen_for=chosen_for,
        effort=effort,
        progress=Given.progress(),
    )
    if as_json:
        facts = {"library": str(library), "model": encoder.name, **asdict(encoder.variant)}
        print_json({**report.as_json(), **facts})
        return
    print(index_text(report, model_label(encoder.name, encoder.variant), library))
    for failure in report.failed[:5]:
        print(one_line(f"failed: {failure.path}: {failure.reason}"), file=sys.stderr)
    if len(report.failed) > 5:
        print(f"… and {len(report.failed) - 5:,} more: `status` lists them all", file=sys.stderr)
