"""``serve``: the page and the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Given, command

_SHORTEST = 12  # characters of a token


@command
def serve(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders that may be indexed from the page, beside what the library knows."),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen at; any but this machine's own needs a token.", metavar="ADDRESS"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8008,
    token: Annotated[
        str | None,
        typer.Option(
            help="What visitors must know [default: none at this machine's own address, a new one else]. "
            "Better in the environment, where other users of the machine do not see it.",
            envvar="TWOBRANCH_TOKEN",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that the server may be asked for, as behind a reverse proxy; needs a token.",
            metavar="NAME",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """A page on your own photos, and an HTTP API, until Ctrl-C.

    \b
    Examples:
      twobranch serve                            then open http://127.0.0.1:8008
      twobranch serve ~/Pictures --open          a new library: start indexing from the page
      twobranch serve --host 0.0.0.0             for other machines; prints the token they need
    """

    import secrets
    import webbrowser

    from twobranch.common.cpu import products_on_one_core, usable_cores
    from twobranch.common.errors import UserError
    from twobranch.common.extras import install_command
    from twobranch.common.paths import expanded
    from twobranch.indexer.catalog.connection import open_database
    from twobranch.indexer.catalog.library import find_library, library_for_indexing

    products_on_one_core()
    try:
        import python_multipart  # noqa: F401  FastAPI imports it late, and its error names no module

        from twobranch.server.http.hosts import host_name
        from twobranch.server.run import run
        from twobranch.server.settings import Settings, is_loopback
    except ModuleNotFoundError as error:
        raise UserError(f"`serve` needs {error.name}: {install_command('serve')}") from None

    folders = tuple(expanded(path).resolve() for path in paths or ())
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name folders of photos")
    for name in allow_host or ():
        if host_name(name) is None:
            raise UserError(f"--allow-host {name}: no name of a host; give it as in photos.example.org")
    if token is not None:
        _check_token(token)
    library = library_for_indexing(Given.library) if folders else find_library(Given.library)
    open_database(library, create=bool(folders))
    if token is None and (allow_host or not is_loopback(host)):
        token = secrets.token_urlsafe(16)
        print(f"token: {token}", flush=True)
    settings = Settings(
        library=library,
        host=host,
        port=port,
        token=token,
        allowed_hosts=tuple(allow_host or ()),
        folders=folders,
        threads=usable_cores(),
    )

    def announce(url: str) -> None:
        print(f"serving {library} at {url}; Ctrl-C ends it", flush=True)
        if open_:
            webbrowser.open(url)

    run(settings, announce)


def _check_token(token: str) -> None:
    """Raises ``UserError`` for a token that is easily guessed, or that no header can hold."""
    from twobranch.common.errors import UserError

    if len(token) < _SHORTEST or not all("!" <= character <= "~" for character in token):
        raise UserError(
            f"a token is {_SHORTEST} letters, digits and signs or more, without spaces; "
            "leave --token and TWOBRANCH_TOKEN out to have one made"
        )
