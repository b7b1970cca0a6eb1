"""``mcp``: tools for assistants."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.shared import Options, command
from twobranch.common.errors import UserError


@command
def mcp(
    context: typer.Context,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Also let the assistant look at photos, as small JPEGs.")
    ] = False,
) -> None:
    """Let an assistant search your photos (Model Context Protocol).

    A program such as Claude Desktop starts this command and talks to it over stdin and stdout. The tools are
    search, similar, where and status; none of them can change anything. Answers go to the assistant, and
    so to the company that runs it: paths, dates, places and captions, and with --pictures the photos that it
    looks at. Needs the extra: pip install 'twobranch[mcp]'.

    \b
    Examples:
      twobranch mcp --library ~/Pictures
      twobranch mcp --library ~/Pictures --pictures
    """
    from twobranch.common.extras import install_command
    from twobranch.indexer.catalog.connection import open_database
    from twobranch.indexer.catalog.library import find_library

    try:
        from twobranch.server.mcp.run import run
    except ModuleNotFoundError as error:
        raise UserError(f"`mcp` needs {error.name}: {install_command('mcp')}") from None
    library = find_library(Options.of(context).library)
    open_database(library)
    run(library, pictures=pictures)
