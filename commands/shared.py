"""Parts shared by all commands: application, common options, error messages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from twobranch.commands.config import SETTABLE, read_defaults
from twobranch.common.errors import UserError
from twobranch.common.progress import Console, one_line

app = typer.Typer(
    help="Search your photos with words, and your words with photos.",
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON."), SETTABLE]


class GalleryOption(str, Enum):
    """The gallery to search or write, as an option takes it."""

    images = "images"
    captions = "captions"


@dataclass(frozen=True)
class Options:
    """The options before the command. Commands find them in the context."""

    named_library: Path | None  # as given to --library or in the environment
    quiet: bool

    @classmethod
    def of(cls, context: typer.Context) -> Options:
        """Return the options of the command line that ``context`` belongs to."""
        options = context.find_object(cls)
        assert options is not None  # `before_command` has set it
        return options

    @cached_property
    def library(self) -> Path | None:
        """The library folder; None for the nearest one.

        A note says so if it is neither named nor the nearest, but one that holds the current folder.
        """
        from twobranch.indexer.catalog.library import library_elsewhere

        with suppress(UserError):  # what needs a library will report it
            elsewhere = library_elsewhere(self.named_library)
            if elsewhere is not None:
                self.progress().note(f"using the library {elsewhere}, which holds this folder")
                return elsewhere
        return self.named_library

    def progress(self) -> Console:
        """Return a progress display on stderr."""
        return Console(quiet=self.quiet)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a function as a command, and report its errors."""
    return app.command(name=function.__name__.rstrip("_"))(reporting_errors(function))


def reporting_errors(function: Callable[..., None]) -> Callable[..., None]:
    """Report the errors of a command.

    Its first parameter is ``context``. A ``UserError`` or ``OSError`` becomes one line and exit 1; Ctrl-C
    exits 130. A closed pipe (``… | head``) is no error. Any other exception keeps its traceback, unless the
    catalogue is damaged.
    """

    @wraps(function)
    def run(context: typer.Context, **arguments: Any) -> None:
        try:
            function(context, **arguments)
            sys.stdout.flush()
        except UserError as error:
            _print_error(error)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
            raise typer.Exit(0) from None
        except OSError as error:  # for example a full disk or a folder without write permission
            _print_error(f"{error.filename or function.__name__}: {error.strerror or error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            kept = "; what was finished is kept, run the same command to go on"
            print("stopped" + kept * (function.__name__ == "index"), file=sys.stderr)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception:
            damage = _damage(Options.of(context))
            if damage is None:
                raise
            _print_error(damage)
            raise typer.Exit(1) from None

    return run


def _damage(options: Options) -> str | None:
    """Return the damage in the library's catalogue, or None.

    A damaged catalogue may hold any values, so it can make any command fail anywhere.
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.doctor import catalogue_damage

    with suppress(UserError):
        return catalogue_damage(find_library(options.library))
    return None


def _print_error(error: object) -> None:
    print(f"error: {one_line(str(error))}", file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        from twobranch import __version__

        print(f"twobranch {__version__}")
        raise typer.Exit


@app.callback()
def before_command(
    context: typer.Context,
    library: Annotated[
        Path | None,
        typer.Option(
            help="The library, or the folder that it is in [default: the nearest .twobranch].",
            envvar="TWOBRANCH_LIBRARY",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, only results and warnings.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    context.obj = Options(library, quiet)
    try:
        context.default_map = read_defaults(context, library)
    except UserError as error:
        _print_error(error)
        raise typer.Exit(1) from None


def print_json(data: Any) -> None:
    """Print a result as JSON, for ``--json``."""
    print(json.dumps(data, indent=2))
