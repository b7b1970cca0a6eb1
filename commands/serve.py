"""``serve``: the web page and the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Options, command
from twobranch.common.errors import UserError

_SHORTEST = 12  # characters of a token

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Folders that may be indexed from the page, besides the known ones."),
]
Host = Annotated[
    str,
    typer.Option(
        help="The address to listen on; all but this machine's own need a token.", metavar="ADDRESS"
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")]
Token = Annotated[
    str | None,
    typer.Option(
        help="The secret that visitors need [default: none on this machine's own address, else a new one]. "
        "Better set in the environment, where other users of the machine cannot see it.",
        envvar="TWOBRANCH_TOKEN",
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="Another host name to accept, as behind a reverse proxy; needs a token.",
        metavar="NAME",
    ),
]
ChooseFrom = Annotated[
    list[Path] | None,
    typer.Option(
        "--choose-from",
        help="Visitors may choose folders in here to index [default: your home folder and drives, if only "
        "this machine reaches the server].",
        metavar="DIR",
    ),
]
NoChoosing = Annotated[
    bool, typer.Option("--no-choosing", help="Visitors can neither choose folders nor add photos.")
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]


@command
def serve(
    context: typer.Context,
    paths: Paths = None,
    host: Host = "127.0.0.1",
    port: Port = 8008,
    token: Token = None,
    allow_host: AllowHost = None,
    choose_from: ChooseFrom = None,
    no_choosing: NoChoosing = False,
    open_: Open = False,
) -> None:
    """Serve a web page and an HTTP API for your photos.

    Ctrl-C ends it. Needs the extra: pip install 'twobranch[serve]'.

    \b
    Examples:
      twobranch serve                            then open http://127.0.0.1:8008
      twobranch serve ~/Pictures --open          a new library: start indexing from the page
      twobranch serve --choose-from /photos      choose among the folders in there, from the page
      twobranch serve --host 0.0.0.0             for other machines; prints the token they need
    """
    import webbrowser

    from twobranch.common.cpu import products_on_one_core, usable_cores
    from twobranch.common.extras import install_command

    products_on_one_core()
    try:
        import python_multipart  # noqa: F401  FastAPI imports it late, and its error names no module

        from twobranch.server.run import run
        from twobranch.server.settings import Settings, is_loopback
    except ModuleNotFoundError as error:
        raise UserError(f"`serve` needs {error.name}: {install_command('serve')}") from None

    folders = _checked_folders(paths or ())
    _check_hosts(allow_host or ())
    _check_token(token)
    is_private = is_loopback(host) and not allow_host
    tops = _tops(choose_from or (), no_choosing, is_private)
    library = _open_library(Options.of(context).library, create=bool(folders or choose_from))
    if token is None and not is_private:
        token = _new_token()
    settings = Settings(
        library=library,
        host=host,
        port=port,
        token=token,
        allowed_hosts=tuple(allow_host or ()),
        folders=folders,
        choose_from=tops,
        adding=not no_choosing,
        threads=usable_cores(),
    )

    def announce(url: str) -> None:
        print(f"serving {library} at {url}; Ctrl-C ends it", flush=True)
        if open_:
            webbrowser.open(url)

    run(settings, announce)


def _tops(named: Sequence[Path], no_choosing: bool, is_private: bool) -> tuple[Path, ...]:
    """Return the folders below which visitors may choose.

    There are none if they may not. Where other machines reach the server it takes named ones: a visitor with
    the token could otherwise list the home folder.
    """
    from twobranch.server.work.folder_choice import default_tops

    if no_choosing and named:
        raise typer.BadParameter("--no-choosing and --choose-from exclude each other")
    if named:
        return _checked_folders(named)
    return default_tops() if is_private and not no_choosing else ()


def _new_token() -> str:
    """Make a token and print it."""
    import secrets

    token = secrets.token_urlsafe(16)
    print(f"token: {token}", flush=True)
    return token


def _checked_folders(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the absolute paths of folders. Raises ``UserError`` for a missing one."""
    from twobranch.common.paths import expanded

    folders = tuple(expanded(path).resolve() for path in paths)
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name folders of photos")
    return folders


def _check_hosts(names: Sequence[str]) -> None:
    """Raise ``UserError`` for an invalid host name."""
    from twobranch.server.http.hosts import host_name

    for name in names:
        if host_name(name) is None:
            raise UserError(f"--allow-host {name}: not a host name; write it like photos.example.org")


def _check_token(token: str | None) -> None:
    """Raise ``UserError`` for a token that is too short or not printable."""
    if token is not None and (
        len(token) < _SHORTEST or not all("!" <= character <= "~" for character in token)
    ):
        raise UserError(
            f"a token is {_SHORTEST} letters, digits and signs or more, without spaces; "
            "leave --token and TWOBRANCH_TOKEN out to have one made"
        )


def _open_library(library: Path | None, *, create: bool) -> Path:
    """Return the library's folder after checking that its catalogue opens."""
    from twobranch.indexer.catalog.connection import open_database
    from twobranch.indexer.catalog.library import find_library, library_for_indexing

    folder = library_for_indexing(library) if create else find_library(library)
    open_database(folder, create=create)
    return folder
