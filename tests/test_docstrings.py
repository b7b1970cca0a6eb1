"""Docstrings begin in plain words, and functions stay small."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.test_imports import modules

MOST_WORDS = 12
MOST_LINES, MOST_PARAMETERS = 60, 7
# A question, or words that hide who acts: say what the thing is, or what the function does.
RIDDLES = re.compile(r"^(What|Whether|Who|Whoever|How|That|Where)\b|\b(whoever|whomever|nobody|somebody)\b")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def definitions() -> Iterator[tuple[str, Definition]]:
    """Every module, class and function of the package, with its full name."""

    def below(name: str, node: Definition) -> Iterator[tuple[str, Definition]]:
        yield name, node
        for child in node.body:
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from below(f"{name}.{child.name}", child)

    for name, tree in modules():
        yield from below(name, tree)


def first_line(node: Definition) -> str:
    """The first line of its docstring; "" without one."""
    return (ast.get_docstring(node) or "").split("\n\n")[0].split(". ")[0]


def test_first_lines_are_short() -> None:
    long = {name for name, node in definitions() if len(first_line(node).split()) > MOST_WORDS}
    assert long == set()


def test_first_lines_are_no_riddles() -> None:
    assert {name: first_line(node) for name, node in definitions() if RIDDLES.search(first_line(node))} == {}
