"""Imports point one way, and heavy packages stay where DESIGN puts them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("commands", "embedding", "indexer", "retrieval", "server", "train")
# What each package may import of ours, besides itself. `indexer.captionfiles.corpus` reads caption files for both
# indexing and training; `retrieval.evaluation.metrics` and `retrieval.confidence` are NumPy only.
ALLOWED = {
    "embedding": set(),
    "indexer": {"embedding"},
    "retrieval": {"embedding", "indexer"},
    "train": {
        "embedding",
        "twobranch.indexer.captionfiles.corpus",
        "twobranch.retrieval.confidence",
        "twobranch.retrieval.evaluation.metrics",
        "twobranch.retrieval.spelling",
    },
    "server": {"embedding", "indexer", "retrieval"},
    "commands": {"embedding", "indexer", "retrieval", "server", "train"},
    "cli": {"commands"},
}
# Where a heavy package may be imported (module or package prefixes).
HEAVY = {
    "torch": ("train", "twobranch.embedding.branches", "twobranch.embedding.backbones"),
    "torchvision": ("twobranch.embedding.backbones", "twobranch.train.sides.class_names"),
    "transformers": ("train",),
    "gensim": ("train",),
    "onnx": ("train",),
    "faiss": ("twobranch.indexer.vectors.exact", "twobranch.indexer.vectors.ivf"),
    "sqlalchemy": ("indexer", "retrieval", "server"),
    "typer": ("commands",),
    "fastapi": ("server",),
    "uvicorn": ("server",),
    "matplotlib": ("twobranch.retrieval.evaluation.plots", "twobranch.train.output.curves"),
}


def modules() -> list[tuple[str, ast.Module]]:
    files = [
        ROOT / "cli.py",
        *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))),
    ]
    return [
        (
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"),
            ast.parse(path.read_text()),
        )
        for path in files
    ]


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


def within(name: str, prefixes: set[str] | tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def test_imports_point_one_way() -> None:
    wrong = []
    for module, tree in modules():
        package = module.split(".")[0]
        for name in imported(tree):
            top = name.split(".")[0]
            ours = top in (*PACKAGES, "cli") and top != package
            # `from retrieval import metrics` names both the package and the module; the longer one decides
            names_a_part = any(within(allowed, (name,)) for allowed in ALLOWED[package])
            if ours and not within(name, ALLOWED[package]) and not names_a_part:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_two_modules_of_retrieval_and_commands_need_each_other() -> None:
    """Imports anywhere in a file count: inside functions, and those for types alone."""
    names = [module for module, _ in modules()]
    needs = {
        module: {name for name in imported(tree) if name in names and name != module}
        for module, tree in modules()
        if module.startswith(("retrieval.", "commands."))
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


def test_searching_imports_nothing_heavy() -> None:
    """What the code of a search loads, as one process sees it."""
    code = (
        "import sys, cli, twobranch.embedding.encoder, twobranch.indexer.update.library, twobranch.retrieval.engine, twobranch.retrieval.evaluation.evaluate\n"
        "heavy = {'torch', 'torchvision', 'gensim', 'transformers', 'matplotlib', 'fastapi'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.split() == []
