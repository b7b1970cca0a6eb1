"""``export``: write vectors and metadata for other programs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import GalleryOption, Json, Options, command, print_json


class Format(str, Enum):
    """The file format of the rows."""

    parquet = "parquet"
    npy = "npy"
    jsonl = "jsonl"


class Precision(str, Enum):
    """The number type of the vectors."""

    float32 = "float32"
    float16 = "float16"


@command
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The folder to write, new or empty.", metavar="DIR")],
    form: Annotated[Format, typer.Option("--format", help="The format, see above."), SETTABLE] = Format.npy,
    gallery: Annotated[
        GalleryOption, typer.Option("--in", help="Write images or captions."), SETTABLE
    ] = GalleryOption.images,
    precision: Annotated[
        Precision, typer.Option("--dtype", help="float16 takes half the space."), SETTABLE
    ] = Precision.float32,
    as_json: Json = False,
) -> None:
    """Write the vectors and metadata of all photos (or captions).

    The metadata are path, caption, date, camera, size and place. Vectors have length 1; row i of the vectors
    belongs to row i of the metadata. A photo's caption is its first. DIR appears when it is complete. Memory
    holds at most a few thousand rows at a time.

    \b
    parquet  as clip-retrieval writes it: img_emb/img_emb_0.npy (text_emb for captions) and
             metadata/metadata_0.parquet with image_path, caption, date, camera, width, height, ...
    npy      the same, with metadata/metadata_0.jsonl; needs no further package
    jsonl    images.jsonl (captions.jsonl): an object a line, with its vector as `embedding`

    \b
    Examples:
      twobranch export --format parquet --out vectors
      twobranch export --format npy --dtype float16 --in captions --out caption-vectors
      twobranch export --format jsonl --out dump
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.retrieval.export import export as run

    options = Options.of(context)
    library, progress = find_library(options.library), options.progress()
    done = run(library, out, form.value, gallery.value, precision.value, progress)
    if as_json:
        print_json({"out": str(done.out), "rows": done.rows, "dim": done.dim, "files": list(done.files)})
        return
    print(f"{done.rows:,} vectors of {done.dim} dimensions in {done.out}:")
    for file in done.files:
        print(f"  {file}")
