"""The documentation: links that lead somewhere, command lines that the program knows."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from twobranch.commands import register
from twobranch.commands.shared import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *(ROOT / "docs").glob("*.md"),
    )
)
# Pages that are linked before they are written; an entry goes when its page comes.
TO_COME: set[str] = set()
PROGRAMS = (["twobranch"], ["./cli.py"], ["python", "cli.py"], ["python", "-m", "twobranch"])
SEPARATORS = {"|", "||", "&&", ";", "&", "(", ")"}
REDIRECTIONS = {">", ">>", "<", ">&"}

_FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)[^)]*\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")


# --- reading Markdown ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Markdown:
    """A page: its lines of text, and its fenced blocks as (language, lines)."""

    text: tuple[str, ...]
    blocks: tuple[tuple[str, tuple[str, ...]], ...]


def split_blocks(content: str) -> Markdown:
    """Split a page into text and fenced blocks."""
    text: list[str] = []
    blocks: list[tuple[str, tuple[str, ...]]] = []
    fence, language = "", ""
    block: list[str] = []
    for line in content.splitlines():
        match = _FENCE.match(line)
        if not fence and match:
            fence, language, block = match[1], match[2].strip(), []
        elif fence and match and match[1].startswith(fence) and not match[2].strip():
            blocks.append((language, tuple(block)))
            fence = ""
        elif fence:
            block.append(line)
        else:
            text.append(line)
    assert not fence, "a fenced block that is never closed"
    return Markdown(tuple(text), tuple(blocks))


@cache
def read_page(page: str) -> Markdown:
    return split_blocks((ROOT / page).read_text(encoding="utf-8"))


def links(markdown: Markdown) -> list[str]:
    """The targets of all links and pictures, outside code."""
    text = _CODE_SPAN.sub("", "\n".join(markdown.text))
    return _LINK.findall(text)


def anchors(markdown: Markdown) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for line in markdown.text:
        if match := _HEADING.match(line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
            seen[slug] += 1
            found.add(slug if seen[slug] == 1 else f"{slug}-{seen[slug] - 1}")
    return found


def broken(page: str, target: str) -> str | None:
    """Return what is wrong with a link, None for a good one. Other sites are not asked."""
    if re.match(r"[a-z]+:", target):
        return None
    name, _, anchor = target.partition("#")
    path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
    if not path.is_relative_to(ROOT):
        return f"{page}: {target} is outside the repository"
    relative = path.relative_to(ROOT).as_posix()
    if relative in TO_COME:
        return None
    if not path.exists():
        return f"{page}: {target} does not exist"
    if anchor and path.suffix == ".md" and anchor not in anchors(read_page(relative)):
        return f"{page}: {target}: no such heading"
    return None


# --- reading command lines ----------------------------------------------------------------------------


def shell_commands(block: tuple[str, ...]) -> Iterator[list[str]]:
    """The words of every command in a block. After a prompt only its lines count, the rest is output."""
    if any(line.startswith("$ ") for line in block):
        block = tuple(line[2:] if line.startswith("$ ") else "" for line in block)
    for line in "\n".join(block).replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        try:
            words = list(lexer)
        except ValueError:  # prose or output with a single quote
            continue
        yield from _split_words(words)


def _split_words(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    skip = False
    for word in words:
        if word.startswith("#"):
            break
        if word in SEPARATORS:
            yield command
            command, skip = [], False
        elif word in REDIRECTIONS:
            skip = True  # the file after it
        elif skip:
            skip = False
        else:
            command.append(word)
    yield command


def arguments(words: list[str]) -> list[str] | None:
    """What a command passes to the program; None where it starts another one."""
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    for program in PROGRAMS:
        if words[: len(program)] == program:
            return words[len(program) :]
    return None


@pytest.fixture(scope="module")
def program() -> Any:
    """The whole command line, as typer declares it."""
    register()
    return typer.main.get_command(app)


def misused(program: Any, given: list[str]) -> str | None:
    """Return what the command line would refuse, None for nothing. Nothing is run or opened."""
    context = typer.Context(program)
    takes_value = {
        name: not option.is_flag
        for option in program.params
        for name in (*option.opts, *option.secondary_opts)
    } | {"--help": False, "-h": False}
    rest: list[str] = []
    words = iter(given)
    for word in words:  # the options before the command may stand anywhere
        if word.split("=")[0] not in takes_value or (word in ("-h", "--help") and rest):
            rest.append(word)
        elif takes_value[word.split("=")[0]] and "=" not in word and next(words, None) is None:
            return f"{word} without a value"
    if not rest:
        return None
    command = program.commands.get(rest[0])
    if command is None:
        return f"no command {rest[0]!r}"
    if "--help" in rest or "-h" in rest:
        return None
    own = typer.Context(command, info_name=rest[0], parent=context)
    try:
        values, _, _ = command.make_parser(own).parse_args(rest[1:])
    except Exception as error:  # typer's own copy of click has no public name for it
        return str(error)
    for parameter in command.params:
        value = values.get(parameter.name)
        if parameter.required and not value:
            return f"{parameter.name} is missing"
        choices = getattr(parameter.type, "choices", None)
        if (
            choices
            and isinstance(value, str)
            and value not in [getattr(one, "value", one) for one in choices]
        ):
            return f"{parameter.name} is not {value!r}"
    return None


# --- the pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert [error for target in links(read_page(page)) if (error := broken(page, target))] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_program_knows_every_command_line(page: str, program: Any) -> None:
    wrong = []
    for _, block in read_page(page).blocks:
        for words in shell_commands(block):
            given = arguments(words)
            if given is not None and (error := misused(program, given)):
                wrong.append(f"{shlex.join(words)}: {error}")
    assert wrong == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in links(read_page("README.md"))}
    assert {page for page in PAGES if page != "README.md"} <= linked


def test_pages_to_come_are_not_there_yet() -> None:
    assert [page for page in TO_COME if (ROOT / page).exists()] == [], "take it out of TO_COME"


def test_the_manual_shows_every_command(program: Any) -> None:
    shown = {
        word
        for page in PAGES
        if page.startswith("docs/")
        for _, block in read_page(page).blocks
        for words in shell_commands(block)
        for word in arguments(words) or ()
    }
    assert set(program.commands) <= shown


def test_the_readme_begins_with_the_demo_and_the_tests() -> None:
    first = [words for _, block in read_page("README.md").blocks for words in shell_commands(block) if words]
    assert first[:2] == [["make", "demo"], ["make", "test"]]


# --- the checks themselves ----------------------------------------------------------------------------


def test_links_in_code_are_none() -> None:
    page = split_blocks("[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n![g [h]](i.webp)")
    assert links(page) == ["b.md", "i.webp"]


def test_a_link_to_nothing_is_found() -> None:
    assert broken("README.md", "docs/none.md") == "README.md: docs/none.md does not exist"
    assert broken("README.md", "#no-such-thing") == "README.md: #no-such-thing: no such heading"
    assert broken("docs/privacy.md", "../README.md") is None
    assert broken("README.md", "../elsewhere.md") == "README.md: ../elsewhere.md is outside the repository"


def test_anchors_are_those_of_github() -> None:
    page = split_blocks("# What's `new`? A-B\n## [Twice](x.md)\n## Twice\n")
    assert anchors(page) == {"whats-new-a-b", "twice", "twice-1"}


def test_commands_are_found_between_prompts_pipes_and_comments() -> None:
    block = (
        "$ A=b twobranch search -0 | xargs -0 ls > out && ./cli.py status  # a comment",
        "twobranch none",
    )
    found = [given for words in shell_commands(block) if (given := arguments(words)) is not None]
    assert found == [["search", "-0"], ["status"]]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--library x search dog -k 3 --in captions", None),
        ("search dog --quiet", None),
        ("serve ~/Pictures --open", None),
        ("find dog", "no command 'find'"),
        ("search dog --colour red", "--colour"),
        ("search dog -k", "-k"),
        ("search dog --in words", "is not 'words'"),
        ("relocate photos", "is missing"),
        ("search dog --library", "--library without a value"),
    ],
)
def test_a_wrong_command_line_is_found(program: Any, line: str, error: str | None) -> None:
    found = misused(program, shlex.split(line))
    assert found == error if error is None else found is not None and error in found
