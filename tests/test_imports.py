"""Imports point one way, and heavy packages stay where DESIGN puts them."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("common", "embedding", "indexer", "retrieval", "server", "train", "commands")
# What each part may import of ours, besides itself. Training reads caption files and uses what is NumPy only.
ALLOWED = {
    "common": set(),
    "embedding": {"common"},
    "indexer": {"common", "embedding"},
    "retrieval": {"common", "embedding", "indexer"},
    "server": {"common", "embedding", "indexer", "retrieval"},
    "train": {
        "common",
        "embedding",
        "indexer.captionfiles",
        "retrieval.background",
        "retrieval.confidence",
        "retrieval.date_names",
        "retrieval.evaluation.metrics",
        "retrieval.spelling",
    },
    "commands": {"common", "embedding", "indexer", "retrieval", "server", "train"},
}
# Within the indexer, each folder may import those before it.
LADDER = ("disk", "captionfiles", "gazetteer", "catalog", "vectors", "update", "maintenance")
# Modules outside the catalogue that may speak SQL, through sqlite3.
REPAIRS = tuple(f"indexer.maintenance.{name}" for name in ("doctor", "integrity", "salvage", "vacuum"))
CACHES = ("train.features", "train.sides.activations")
# Where a heavy package may be imported (module or package prefixes).
HEAVY = {
    "torch": ("train", "embedding.branches", "embedding.backbones"),
    "torchvision": ("embedding.backbones", "train.sides.class_names"),
    "transformers": ("train",),
    "open_clip": ("train",),
    "timm": ("train",),
    "gensim": ("train",),
    "onnx": ("train", "embedding.conversion"),
    "huggingface_hub": ("embedding.conversion",),
    "faiss": ("indexer.vectors",),
    # Only the catalogue speaks SQL. Repairs work on SQLite itself; training has caches of its own.
    "sqlalchemy": ("indexer.catalog",),
    "sqlite3": ("indexer.catalog", *REPAIRS, *CACHES),
    "Stemmer": ("retrieval.word_forms",),
    "typer": ("commands",),
    "fastapi": ("server",),
    "uvicorn": ("server",),
    "mcp": ("server.mcp",),
    "matplotlib": ("retrieval.evaluation.plots", "train.output.curves"),
}


@cache
def modules() -> list[tuple[str, ast.Module]]:
    """Every module of the package by its name below it, parsed."""
    files = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
    return [
        (
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"),
            ast.parse(path.read_text()),
        )
        for path in files
    ]


@cache
def imported(tree: ast.Module) -> set[str]:
    """Every module named by an import statement anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def ours(tree: ast.Module) -> set[str]:
    """Those of our own package, by their names below it."""
    return {name.removeprefix("twobranch.") for name in imported(tree) if name.startswith("twobranch.")}


def within(name: str, prefixes: set[str] | tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def test_imports_point_one_way() -> None:
    wrong = []
    for module, tree in modules():
        part = module.split(".")[0]
        for name in ours(tree):
            # `from retrieval import spelling` names both the package and the module; the longer one decides
            names_a_part = any(within(allowed, (name,)) for allowed in ALLOWED[part])
            if within(name, PARTS) and not within(name, ALLOWED[part] | {part}) and not names_a_part:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_the_indexer_is_a_ladder() -> None:
    wrong = []
    for module, tree in modules():
        part, _, rest = module.partition(".")
        if part != "indexer" or not rest:
            continue
        above = LADDER[LADDER.index(rest.split(".")[0]) + 1 :]
        wrong += [
            f"{module} imports {name}"
            for name in ours(tree)
            if within(name, tuple(f"indexer.{folder}" for folder in above))
        ]
    assert wrong == []


def test_nothing_imports_the_folders_by_themselves() -> None:
    """In a checkout ``import indexer`` would give every module a second life under another name."""
    others = [ROOT / "cli.py", *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    files = [*modules(), *((path.name, ast.parse(path.read_text())) for path in others)]
    assert [name for name, tree in files if any(within(one, PARTS) for one in imported(tree))] == []


def test_no_two_modules_need_each_other() -> None:
    """Imports anywhere in a file count: inside functions, and those for types alone."""
    names = [module for module, _ in modules()]
    needs = {
        module: {name for name in ours(tree) if name in names and name != module}
        for module, tree in modules()
    }
    while free := {module for module, needed in needs.items() if not needed & needs.keys()}:
        needs = {module: needed for module, needed in needs.items() if module not in free}
    assert needs == {}  # what is left is a circle, or needs one


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_stay_where_they_belong(package: str) -> None:
    wrong = [
        module
        for module, tree in modules()
        if any(within(name, (package,)) for name in imported(tree)) and not within(module, HEAVY[package])
    ]
    assert wrong == []


def test_only_the_catalogue_holds_statements() -> None:
    """A session is opened and passed on elsewhere, but only the catalogue calls it."""
    calls = {"execute", "executemany", "executescript", "scalar", "scalars"}
    allowed = ("indexer.catalog", *REPAIRS, *CACHES)
    wrong = [
        f"{module}: {node.attr}"
        for module, tree in modules()
        if not within(module, allowed)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (node.attr in calls or _is_rows(node))
    ]
    assert wrong == []


def _is_rows(node: ast.Attribute) -> bool:
    """Return True for ``reader.rows``, which takes SQL text."""
    return node.attr == "rows" and isinstance(node.value, ast.Name) and node.value.id == "reader"


def test_searching_imports_nothing_heavy() -> None:
    """What the code of a search loads, as one process sees it."""
    code = (
        "import sys, twobranch.commands.main, twobranch.embedding.encoder, twobranch.indexer.update.library\n"
        "import twobranch.retrieval.engine, twobranch.retrieval.evaluation.evaluate\n"
        "heavy = {'torch', 'torchvision', 'gensim', 'transformers', 'matplotlib', 'fastapi'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.split() == []
