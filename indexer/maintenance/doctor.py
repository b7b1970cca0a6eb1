"""The check of a whole library for damage, and its repair.

Checking changes nothing: all files are opened for reading. ``index`` and searches notice most damage when
they read it; this check reads every byte on which they rely.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twobranch.common.errors import LibraryError, ModelError
from twobranch.common.leftovers import LEFT_OVERS
from twobranch.indexer.catalog.connection import CATALOG, connect, library_error, open_database
from twobranch.indexer.catalog.fulltext import drop_damaged_words, refresh_words, words_are_sound
from twobranch.indexer.catalog.lock import LOCK, indexing_lock
from twobranch.indexer.catalog.migrations import LATEST, check_not_newer, is_possible, schema_version
from twobranch.indexer.catalog.reader import VECTOR_KINDS, CatalogReader, LibraryModel, VectorKind
from twobranch.indexer.catalog.vector_states import note_states
from twobranch.indexer.maintenance.integrity import (
    broken_vectors,
    delete_vectors,
    likely_version,
    mend_references,
    mend_values,
    reference_faults,
    schema_faults,
    value_faults,
)
from twobranch.indexer.maintenance.salvage import salvage
from twobranch.indexer.vectors.codec import as_bytes
from twobranch.indexer.vectors.exact import BLOCK, index_file, open_exact, stamp
from twobranch.indexer.vectors.index import kinds_with_index
from twobranch.indexer.vectors.ivf import lists_file, load_lists
from twobranch.indexer.vectors.mapped_file import StoredVectors, read_vectors

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

_MOST_MESSAGES = 3  # of SQLite's, that are shown


@dataclass(frozen=True)
class Finding:
    """The result of checking one part of a library."""

    part: str
    fine: bool
    found: str
    repair: str | None = None  # the action of `--repair`, or advice if it can do nothing
    done: str | None = None  # the result of `--repair`

    def as_json(self) -> dict[str, Any]:
        """Return an element of ``checks`` in ``doctor --json``."""
        return asdict(self)


@dataclass(frozen=True)
class _Diagnosis:
    finding: Finding
    mend: Callable[[], str] | None = None  # repairs the part, and returns a description


def examine(
    library: Path, *, repair: bool = False, check_model: Callable[[Encoder], object] = lambda encoder: None
) -> list[Finding]:
    """Check the parts of a library, and repair them with ``repair``.

    Each part is repaired before the next is checked. ``check_model`` raises ``ModelError`` for faults of the
    model beyond those that affect vectors. Raises ``LibraryError`` for a library that is missing, newer than
    this program, or in use by another process.
    """
    path = library / CATALOG
    if not path.is_file():
        raise LibraryError(f"{library}: no {CATALOG} in it; `index PATH` creates a library")
    findings: list[Finding] = []

    def say(diagnosis: _Diagnosis) -> bool:
        """Record a finding. Returns True if the part is fine or was repaired."""
        finding = diagnosis.finding
        if repair and diagnosis.mend is not None:
            finding = replace(finding, done=diagnosis.mend())
        findings.append(finding)
        return finding.fine or finding.done is not None

    unlocked = say(_lock(library))
    writable = os.access(library, os.W_OK)
    held = indexing_lock(library, "doctor", wait=False) if unlocked and writable else nullcontext()
    with held:
        if say(_catalogue(path.absolute())):
            if repair:
                open_database(library)  # upgrades an older schema
            if _version(path) == LATEST:
                say(_words(path.absolute()))
                say(_vectors(path.absolute()))
                with closing(CatalogReader(path.absolute(), write=repair)) as catalog:
                    model = catalog.active_model()
                    for kind in () if model is None else kinds_with_index(catalog, model.id):
                        assert model is not None
                        say(_index(catalog, kind, model))
                    if model is not None:
                        say(_model(model, check_model))
        say(_leftovers(library))
    return findings


def catalogue_damage(library: Path) -> str | None:
    """Describe the damage of a library's catalogue in a line.

    The line says what to do as well. The result is None if the catalogue is fine. It reads the whole
    catalogue, to find the cause of an error.
    """
    path = library.absolute() / CATALOG
    if not path.is_file():
        return None
    try:
        finding = _catalogue(path).finding
    except LibraryError as error:
        return str(error)
    return None if finding.fine else f"{path}: {finding.found}; `doctor --repair` saves what can be read"


def _fine(part: str, found: str) -> _Diagnosis:
    return _Diagnosis(Finding(part, True, found))


def _wrong(part: str, found: str, repair: str, mend: Callable[[], str] | None = None) -> _Diagnosis:
    return _Diagnosis(Finding(part, False, found, repair), mend)


# --- lock and leftovers -----------------------------------------------------------------------------


def _lock(library: Path) -> _Diagnosis:
    lock = library / LOCK
    if not lock.exists():
        return _fine("lock", "not in use")
    try:
        with closing(sqlite3.connect(f"{lock.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.OperationalError:
        pass  # held or not readable: the process that needs it gets the error
    except sqlite3.DatabaseError:
        # No process can hold it in this state.
        return _wrong(
            "lock",
            "damaged: no `index` can start",
            "deletes it; `index` creates it again",
            partial(_unlink, [lock]),
        )
    return _fine("lock", "not in use")


def _leftovers(library: Path) -> _Diagnosis:
    """Check for unfinished files of killed processes.

    No process writes any now, since this one holds the lock.
    """
    files = sorted(library.glob(LEFT_OVERS))
    if not files:
        return _fine("leftovers", "none")
    size = sum(file.stat().st_size for file in files)
    found = f"{len(files):,} unfinished files of processes that were killed, {size / 1e6:.1f} MB"
    return _wrong("leftovers", found, "deletes them", partial(_unlink, files))


def _unlink(files: Sequence[Path]) -> str:
    for file in files:
        file.unlink(missing_ok=True)
    return "deleted"


# --- the catalogue ----------------------------------------------------------------------------------


def _version(path: Path) -> int:
    with closing(connect(path.absolute(), write=False)) as connection:
        return schema_version(connection)


def _catalogue(path: Path) -> _Diagnosis:
    copy = "copies what can be read into a new file, row by row; the damaged one is kept beside it"
    mend = partial(_salvage, path)
    try:
        with closing(connect(path, write=False)) as connection:
            version = schema_version(connection)
            check_not_newer(path, version)
            if not is_possible(version):
                return _wrong("catalogue", f"damaged: schema {version}", copy, mend)
            rows = connection.execute("PRAGMA integrity_check").fetchall()
            # The words have a check of their own: they can be built again.
            messages = [text for (text,) in rows if text != "ok" and "FTS5" not in text]
            if messages:
                more = ["…"] if len(messages) > _MOST_MESSAGES else []
                said = "; ".join(messages[:_MOST_MESSAGES] + more)
                return _wrong("catalogue", f"damaged: {said}", copy, mend)
            if (likely := likely_version(connection, version)) != version:
                said = f"damaged: schema {version}, with the tables of schema {likely}"
                return _wrong("catalogue", said, copy, mend)
            if faults := schema_faults(connection, version):
                return _wrong("catalogue", f"differs from its schema: {', '.join(faults)}", copy, mend)
            if version < LATEST:
                next_ = f"schema {version}; the next command upgrades it to {LATEST}, and keeps a copy"
                return _fine("catalogue", next_ if version else "empty")
            rows_wrong = [*value_faults(connection), *reference_faults(connection)]
            if rows_wrong:
                return _wrong(
                    "catalogue",
                    "; ".join(map(str, rows_wrong)),
                    "empties these values, or deletes their rows if the value is required",
                    partial(_mend_rows, path),
                )
            ((photos, captions),) = connection.execute(
                "SELECT (SELECT COUNT(*) FROM images), (SELECT COUNT(*) FROM captions WHERE same_as IS NULL)"
            )
    except sqlite3.DatabaseError as error:
        return _wrong("catalogue", f"damaged: {error}", copy, mend)
    return _fine("catalogue", f"{photos:,} photos, {captions:,} captions, schema {version}")


def _salvage(path: Path) -> str:
    result = salvage(path)
    _remake(path)  # a search needs the table of words
    for kind in VECTOR_KINDS:
        for file in sorted(path.parent.glob(f"{kind}-*")):
            # An intact file shows which vectors were damaged. Then it goes: it has vectors of lost rows.
            _remove_vectors(path, {kind: _differing_from(file, path, kind)})
            file.unlink()
    return f"{result}; run `index` with the folders of your photos to encode again what was lost"


def _mend_rows(path: Path) -> str:
    with _writing(path) as connection:
        emptied, deleted = mend_values(connection)
        more_emptied, more_deleted = mend_references(connection)
    return f"{emptied + more_emptied:,} values emptied, {deleted + more_deleted:,} rows deleted"


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the catalogue for one write transaction."""
    try:
        with closing(connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            note_states(connection)
            connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise library_error(path, error) from None


# --- words and vectors ------------------------------------------------------------------------------


def _words(path: Path) -> _Diagnosis:
    with closing(connect(path, write=False)) as connection, tempfile.TemporaryDirectory() as folder:
        sound = words_are_sound(connection, Path(folder, "words.sqlite"))
    if sound is None:
        return _fine("words", "not built yet; the next `index` builds them")
    if sound:
        return _fine("words", "complete for all photos")
    return _wrong("words", "damaged, or some photos are missing", "builds them again", partial(_remake, path))


def _remake(path: Path) -> str:
    with _writing(path) as connection:
        drop_damaged_words(connection)
        refresh_words(connection)
        ((count,),) = connection.execute("SELECT COUNT(*) FROM words")
    return f"built again for {count:,} photos"


def _vectors(path: Path) -> _Diagnosis:
    with closing(connect(path, write=False)) as connection:
        broken = broken_vectors(connection)
        ((count,),) = connection.execute(
            "SELECT (SELECT COUNT(*) FROM image_vectors) + (SELECT COUNT(*) FROM caption_vectors)"
            " + (SELECT COUNT(*) FROM region_vectors)"
        )
    wrong = {kind: ids for kind, ids in broken.items() if ids}
    if not wrong:
        return _fine("vectors", f"{count:,}, all of length 1")
    found = " and ".join(f"{len(ids):,} of {kind}" for kind, ids in wrong.items())
    return _wrong(
        "vectors",
        f"{found} are damaged (of a wrong dimension, or not of length 1)",
        "removes them; the next `index` encodes their photos or captions again",
        partial(_remove_vectors, path, wrong),
    )


def _remove_vectors(path: Path, broken: Mapping[VectorKind, Sequence[int]]) -> str:
    with _writing(path) as connection:
        delete_vectors(connection, broken)
    return f"{sum(map(len, broken.values())):,} removed; run `index`"


# --- index files ------------------------------------------------------------------------------------


def _index(catalog: CatalogReader, kind: VectorKind, model: LibraryModel) -> _Diagnosis:
    """Check the index files of one kind.

    Their checksums are compared, and their rows with the vectors of the catalogue.
    """
    part, folder = f"index of {kind}", catalog.path.parent
    lists = lists_file(folder, kind, model.id)
    after = 0
    if lists.exists():
        loaded = load_lists(catalog, kind, model.id, model.dim, verify=True)
        if loaded is None:
            return _wrong(
                part,
                f"{lists.name} is damaged, or of another catalogue",
                "deletes it; searches compare every vector until the next `index` builds it",
                partial(_unlink, [lists, lists.with_name(f"{lists.name}.json")]),
            )
        after = loaded.newest
    path = index_file(folder, kind, model.id, tail=after > 0)
    if not path.exists():
        return _fine(part, "lists" if after else "not built yet; the next search builds it")
    stored = read_vectors(path, verify=True)
    if stored is None or stored.rows.shape[1] != model.dim:
        return _wrong(part, f"{path.name} is damaged", *_rebuilding(catalog, kind, model, after, path))
    if stored.stamp != stamp(catalog, kind, model.id, after):
        return _fine(part, "older than the catalogue; the next search updates it")
    differing = list(_differing(catalog, kind, stored))
    if differing:
        # The file matches its checksum and the catalogue has none, so the damage is in the catalogue.
        return _wrong(
            part,
            f"{len(differing):,} vectors of the catalogue differ from those in {path.name}",
            "removes them; the next `index` encodes their photos or captions again",
            partial(_remove_vectors, catalog.path, {kind: differing}),
        )
    return _fine(part, f"{len(stored.ids):,} vectors, the same as in the catalogue")


def _rebuilding(
    catalog: CatalogReader, kind: VectorKind, model: LibraryModel, after: int, path: Path
) -> tuple[str, Callable[[], str]]:
    def rebuild() -> str:
        path.unlink()
        count = len(open_exact(catalog, kind, model.id, model.dim, after))
        return f"rebuilt with {count:,} vectors"

    return "rebuilds it from the catalogue", rebuild


def _differing_from(file: Path, path: Path, kind: VectorKind) -> list[int]:
    """Return the ids of ``_differing`` for a vector file.

    The list is empty if the file is damaged or no vector file, or has vectors of a state that this catalogue
    never had.
    """
    stored, model_id = read_vectors(file, verify=True), file.stem.rpartition("-")[2]
    if stored is None or not model_id.isdecimal():
        return []
    with closing(CatalogReader(path)) as catalog:
        ours = catalog.was_state(kind, int(model_id), stored.stamp.state)
        return list(_differing(catalog, kind, stored)) if ours else []


def _differing(catalog: CatalogReader, kind: VectorKind, stored: StoredVectors) -> Iterator[int]:
    """Yield the ids of vectors that differ between catalogue and file."""
    for start in range(0, len(stored.ids), BLOCK):
        ids = stored.ids[start : start + BLOCK].tolist()
        there = catalog.vectors(kind, ids)
        for id_, row in zip(ids, stored.rows[start : start + BLOCK], strict=True):
            if id_ in there and there[id_] != as_bytes(row):
                yield id_


# --- the model --------------------------------------------------------------------------------------


def _model(model: LibraryModel, check_model: Callable[[Encoder], object]) -> _Diagnosis:
    from twobranch.embedding.encoder import Encoder

    try:
        encoder = Encoder.load(model.name, verify=True, **asdict(model.variant))
        same = encoder.fingerprint == model.fingerprint
        encoder.check()
        check_model(encoder)
    except ModelError as error:
        advice = (
            "copy the model folder again, or encode everything with another model: `index --model default`"
        )
        return _wrong("model", str(error), advice)
    if not same:
        return _wrong(
            "model",
            f"{model.label} has changed since the library was indexed",
            f"encode everything again: `index --model {model.name}`",
        )
    return _fine("model", f"{model.label}, its files match their checksums and one another")
