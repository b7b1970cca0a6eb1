"""Files from strangers: nothing in them is run, followed out of its folder, or read as SQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import captions, images, index, write_captions
from tests.test_imports import modules
from twobranch.common.errors import CaptionFileError
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.maintenance.relocate import forget, relocate
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.query import Query
from twobranch.retrieval.terms import TextTerm

# --- nothing is unpickled or run ----------------------------------------------------------------------

FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with what is called, as it is written: "np.load"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def unsafe(tree: ast.AST) -> list[str]:
    """What of a module could run something that a file says."""
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS]
    for name, call in calls(tree):
        if name in FORBIDDEN_CALLS or name == "torch.jit.load":
            found.append(name)
        if name in ("np.load", "numpy.load") and keywords(call).get("allow_pickle") != "False":
            found.append(name)
        if name == "torch.load" and keywords(call).get("weights_only") != "True":
            found.append(name)
        if name.startswith("subprocess.") and keywords(call).get("shell", "False") != "False":
            found.append(name)
        if name == "os.system":
            found.append(name)
    return found


def test_nothing_unpickles_or_runs_what_a_file_says() -> None:
    assert {module: found for module, tree in modules() if (found := unsafe(tree))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from yaml import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "eval(text)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_the_test_sees(code: str) -> None:
    assert unsafe(ast.parse(code))


# --- SQL ----------------------------------------------------------------------------------------------

SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|DROP|ALTER|WHERE)\b")
# All that is ever put into the text of a statement, by module: names of our own tables and columns, pieces of
# SQL that are constants, places for parameters, and numbers that went through `int` or `map(str, ids)`.
KNOWN = {
    "indexer.catalog.albums": {"_ALBUMS", "_WITH_PHOTOS", "MARKABLE", "ids"},  # ids: of marks.blocks()
    "indexer.catalog.collection_names": {"table"},  # albums or saved_searches
    "indexer.catalog.filters": {"places"},  # ", ".join("?" * n)
    "indexer.catalog.mark_facets": {"of_photos", "condition"},
    "indexer.catalog.marks": {
        "ids",  # of blocks(), where each went through int()
        "MARKABLE",
        "updates",  # names of columns
    },
    "indexer.catalog.photo_places": {"ids"},  # of marks.blocks()
    "indexer.catalog.facets": {"texts", "condition"},
    "indexer.catalog.known_names": {"_ENCODED", "columns"},  # fixed texts
    "indexer.catalog.migrations": {
        "migration.version",
        "kind",
        "table",
        "row",
        "renew('old')",
        "renew('new')",
        "before",  # fixed texts
        "is_edited",
    },
    "indexer.catalog.map_points": {
        "condition",
        "marks",  # ",".join("?" * n)
    },
    "indexer.catalog.photo_facts": {"DATE", "_FILE", "_FROM", "condition", "ids"},  # ids: of marks.blocks()
    "indexer.catalog.reader": {
        "TABLES[kind]",
        "table",  # one of TABLES
        "WITH_PHOTO[kind]",
        "DATE",
        "_PHOTO_FACTS",
        "_MARKS",
        "condition",  # of Filters.condition(), whose values are parameters
        "int(model_id)",
        "marked",  # highlight(words, 0, ...) for each of FIELDS
        "ids",  # ",".join(map(str, ...)) of row ids
        "statement",
        "','.join('?' * len(some))",
    },
    "indexer.catalog.sorting": {
        "DATE",
        "WITH_PHOTO[kind]",
        "condition",
        "key",  # a column of SORTINGS
        "later",  # < or >
        "direction",
        "sorting.columns",
    },
    "indexer.catalog.timeline": {"DATE", "_RATIO", "columns", "condition", "sorting.columns"},
    "indexer.maintenance.salvage": {"table", "names", "common", "places", "index", "one.table"},
    "indexer.maintenance.integrity": {
        "table",
        "condition",
        "column.name",
        "TABLES[kind]",
        "_BLOCK",
        "name",
        "bad",
        "stored",
        "_DATE",
        "key[3]",
    },
    "indexer.maintenance.vacuum": {"name"},
    "indexer.catalog.vector_states": {"table"},
    "indexer.catalog.repeats": {
        "_STALE",
        "heir",
        "','.join('?' * len(some))",
    },  # fixed texts and placeholders
    "indexer.catalog.fulltext": {
        "', '.join(FIELDS)",
        "TOKENIZER",
        "stale",
        "shadow",
        "places",
        "' || char(10) || '.join(fields)",  # some of FIELDS
    },
}


def interpolated(tree: ast.AST) -> set[str]:
    """What is put into strings that are SQL, by any of the ways there are."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            literal = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            if SQL.search(literal):
                found |= {ast.unparse(p.value) for p in node.values if isinstance(p, ast.FormattedValue)}
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            if isinstance(node.left, ast.Constant) and SQL.search(str(node.left.value)):
                found.add(ast.unparse(node.right))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".format"):
            target = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(target, ast.Constant) and SQL.search(str(target.value)):
                found |= {ast.unparse(argument) for argument in node.args}
    return found


