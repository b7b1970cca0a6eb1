"""Running the indexer in tests, and looking into the catalogue afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.fakes import FakeEncoder
from twobranch.indexer.captionfiles.texts import text_key
from twobranch.indexer.catalog.reader import GALLERIES, CatalogReader
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Catalog,
    Image,
    ImageVector,
    Session,
    active_model,
    image_file,
)
from twobranch.indexer.update.library import IndexReport, update_library
from twobranch.indexer.update.run import Effort
from twobranch.indexer.vectors.exact import VectorIndex, open_exact
from twobranch.indexer.vectors.index import open_index


def index(library: Path, paths: Path | Sequence[Path], encoder: FakeEncoder, **options: Any) -> IndexReport:
    """Indexes, and checks what must hold after every run."""
    paths = [paths] if isinstance(paths, Path) else paths
    report = update_library(library, paths, encoder, **options)
    check(library, encoder.tta)
    return report


def check(library: Path, tta: bool = False) -> None:
    """In SQLite and in the index, each photo has the vector of its pixels, each caption that of its text."""
    fake = FakeEncoder(tta=tta)
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        model = active_model(session)
        assert model is not None
        photos = session.execute(select(ImageVector, Image).join(Image)).all()
        for vector, image in photos:
            assert image.failure is None
            if image_file(image).exists():  # else it was out of what the run looked at
                assert vector.vector == fake.encode_images([image_file(image)]).tobytes()
        captions = session.execute(select(CaptionVector, Caption).join(Caption)).all()
        for vector, caption in captions:
            assert vector.vector == fake.encode_texts([caption.text]).tobytes()
        check_repeats(session)
        with closing(CatalogReader.open(library)) as reader:
            for kind, rows in zip(GALLERIES, (photos, captions), strict=True):
                flat = open_index(reader, kind, model.id, 4)
                stored = {vector.id: vector.vector for vector, _ in rows if vector.model_id == model.id}
                assert {id: flat.vectors([id]).tobytes() for id in flat.ids.tolist()} == stored


def check_repeats(session: Session) -> None:
    """Of equal captions of a photo the first one has a vector; the others name it and have none."""
    encoded = set(session.scalars(select(CaptionVector.caption_id)))
    first: dict[tuple[Any, str], int] = {}
    for row in session.scalars(select(Caption).order_by(Caption.id)):
        about = row.image_name if row.image_id is None else row.image_id
        caption = first.setdefault((about, text_key(row.text)), row.id)
        assert row.same_as == (None if caption == row.id else caption)
        assert (row.id in encoded) == (caption == row.id)


def images(library: Path) -> dict[str, Image]:
    """The rows of all photos, by the path within the folder that holds the library."""
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        rows = session.scalars(select(Image)).all()
        return {image_file(image).relative_to(library.parent).as_posix(): image for image in rows}


def captions(library: Path) -> dict[str, str | None]:
    """Caption text to the path of the photo it is tied to."""
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return {
            row.text: row.image and image_file(row.image).relative_to(library.parent).as_posix()
            for row in session.scalars(select(Caption).order_by(Caption.id))
        }


def vector_ids(library: Path, table: type[ImageVector] | type[CaptionVector] = ImageVector) -> set[int]:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return set(session.scalars(select(table.id)))


def counts(report: IndexReport) -> dict[str, int]:
    """The counts that are not 0."""
    names = ("added", "updated", "moved", "removed", "unchanged", "encoded")
    values = {name: getattr(report, name) for name in names} | {"failed": len(report.failed)}
    return {name: value for name, value in values.items() if value}


def write_captions(path: Path, captions: dict[str, str], splits: dict[str, str] | None = None) -> Path:
    """A CSV file with one caption for each image name."""
    lines = ["image,caption,split" if splits else "image,caption"]
    lines += [",".join([name, text, *([splits[name]] if splits else [])]) for name, text in captions.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def in_batches(n: int) -> Effort:
    """One photo after another, ``n`` in a transaction."""
    return Effort(workers=1, batch_size=1, transaction=n)


def photo_index(library: Path) -> VectorIndex:
    """The index over the photos' vectors of model 1."""
    with closing(CatalogReader.open(library)) as reader:
        return open_exact(reader, "images", 1, 4)
