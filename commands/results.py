"""Output of ``search``: printed hits, and files written from them.

Standard output is the hits in one format: the table, or the one chosen with --json, --csv, --paths or --null.
--html, --copy-to and --open can be added to any of them, and report on stderr. ``--html -`` is a format of
its own: the page goes to standard output.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import print_json
from twobranch.common.errors import UserError
from twobranch.common.progress import Progress
from twobranch.retrieval.display.tables import counted

if TYPE_CHECKING:
    from twobranch.retrieval.answer import Answer
    from twobranch.retrieval.hit_places import HitPlaces
    from twobranch.retrieval.hits import Hit

_STDOUT = Path("-")  # in place of a file
Paths = Annotated[bool, typer.Option("--paths", "-f", help="Print only paths, one a line."), SETTABLE]
Null = Annotated[
    bool, typer.Option("--null", "-0", help="Print only paths, each ended by NUL, for xargs -0."), SETTABLE
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV."), SETTABLE]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html", help="Write the photos as one web page, for any browser; - prints it.", metavar="FILE"
    ),
]
CopyTo = Annotated[
    Path | None,
    typer.Option("--copy-to", help="Copy the photos into this folder, as 001-name.jpg.", metavar="DIR"),
]
Open = Annotated[bool, typer.Option("--open", help="Open the photos in a viewer, at most ten.")]
Thumbnails = Annotated[
    bool | None,
    typer.Option(
        "--thumbnails/--no-thumbnails",
        help="Show thumbnails above the table [default: if the terminal can].",
        show_default=False,
    ),
    SETTABLE,
]


@dataclass(frozen=True)
class Output:
    """The output that the options ask for.

    Raises ``typer.BadParameter`` for options that contradict each other, and ``UserError`` if no viewer is
    found to open photos in. Both are raised before the search.
    """

    as_json: bool
    as_csv: bool
    paths: bool
    null: bool
    html: Path | None
    copy_to: Path | None
    open_: bool
    thumbnails: bool | None  # None: where the terminal can
    where: bool  # with the places in each photo

    def __post_init__(self) -> None:
        given = {
            "--json": self.as_json,
            "--csv": self.as_csv,
            "--null" if self.null else "--paths": self.paths or self.null,
            "--thumbnails": self.thumbnails is True,
            "--html -": self.html == _STDOUT,
        }
        formats = [option for option, is_given in given.items() if is_given]
        if len(formats) > 1:
            raise typer.BadParameter(f"{formats[0]} and {formats[1]} exclude each other")
        if self.where and (self.paths or self.null) and self.html is None:
            raise typer.BadParameter(f"{formats[0]} shows no places; leave out --where")
        if self.open_:
            from twobranch.retrieval.display.open_photos import find_viewer

            find_viewer()

    def show(self, answer: Answer, progress: Progress, places: Mapping[int, HitPlaces]) -> None:
        """Write files, print, open, in this order.

        ``places`` are those in the photos of hits, by rank. Raises ``UserError`` when a photo was not copied.
        """
        not_copied = 0
        if self.html is not None and self.html != _STDOUT:
            from twobranch.retrieval.display.contact_sheet import write_sheet

            write_sheet(self.html, _title(answer), answer.hits, progress, places)
            progress.note(f"{self.html}: {counted(len(answer.hits), 'hit')}")
        if self.copy_to is not None:
            not_copied = _copy(answer.hits, self.copy_to, progress)
        self._print(answer, progress, places)
        sys.stdout.flush()
        if self.open_:
            from twobranch.retrieval.display.open_photos import MOST_OPENED, hit_photos, open_photos

            photos = list(hit_photos(answer.hits))
            open_photos(photos[:MOST_OPENED])
            if len(photos) > MOST_OPENED:
                progress.note(f"opened the first {MOST_OPENED} of {len(photos):,} photos")
        if not_copied:
            raise UserError(f"{self.copy_to}: {counted(not_copied, 'photo')} not copied")

    def _print(self, answer: Answer, progress: Progress, places: Mapping[int, HitPlaces]) -> None:
        if self.as_json:
            data = answer.as_json()
            for hit in data["hits"] if places else ():
                hit |= places[hit["rank"]].as_json()
            print_json(data)
            return
        if answer.matches_well is False:  # on stderr, so that stdout holds only results
            print("nothing here matches well", file=sys.stderr, flush=True)
        if self.html == _STDOUT:
            from twobranch.retrieval.display.contact_sheet import print_sheet

            print_sheet(sys.stdout.buffer, _title(answer), answer.hits, progress, places)
        elif self.as_csv:
            _print_csv(answer.hits, places)
        elif self.paths or self.null:
            from twobranch.retrieval.display.open_photos import hit_photos

            for path in hit_photos(answer.hits):
                print(path, end="\0" if self.null else "\n")
        elif answer.hits:
            from twobranch.retrieval.display.tables import hit_table

            if self.thumbnails is not False:
                _print_thumbnails(answer.hits, places, forced=self.thumbnails is True)
            print(hit_table(answer.hits, captions=answer.gallery == "captions", places=places))


def _title(answer: Answer) -> str:
    dates = answer.dates.dates.words if answer.dates is not None and answer.dates.used else ""
    return f"{answer.query} {dates}".strip() or "Photos"


def _copy(hits: Sequence[Hit], folder: Path, progress: Progress) -> int:
    """Copy the photos and return the number of failures. Each failure is a warning."""
    from twobranch.retrieval.display.open_photos import copy_photos

    copies = copy_photos(hits, folder)
    for line in copies.failed:
        progress.warn(line)
    there = f", {len(copies.there):,} were there" if copies.there else ""
    progress.note(f"{folder}: {counted(len(copies.copied), 'photo')} copied{there}")
    return len(copies.failed)


def _print_csv(hits: Sequence[Hit], places: Mapping[int, HitPlaces]) -> None:
    import csv

    from twobranch.retrieval.display.tables import hit_places_text

    columns = [
        "rank",
        "score",
        "confidence",
        "date",
        "path",
        "caption",
        "date_from",
        *["where"] * bool(places),
    ]
    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for hit in hits:
        where = {"where": hit_places_text(places[hit.rank])} if places else {}
        writer.writerow(hit.as_json() | where)


def _print_thumbnails(hits: Sequence[Hit], places: Mapping[int, HitPlaces], *, forced: bool) -> None:
    """Print thumbnails if the terminal is known to show them.

    If ``forced``, Sixel is used on any other terminal.
    """
    if not (forced or sys.stdout.isatty()):
        return
    from twobranch.retrieval.display.terminal import cell_width, terminal_graphics, thumbnail_rows

    protocol = terminal_graphics(os.environ, forced=forced)
    if protocol is None:
        return
    columns = shutil.get_terminal_size().columns
    for row in thumbnail_rows(hits, protocol, columns, cell_width(sys.stdout.fileno()), places):
        print(row, end="", flush=True)