def test_only_what_is_known_is_put_into_sql() -> None:
    """A new piece has to be looked at by a person, and put into the list above."""
    wrong = {
        module: new
        for module, tree in modules()
        if module.split(".")[0] in ("indexer", "retrieval", "commands")
        and (new := interpolated(tree) - KNOWN.get(module, set()))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "code", ["f'SELECT {x}'", "'SELECT ' + x", "'DELETE FROM t WHERE a = %s' % x", "'SELECT {}'.format(x)"]
)
def test_the_test_of_sql_sees(code: str) -> None:
    assert interpolated(ast.parse(code)) == {"x"}


EVIL = (
    "a'b",
    "x' OR '1'='1",
    '"; DROP TABLE images; --',
    "100% _ \\",
    "NEAR(red* AND",
    "ü'; \n--",
    "red:blue",
)


@pytest.mark.parametrize("evil", EVIL)
def test_names_and_words_are_never_sql(library: Path, tmp_path: Path, evil: str) -> None:
    """Through every way that a text takes into a statement: nothing is found or lost by being read as SQL."""
    folder = tmp_path / "photos" / evil
    write_photo(folder / f"{evil}.png", "red")
    write_photo(tmp_path / "photos" / "other.png", "blue")
    write_captions(tmp_path / "c.csv", {"other.png": "blue"})
    index(library, tmp_path / "photos", FakeEncoder(), captions=tmp_path / "c.csv")
    with SearchEngine.open(library, load=lambda model: FakeEncoder()) as engine:  # type: ignore
        for filters, n in (
            (Filters(paths=(evil,)), 1),
            (Filters(not_paths=(evil,)), 1),
            (Filters(cameras=(evil,)), 0),
            (Filters(formats=(evil,)), 0),
            (Filters(paths=(f"{evil}/*", "other.png")), 2),
        ):
            assert len(engine.search(Query((TextTerm("red"),), filters))) == n
        assert len(engine.search(f"red {evil}")) == 2
        engine.written_words(evil)
    assert len(library_status(library)["failed"]) == 0
    moved = tmp_path / f"moved {evil}"
    (tmp_path / "photos").rename(moved)
    relocate(library, tmp_path / "photos", moved)
    forget(library, [moved / evil])
    assert [Path(path).name for path in images(library)] == ["other.png"]
    assert captions(library) == {"blue": f"{moved.name}/other.png"}


# --- captions that point elsewhere --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\secret.jpg", "a/../b.jpg", "..\\b.jpg"]
)
def test_a_caption_file_that_leads_out_is_refused_as_a_whole(library: Path, photos: Path, name: str) -> None:
    """A name is only ever compared with photos that `index` found, and opened by nothing but `train`; one
    that leads out of the folder is refused for both, so that nobody relies on it."""
    file = write_captions(photos / "c.csv", {"red.png": "red", name: "blue"})
    with pytest.raises(CaptionFileError, match=r"line 3: image name .* leads out of the image folder"):
        index(library, photos, FakeEncoder(), captions=file)
    assert not library.exists()
