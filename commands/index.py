"""``index``: bring a library up to date."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from twobranch.commands.index_options import (
    BatchSize,
    Captions,
    Device,
    DeviceOption,
    Exclude,
    IncludeHidden,
    Int8,
    MaxMegapixels,
    MemoryLimit,
    Model,
    Paths,
    Plan,
    Regions,
    Split,
    Tta,
    Workers,
)
from twobranch.commands.shared import Json, Options, command, print_json
from twobranch.common.paths import LIBRARY

if TYPE_CHECKING:
    from pathlib import Path

    from twobranch.embedding.encoder import Encoder
    from twobranch.indexer.update.library import IndexReport
    from twobranch.indexer.update.plan import Estimate
    from twobranch.indexer.update.run import Effort

_FAILED_SHOWN = 5


@command
def index(
    context: typer.Context,
    paths: Paths = None,
    captions: Captions = None,
    split: Split = None,
    model: Model = None,
    tta: Tta = None,
    int8: Int8 = None,
    regions: Regions = None,
    exclude: Exclude = None,
    include_hidden: IncludeHidden = None,
    device: DeviceOption = Device.cpu,
    workers: Workers = None,
    memory: MemoryLimit = 400,
    batch_size: BatchSize = None,
    max_megapixels: MaxMegapixels = None,
    plan: Plan = None,
    as_json: Json = False,
) -> None:
    """Bring the library up to date with folders of photos.

    Without folders, all known ones are updated. Only new and changed photos are read and encoded. A stopped
    run keeps what it has done, and the next run goes on. Deleted photos leave the library, but nothing is
    lost when a drive is disconnected.

    \b
    Examples:
      twobranch index ~/Pictures                         the first time, and again later
      twobranch index                                    all folders that the library knows
      twobranch index photos --captions captions.csv     sentences too
      twobranch index ~/Pictures --exclude 'raw/*'       remembered for the next time
      twobranch index ~/Pictures --int8                  1.7 times as fast, nearly the same hits
      twobranch index ~/Pictures --regions               small things in large photos too
      twobranch index ~/Pictures --plan 1000000          what a million of them would take
    """
    from twobranch.indexer.catalog.known_libraries import remember_library
    from twobranch.indexer.catalog.library import library_above, library_for_indexing
    from twobranch.indexer.update.library import update_library
    from twobranch.indexer.update.remembered import has_folders
    from twobranch.retrieval.background_file import refresh_confidence

    options = Options.of(context)
    library = library_for_indexing(options.library)
    if not paths and plan is None and not has_folders(library):
        raise typer.BadParameter("name the folders of your photos", param_hint="PATH…")
    chosen_for, encoder = _encoder(library, model, tta, int8, device)
    effort = _effort(workers, memory, batch_size, max_megapixels)
    if plan is not None:
        from twobranch.indexer.update.plan import plan as estimated
        from twobranch.indexer.update.regions import with_regions

        wanted, progress = with_regions(library, regions), options.progress()
        planned = estimated(plan, library, paths or [], encoder, effort, progress, regions=wanted)
        _print_plan(planned, effort, as_json=as_json)
        return
    if paths and library_above(options.library) is not None:
        advice = f"for one of its own, index with `--library {LIBRARY}`"
        options.progress().note(f"this folder belongs to the library {library}; {advice}")
    try:
        report = update_library(
            library,
            paths or [],
            encoder,
            captions=captions,
            split=_well_formed(split),
            exclude=exclude or None,
            include_hidden=include_hidden,
            regions=regions,
            chosen_for=chosen_for,
            effort=effort,
            progress=options.progress(),
        )
        refresh_confidence(library, encoder, options.progress())
    finally:
        remember_library(library)  # what an interrupted run has done can be searched too
    _print_report(report, library, encoder, as_json=as_json)
    if report.read_none_of_named:
        raise typer.Exit(1)


def _encoder(
    library: Path, model: str | None, tta: bool | None, int8: bool | None, device: Device
) -> tuple[str | None, Encoder]:
    """Return the library's fingerprint if no model was chosen, and the encoder."""
    from twobranch.indexer.update.models import encoder_for, library_fingerprint

    as_it_is = model is None and tta is None and int8 is None
    chosen_for = library_fingerprint(library) if as_it_is else None
    return chosen_for, encoder_for(library, model, tta=tta, int8=int8, device=device.value)


def _effort(workers: int | None, memory: int, batch_size: int | None, max_megapixels: int | None) -> Effort:
    from twobranch.common.cpu import usable_cores
    from twobranch.embedding.preprocess import MAX_PIXELS
    from twobranch.indexer.update.run import Effort

    max_pixels = MAX_PIXELS if max_megapixels is None else 1_000_000 * max_megapixels
    return Effort(workers or usable_cores(), memory, batch_size, max_pixels=max_pixels)


def _well_formed(split: str | None) -> str | None:
    from twobranch.embedding.sif import well_formed

    return None if split is None else well_formed(split)


def _print_plan(planned: Estimate, effort: Effort, *, as_json: bool) -> None:
    """Print the time and space that indexing would take."""
    from twobranch.retrieval.display.tables import plan_text

    if as_json:
        print_json(planned.as_json())
    else:
        print(plan_text(planned, effort))


def _print_report(report: IndexReport, library: Path, encoder: Encoder, *, as_json: bool) -> None:
    """Print a run's counts on stdout, its first failures on stderr."""
    from dataclasses import asdict

    from twobranch.common.progress import one_line
    from twobranch.embedding.model_folder import model_label
    from twobranch.retrieval.display.tables import index_text

    if as_json:
        facts = {"library": str(library), "model": encoder.name, **asdict(encoder.variant)}
        print_json({**report.as_json(), **facts})
        return
    print(index_text(report, model_label(encoder.name, encoder.variant), library))
    for failure in report.failed[:_FAILED_SHOWN]:
        print(one_line(f"failed: {failure.path}: {failure.reason}"), file=sys.stderr)
    if len(report.failed) > _FAILED_SHOWN:
        n_more = len(report.failed) - _FAILED_SHOWN
        print(f"… and {n_more:,} more: `status` lists them all", file=sys.stderr)
