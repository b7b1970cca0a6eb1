"""The list of commands in ``--help``."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from twobranch.commands import MODULES, register
from twobranch.commands.shared import app


def test_each_command_has_a_whole_sentence_that_fits_80_columns() -> None:
    register()
    # Groups are listed as they were imported, and another test may have imported one before.
    app.registered_groups.sort(key=lambda group: list(MODULES).index(str(group.name)))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert list(commands) == list(MODULES)
    text = CliRunner().invoke(app, ["--help"], terminal_width=80).stdout
    lines = text[text.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(MODULES)  # a line each
    assert [line for line in lines if not line.endswith(".") or line.endswith("..")] == []
