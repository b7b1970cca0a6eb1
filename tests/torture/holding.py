"""Whether a library holds, and finds, what a plain one says."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.torture.plainlibrary import Photo, Plain
from tests.torture.plainmodels import encoder_of, vector_of
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.settings import load_choices
from twobranch.indexer.catalog.tables import (
    Caption,
    Catalog,
    Image,
    ImageVector,
    Model,
    Root,
    active_model,
    image_file,
)
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.query import Query, parse_query


def stored_in(library: Path, plain: Plain) -> Plain:
    """What the catalogue holds, as a plain library. Each vector is that of its photo's content."""
    plain = plain.copy()
    digests = {sha256(data).digest(): color for data, color in plain.contents.items()}
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        models: dict[int, set[str]] = {}
        vectors = select(ImageVector.vector, Image.id, Image.content_hash, Model.fingerprint)
        for vector, id, digest, fingerprint in session.execute(vectors.join(Image).join(Model)):
            assert vector == vector_of(digests[digest or b""], fingerprint).tobytes()
            models.setdefault(id, set()).add(fingerprint)
        plain.roots = set(map(Path, session.scalars(select(Root.path))))
        plain.photos = {
            image.id: Photo(
                image_file(image),
                None if image.failure is not None else digests[image.content_hash or b""],
                frozenset(models.get(image.id, ())),
            )
            for image in session.scalars(select(Image).order_by(Image.id))
        }
        plain.last_id = max(plain.photos, default=0)
        plain.captions = {
            (caption.image_name or "", caption.text): caption.image_id
            for caption in session.scalars(select(Caption))
        }
        choices = load_choices(session)
        plain.named = set(map(Path, choices.named))
        plain.exclude = {Path(path): tuple(globs) for path, globs in choices.exclude.items()}
        plain.forgotten = set(map(Path, choices.forgotten))
        model = active_model(session)
        plain.active = model and model.fingerprint
        plain.names_of_models = {model.fingerprint: model.name for model in session.scalars(select(Model))}
    return plain


def check_hits(engine: SearchEngine, plain: Plain) -> int:
    """By words, by a photo, through filters, in the words beside the photos; how many searches that were."""
    photos = plain.searchable()
    model = plain.active
    hits = engine.search("red", top=100, ranking="visual")
    wanted = encoder_of(model or "fake-1").encode_texts(["red"])[0]
    assert {hit.path: pytest.approx(hit.score, abs=1e-5) for hit in hits} == {
        path: float(vector_of(content, model or "") @ wanted) for path, content in photos.items()
    }
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)  # type: ignore[type-var]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    if model is None:
        return 1
    in_sub = engine.search(Query((), Filters(paths=("sub",))), top=100)
    below = {path for path in photos if "sub" in path.relative_to(plain.top).parts}
    assert {hit.path for hit in in_sub} == below
    queries = sorted(path for path in photos if path.is_file() and plain.content(path) is not None)[:1]
    for path in queries:
        alike = engine.search(path, top=100)
        assert {hit.path for hit in alike} == photos.keys() - {path}
        content = plain.content(path)
        best = [hit for hit in alike if hit.score and hit.score > 0.999]
        assert {hit.path for hit in best} == {p for p, c in photos.items() if c == content and p != path}
    # "wall" stands in no name: only captions that are tied to a photo have it.
    with_wall = engine.search("blue wall", top=100, ranking="words")
    tied = set()
    for word in ("blue", "wall"):
        having = {path for (_, text), path in plain.ties().items() if path in photos and word in text}
        if len(having) <= max(0.9 * len(photos), 1):  # what nearly all photos have says nothing
            tied |= having
    assert {hit.path for hit in with_wall} == tied
    sentences = engine.search(parse_query(["red"]), top=100, gallery="captions")
    # Two names of one photo with the same text are one caption.
    once = {(name if photo is None else photo, text) for (name, text), photo in plain.captions.items()}
    assert Counter(hit.caption for hit in sentences) == Counter(text for _, text in once)
    return 4 + len(queries)
