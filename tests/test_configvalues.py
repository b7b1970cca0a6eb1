"""Anything at all in ``config.toml``: a default, or one line that names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from commands import register
from commands.config import read_defaults
from commands.shared import app
from embedding.errors import UserError

VALUES = (
    "1", "-1", "1.5", "true", '"x"', '""', "[]", "[1]", '["a"]', "[[1]]", "{a=1}", "2020-01-01",
    "2020-01-01T00:00:00Z", "07:00:00", "inf", "nan", "9" * 30, '"\\u0000"', '"nan"',
)  # fmt: skip


@pytest.fixture(scope="module")
def context() -> typer.Context:
    register()
    return typer.Context(typer.main.get_command(app))


def test_any_value_for_any_option(context: typer.Context, tmp_path: Path) -> None:
    taken = refused = 0
    for name, command in context.command.commands.items():  # type: ignore[attr-defined]
        for option in (opt for one in command.params for opt in one.opts if opt.startswith("--")):
            for value in VALUES:
                (tmp_path / "config.toml").write_text(f"[{name}]\n{option[2:]} = {value}\n")
                try:
                    read_defaults(context, tmp_path)
                    taken += 1
                except UserError as error:
                    refused += 1
                    assert str(error).startswith(f"{tmp_path / 'config.toml'}: ")
                    assert name in str(error) and option[2:] in str(error)
    assert taken > 200 and refused > 1000


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe[\0i\0",
        b"[index",
        b"a = " + b"[" * 5000 + b"]" * 5000,
        b"\0",
        b"[index]\n[index]\n",
        b"[index]\nmemory = 200\nmemory = 300\n",
        b"\xef\xbb\xbf[index]\n",
        b"index = 1",
        b"x" * 10_000_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_toml(context: typer.Context, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.toml: ") as caught:
        read_defaults(context, tmp_path)
    assert len(str(caught.value)) < 1000
