"""``where``: the places of phrases in one photo, without an index."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Json, Options, command, print_json
from twobranch.common.errors import UserError
from twobranch.common.progress import one_line

if TYPE_CHECKING:
    from twobranch.retrieval.located_photo import LocatedPhoto

_STDOUT = Path("-")  # in place of a file
_COLUMNS = 64  # of the terminal, at most, for the longer side of the picture
_MARGIN = 48  # pixels beside a single panel, so that it is shown pixel by pixel


@command
def where(
    context: typer.Context,
    photo: Annotated[Path, typer.Argument(help="The photo to look at.", metavar="PHOTO")],
    phrases: Annotated[
        list[str], typer.Argument(help='What to look for: "a dog" "a red ball".', metavar="PHRASE…")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Draw heat maps and boxes into this PNG, JPEG or WebP; - prints a PNG.", metavar="FILE"
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a model (see `models`), or its folder.")] = "default",
    language: Annotated[
        str | None,
        typer.Option(
            help="The language of the phrases, such as de [default: told from them].", metavar="CODE"
        ),
        SETTABLE,
    ] = None,
    picture: Annotated[
        bool | None,
        typer.Option(
            "--picture/--no-picture",
            help="Show the picture above the table [default: if the terminal can].",
            show_default=False,
        ),
        SETTABLE,
    ] = None,
    as_json: Json = False,
) -> None:
    """Show where in a photo something is.

    Each phrase is looked for by itself. A box is given by its upper left and its lower right corner, in
    pixels of the upright photo. No index is needed, and the photo stays as it is.

    \b
    Examples:
      twobranch where beach.jpg "a dog"
      twobranch where beach.jpg "a dog" "a red ball" --out where.png
      twobranch where beach.jpg "ein Hund" --json
    """
    from twobranch.common.paths import expanded
    from twobranch.retrieval.located_photo import where as locate

    if out == _STDOUT and (as_json or picture):
        raise typer.BadParameter(f"--out - and {'--json' if as_json else '--picture'} exclude each other")
    if out == _STDOUT and sys.stdout.isatty():
        raise UserError("--out - prints a PNG, which a terminal cannot show; send it on, or name a file")
    target = None if out is None or out == _STDOUT else expanded(out)
    if target is not None:
        from twobranch.retrieval.display.where_picture import check_target

        check_target(target, expanded(photo))  # before the work
    found = locate(photo, *phrases, model=model, language=language)
    _warn(found, language)
    if target is not None:
        _write(found, target, expanded(photo))
        Options.of(context).progress().note(f"{out}: written")
    if out == _STDOUT:
        _print_picture(found)
    elif as_json:
        print_json(found.as_json())
    else:
        _print(found, picture)


def _warn(found: LocatedPhoto, language: str | None) -> None:
    """Warn of unknown words, and of phrases that no picture shows."""
    from twobranch.embedding.language import language_of
    from twobranch.retrieval.understanding import not_understood

    for word in found.unknown_words:
        print(one_line(f"warning: the model does not know {word!r}"), file=sys.stderr)
    for phrase in (one.phrase for one in found.phrases):
        if reason := not_understood(phrase, language or language_of(phrase)):
            print(one_line(f"warning: {reason.fact}; what is found is a guess"), file=sys.stderr)


def _write(found: LocatedPhoto, target: Path, photo: Path) -> None:
    from twobranch.retrieval.display.where_picture import where_picture, write_picture

    write_picture(where_picture(found.photo, found), target, photo)


def _print_picture(found: LocatedPhoto) -> None:
    """Print the picture as PNG."""
    from twobranch.retrieval.display.where_picture import encoded, where_picture

    sys.stdout.buffer.write(encoded(where_picture(found.photo, found), "PNG"))


def _print(found: LocatedPhoto, picture: bool | None) -> None:
    """Print the table, under the picture if the terminal can show it."""
    from twobranch.retrieval.display.tables import where_text

    if picture or (picture is None and sys.stdout.isatty()):
        _show_picture(found, forced=picture is True)
    print(where_text(found))


def _show_picture(found: LocatedPhoto, *, forced: bool) -> None:
    from twobranch.retrieval.display.terminal import cell_width, picture_sequence, terminal_graphics
    from twobranch.retrieval.display.where_picture import where_picture

    protocol = terminal_graphics(os.environ, forced=forced)
    if protocol is not None:
        cell = cell_width(sys.stdout.fileno())
        width = min(shutil.get_terminal_size().columns, _COLUMNS) * cell
        drawn = where_picture(found.photo, found, width - _MARGIN)
        if drawn.width > width:  # several panels
            drawn.thumbnail((width, drawn.height))
        print(picture_sequence(drawn, protocol, cell), flush=True)
