"""``xmp``: ratings to and from the sidecars of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.shared import Json, Options, app, print_json, reporting_errors
from twobranch.common.errors import UserError

if TYPE_CHECKING:
    from twobranch.indexer.maintenance.sidecars import FailedSidecar

xmp = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(xmp, name="xmp")
Some = Annotated[
    list[str] | None,
    typer.Argument(help="Photos, folders, or numbers of hits of the last search.", metavar="PHOTO…"),
]


@xmp.callback()
def about() -> None:
    """Write ratings to XMP sidecars, and read them.

    A sidecar is a file beside a photo, such as a.jpg.xmp, that darktable, digiKam, Lightroom and others read
    and write. It is only read and written by these two commands. Photos are never changed.

    \b
    Examples:
      twobranch xmp export ~/Pictures/rome
      twobranch xmp import
    """


@xmp.command()
@reporting_errors
def export(
    context: typer.Context,
    photos: Some = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write below this folder instead of beside the photos.", metavar="DIR"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write ratings, favourites and albums into XMP sidecars.

    Without PHOTO these are all photos that have any. A sidecar that exists keeps all else that it has. Other
    programs read the rating; favourites and albums are for `xmp import`, as they have no common name.

    \b
    Examples:
      twobranch xmp export                       a.jpg.xmp beside each photo
      twobranch xmp export ~/Pictures/rome
      twobranch xmp export --out backup          nothing is written beside the photos
    """
    from twobranch.indexer.maintenance.sidecars import export_marks, failures_as_json
    from twobranch.retrieval.display.tables import counted

    options = Options.of(context)
    library, chosen = _chosen(options, photos)
    done = export_marks(library, chosen, out, options.progress())
    if as_json:
        print_json(
            {
                "written": [str(path) for path in done.written],
                "unchanged": done.unchanged,
                "failed": failures_as_json(done.failed),
            }
        )
    else:
        there = f", {done.unchanged:,} had nothing new" if done.unchanged else ""
        print(f"wrote {counted(len(done.written), 'sidecar')}{there}")
    _report(options, done.failed, "not written")


@xmp.command(name="import")
@reporting_errors
def import_(
    context: typer.Context,
    photos: Some = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="Read what `xmp export --out DIR` has written.", metavar="DIR"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take ratings, favourites and albums from XMP sidecars.

    Without PHOTO these are all photos of the library. A rating in a sidecar replaces that in the library. A
    photo whose sidecar has none, or 0, keeps what it has.

    \b
    Examples:
      twobranch xmp import
      twobranch xmp import ~/Pictures/rome
      twobranch xmp import --from backup
    """
    from twobranch.indexer.maintenance.sidecars import failures_as_json, import_marks
    from twobranch.retrieval.display.tables import counted

    options = Options.of(context)
    library, chosen = _chosen(options, photos)
    done = import_marks(library, chosen, from_, options.progress())
    if as_json:
        print_json(
            {
                "sidecars": done.sidecars,
                "ratings": done.ratings,
                "favourites": done.favourites,
                "albums": list(done.albums),
                "failed": failures_as_json(done.failed),
            }
        )
    else:
        counts = [counted(done.ratings, "rating"), counted(done.favourites, "favourite")]
        counts.append(counted(len(done.albums), "album"))
        print(f"took {', '.join(counts)} from {counted(done.sidecars, 'sidecar')}")
    _report(options, done.failed, "not read")


def _chosen(options: Options, words: Sequence[str] | None) -> tuple[Path, dict[int, Path] | None]:
    """Return the library, and the photos that words choose; None without words."""
    from twobranch.commands.chosen import find_photos
    from twobranch.indexer.catalog.library import find_library

    return find_photos(options, words) if words else (find_library(options.library), None)


def _report(options: Options, failed: Sequence[FailedSidecar], what: str) -> None:
    """Warn of sidecars that failed. Raises ``UserError`` if there are any."""
    if failed:
        from twobranch.indexer.maintenance.sidecars import failure_lines

        failure_lines(failed, options.progress().warn)
        raise UserError(f"{len(failed):,} {'sidecar was' if len(failed) == 1 else 'sidecars were'} {what}")
