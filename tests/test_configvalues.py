"""Anything at all in ``config.toml``: a default, or one line that names the file and the key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from twobranch.commands import register
from twobranch.commands.config import read_defaults
from twobranch.commands.shared import app
from twobranch.common.errors import UserError

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
    assert taken > 150 and refused > 1000


# What names a file to write, to read or to run, a place to listen at, or a token; or undoes a caution.
NEVER = {
    "html", "copy_to", "open_", "plot", "out", "cache", "captions", "images", "model", "weights", "backbone",
    "word_vectors", "train_list", "dev_list", "host", "port", "token", "allow_host", "plus", "minus", "last",
    "like", "unlike", "plan", "repair", "force", "resume", "save", "saved", "remove",
}  # fmt: skip


def options(context: typer.Context) -> Iterator[tuple[str, Any, str]]:
    """Each long option: its command, its parameter and its name without dashes."""
    for name, command in context.command.commands.items():  # type: ignore[attr-defined]
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    yield name, parameter, option[2:]


def test_no_file_names_what_is_written_or_opened(context: typer.Context, tmp_path: Path) -> None:
    taken, refused = set(), set()
    for name, parameter, option in options(context):
        value = "true" if parameter.is_flag else '["/x"]' if parameter.multiple else '"/x"'
        (tmp_path / "config.toml").write_text(f"[{name}]\n{option} = {value}\n")
        fact = f"{tmp_path / 'config.toml'}: {name}.{option} is not for a configuration file"
        try:
            read_defaults(context, tmp_path)
            taken.add(parameter)
        except UserError as error:
            (refused if str(error).startswith(fact) else taken).add(parameter)
    assert {parameter.name for parameter in refused} >= NEVER
    assert not {parameter.name for parameter in taken} & NEVER
    # Neither will any that is added: those that are taken are no paths.
    assert not {parameter.name for parameter in taken if "path" in type(parameter.type).__name__.lower()}


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_a_configuration_of_somebody_else_is_not_obeyed(
    context: typer.Context,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.toml").write_text("[search]\ntop = 3\n")
    assert read_defaults(context, tmp_path) == {"search": {"top": 3}}
    assert capsys.readouterr().err == ""
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    monkeypatch.setenv("SUDO_UID", str(us))  # means nothing to who is not root
    assert read_defaults(context, tmp_path) is None
    said = f"warning: {tmp_path / 'config.toml'}: belongs to another user and is ignored\n"
    assert capsys.readouterr().err == said
    (tmp_path / "config.toml").write_text("[search]\nhtml = 'x'\n")  # nor is it read
    assert read_defaults(context, tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("given", ["", "config.toml"], ids=["library", "file"])
def test_one_file_of_another_user_is_enough(
    given: str, context: typer.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    (tmp_path / "config.toml").write_text("[search]\ntop = 3\n")
    os.chown(tmp_path / given, 65_534, 65_534)
    assert read_defaults(context, tmp_path) is None
    monkeypatch.setenv("SUDO_UID", "65534")  # who called sudo
    assert read_defaults(context, tmp_path) == {"search": {"top": 3}}


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
