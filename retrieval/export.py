"""Export of a library's vectors and metadata to common file formats.

The layout is that of clip-retrieval (its `clip inference`): ``img_emb/img_emb_0.npy`` or
``text_emb/text_emb_0.npy``, whose row i belongs to row i of ``metadata/metadata_0.parquet``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, UserError
from twobranch.common.extras import install_command
from twobranch.common.paths import expanded
from twobranch.common.progress import SILENT, Progress, showing
from twobranch.indexer.catalog.filters import photo_date
from twobranch.indexer.catalog.reader import Gallery
from twobranch.indexer.catalog.tables import Catalog, Session, active_model
from twobranch.indexer.catalog.vectors import count_vectors, vectors_with_facts
from twobranch.indexer.vectors.codec import as_matrix

_BLOCK = 5000  # rows in memory at once: 10 MB of vectors
_DIGITS = 9  # decimals of a vector in JSON; float32 has no more precision
# The metadata of a row, in the order of the columns.
_COLUMNS = (
    "image_path",
    "caption",
    "date",
    "date_from",
    "camera",
    "width",
    "height",
    "latitude",
    "longitude",
)
Facts = dict[str, Any]
WriteFacts = Callable[[Iterable[Facts]], None]
_FOLDERS: dict[Gallery, str] = {"images": "img_emb", "captions": "text_emb"}


# parquet: vectors as .npy, metadata as Parquet; npy: metadata as JSON Lines; jsonl: one file with both.
Format = Literal["parquet", "npy", "jsonl"]
Precision = Literal["float32", "float16"]  # float16 has half the size; scores change by less than 0.001


@dataclass(frozen=True)
class Exported:
    """The result of an export."""

    out: Path
    rows: int
    dim: int
    files: tuple[str, ...]  # relative to ``out``


def export(
    library: Path,
    out: Path,
    form: Format,
    kind: Gallery = "images",
    precision: Precision = "float32",
    progress: Progress = SILENT,
) -> Exported:
    """Write all vectors of one kind into the folder ``out``.

    The vectors are those of the library's model. The folder appears in one step, once it is complete. All
    rows come from one snapshot of the catalogue, and one block of them is in memory at a time. Raises
    ``UserError`` when ``out`` is not empty or a package is missing, ``LibraryError`` when nothing is
    indexed, and ``OSError``.
    """
    out = expanded(out).absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out}: exists already; name a new or empty folder")
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with closing(Catalog.open(library)) as catalog, catalog.session() as session:
            model = active_model(session)
            if model is None:
                raise LibraryError(f"{library}: nothing is indexed yet; run `index PATH`")
            count = count_vectors(session, kind, model.id)
            with (
                _writer(partial, form, kind, (count, model.dim), precision) as write,
                showing(progress, f"writing {kind}", count),
            ):
                for vectors, facts in _blocks(session, kind, model.id, model.dim):
                    write(vectors.astype(precision), facts)
                    progress.advance(len(facts))
            rows, dim = count, model.dim
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return Exported(out, rows, dim, tuple(files))


# --- reading ----------------------------------------------------------------------------------------


def _blocks(
    session: Session, kind: Gallery, model_id: int, dim: int
) -> Iterator[tuple[NDArray[np.float32], list[Facts]]]:
    """Yield blocks of (n, D) vectors with their metadata, ordered by id."""
    for rows in vectors_with_facts(session, kind, model_id, _BLOCK):
        facts = [
            {
                "image_path": None if row.root is None else str(Path(row.root, row.path)),
                "caption": row.caption,
                "date": None if row.root is None else photo_date(row.taken_at, row.mtime_ns),
                "date_from": None if row.root is None else "file" if row.taken_at is None else "photo",
                **{name: getattr(row, name) for name in _COLUMNS[4:]},
            }
            for row in rows
        ]
        yield as_matrix([row.vector for row in rows], dim), facts


# --- writing ----------------------------------------------------------------------------------------


@contextmanager
def _writer(
    folder: Path, form: Format, kind: Gallery, shape: tuple[int, int], precision: Precision
) -> Iterator[Callable[[NDArray[Any], Sequence[Facts]], None]]:
    """Open the output files in ``folder``; yield a function that writes blocks."""
    open_table = _parquet_table if form == "parquet" else _json_lines
    if form == "parquet":
        _pyarrow()  # raises before anything is written
    folder.mkdir(parents=True)
    if form == "jsonl":
        with _json_lines(folder / f"{kind}.jsonl") as write_facts:
            yield lambda vectors, facts: write_facts(
                {**row, "embedding": vector.astype(np.float64).round(_DIGITS).tolist()}
                for vector, row in zip(vectors, facts, strict=True)
            )
        return
    name, suffix = _FOLDERS[kind], "parquet" if form == "parquet" else "jsonl"
    for part in (name, "metadata"):
        (folder / part).mkdir()
    with (
        (folder / name / f"{name}_0.npy").open("wb") as rows,
        open_table(folder / "metadata" / f"metadata_0.{suffix}") as write_facts,
    ):
        descr = np.lib.format.dtype_to_descr(np.dtype(precision))
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(rows, header)

        def write(vectors: NDArray[Any], facts: Sequence[Facts]) -> None:
            rows.write(np.ascontiguousarray(vectors).tobytes())
            write_facts(facts)

        yield write


@contextmanager
def _json_lines(path: Path) -> Iterator[WriteFacts]:
    with path.open("w", encoding="utf-8") as file:

        def write(facts: Iterable[Facts]) -> None:
            file.writelines(json.dumps(row, default=datetime.isoformat) + "\n" for row in facts)

        yield write


@contextmanager
def _parquet_table(path: Path) -> Iterator[WriteFacts]:
    pyarrow, parquet = _pyarrow()
    text, number, degrees = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    types = (text, text, pyarrow.timestamp("us"), text, text, number, number, degrees, degrees)
    schema = pyarrow.schema(list(zip(_COLUMNS, types, strict=True)))
    with parquet.ParquetWriter(path, schema) as writer:

        def write(facts: Iterable[Facts]) -> None:
            # Text in Parquet is UTF-8. A file name that is not valid UTF-8 is written with replacements.
            rows = [{**row, "image_path": _as_utf8(row["image_path"])} for row in facts]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))

        yield write


def _as_utf8(path: str | None) -> str | None:
    return None if path is None else os.fsencode(path).decode("utf-8", "replace")


def _pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and pyarrow.parquet. Raises ``UserError`` if they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UserError(
            f"Parquet needs the package pyarrow; install it with: {install_command('export')}, "
            "or export with --format npy or jsonl"
        ) from None
    return pyarrow, pyarrow.parquet
