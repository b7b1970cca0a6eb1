"""Caption files to catalogue rows with vectors, tied to the photos they describe."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from indexer.catalog import Caption, CaptionVector, Corpus, Image, Root, utcnow
from indexer.corpus import canonical_split, read_corpus
from indexer.run import Run, as_blobs

_TEXTS_A_COMMIT = 512  # the encoder makes its own batches; this much work can be lost to an interrupt
_IDS_A_STATEMENT = 500


@dataclass(frozen=True)
class NewCaption:
    """A caption as the file has it now."""

    position: int  # in the whole file
    text: str
    image_name: str | None
    split: str | None


@dataclass(frozen=True)
class ChosenCaptions:
    """The captions of a file that a run was asked for."""

    path: Path
    format: str
    split: str | None  # as it was asked for
    captions: tuple[NewCaption, ...]
    splits: frozenset[str | None] | None  # only captions in these were looked at; None: in all
    image_names: tuple[str, ...]


def choose_captions(path: Path, split: str | None) -> ChosenCaptions:
    """The captions in ``path``, those of ``split`` alone where the file has splits.

    Where it has none they all get that split's name. Raises ``CaptionFileError``.
    """
    path = path.expanduser().resolve()
    corpus = read_corpus(path)
    chosen, splits, label = corpus, None, None
    if split is not None and corpus.has_splits:
        chosen = corpus.in_split(split)
        splits = frozenset(caption.split for caption in chosen.captions)
    elif split is not None:
        label = canonical_split(split)
    return ChosenCaptions(
        path,
        corpus.format,
        split,
        tuple(
            NewCaption(position, caption.text, caption.image, label or caption.split)
            for position, caption in enumerate(corpus.captions)
            if splits is None or caption.split in splits
        ),
        splits,
        tuple(image.name for image in chosen.images),
    )


def store_captions(run: Run, chosen: ChosenCaptions) -> None:
    """Brings the catalogue's captions of that file up to date; those that stayed keep id and vector."""
    with run.catalog.session(write=True) as session:
        corpus_id = _store_corpus(session, chosen)
        query = select(Caption.id, Caption.position, Caption.text, Caption.image_name, Caption.split)
        query = query.where(Caption.corpus_id == corpus_id).order_by(Caption.position.desc())
        if chosen.splits is not None:
            query = query.where(Caption.split.in_(chosen.splits))
        # By content, not by position: a line put in at the top must not replace all that follow.
        stored: dict[tuple[str | None, str], list[tuple[int, int, str | None]]] = {}
        for id, position, text, image_name, split in session.execute(query):
            stored.setdefault((image_name, text), []).append((id, position, split))
        new, changed = [], []
        for caption in chosen.captions:
            same = stored.get((caption.image_name, caption.text))
            if not same:
                new.append({"corpus_id": corpus_id, **vars(caption)})
                continue
            id, *place = same.pop()
            if place != [caption.position, caption.split]:
                changed.append({"id": id, "position": caption.position, "split": caption.split})
        if new:
            session.execute(insert(Caption), new)
        if changed:
            session.execute(update(Caption), changed)
        _delete(session, [id for rows in stored.values() for id, *_ in rows])
    run.tally.captions_added += len(new)


def _store_corpus(session: Session, chosen: ChosenCaptions) -> int:
    corpus = session.scalar(select(Corpus).where(Corpus.path == str(chosen.path)))
    if corpus is None:
        corpus = Corpus(path=str(chosen.path), added_at=utcnow())
        session.add(corpus)
    status = chosen.path.stat()
    corpus.split, corpus.format = chosen.split, chosen.format
    corpus.size, corpus.mtime_ns = status.st_size, status.st_mtime_ns
    session.flush()
    return corpus.id


def _delete(session: Session, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        session.execute(delete(Caption).where(Caption.id.in_(ids[start : start + _IDS_A_STATEMENT])))


def encode_captions(run: Run) -> None:
    """Gives every caption of the library a vector under the run's model; equal texts are encoded once."""
    known = exists().where(CaptionVector.caption_id == Caption.id, CaptionVector.model_id == run.model_id)
    ids: dict[str, list[int]] = {}
    with run.catalog.session() as session:
        for id, text in session.execute(select(Caption.id, Caption.text).where(~known).order_by(Caption.id)):
            ids.setdefault(text, []).append(id)
    if not ids:
        return
    texts = list(ids)
    with run.showing("captions", len(texts)):
        for start in range(0, len(texts), _TEXTS_A_COMMIT):
            batch = texts[start : start + _TEXTS_A_COMMIT]
            vectors = as_blobs(run.encoder.encode_texts(batch))
            rows = [
                {"model_id": run.model_id, "caption_id": id, "vector": vector}
                for text, vector in zip(batch, vectors, strict=True)
                for id in ids[text]
            ]
            with run.catalog.session(write=True) as session:
                session.execute(insert(CaptionVector), rows)
            run.progress.advance(len(batch))


# --- captions and photos ----------------------------------------------------------------------------


class PhotoNames:
    """Photo names as a caption file writes them, to be recognised in the paths of files.

    A path answers to the longest name that it ends with, part by part. A name whose folders are called
    otherwise here (``val2014/1.jpg`` kept in ``photos/``) is recognised by its last part alone, if no other
    name ends like it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {_normal(name): name for name in names}
        self._depth = max((name.count("/") + 1 for name in self._names), default=0)
        endings = Counter(map(_last, self._names))
        self._lone = {_last(normal): normal for normal in self._names if endings[_last(normal)] == 1}

    def name_of(self, path: str) -> tuple[str, int] | None:
        """The name that a path answers to and how many parts they share; None when it has none."""
        parts = _normal(path).split("/")
        for depth in range(min(self._depth, len(parts)), 0, -1):
            name = self._names.get("/".join(parts[-depth:]))
            if name is not None:
                return name, depth
        lone = self._lone.get(parts[-1])
        if lone is None:
            return None
        shared = 0
        for ours, theirs in zip(reversed(parts), reversed(lone.split("/")), strict=False):
            if ours != theirs:
                break
            shared += 1
        return self._names[lone], shared


@dataclass(frozen=True)
class NamedPhotos:
    """The relative paths below ``root`` that answer to one of ``names``, as a container."""

    root: Path
    names: PhotoNames

    def __contains__(self, path: object) -> bool:
        return self.names.name_of(f"{self.root.as_posix()}/{path}") is not None


def _normal(name: str) -> str:
    """The name in composed Unicode: macOS decomposes what caption files compose."""
    return unicodedata.normalize("NFC", name.removeprefix("./"))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def tie_captions(run: Run, folders: Collection[Path]) -> int:
    """Ties the captions without photo to the photos that their names mean; returns how many stay without.

    Of photos that answer to a name equally well, one below ``folders`` goes first, then the one whose
    path within its root is the name. Captions are left alone when there is still more than one.
    """
    untied = select(Caption.id, Caption.corpus_id, Caption.image_name)
    untied = untied.where(Caption.image_id.is_(None), Caption.image_name.is_not(None))
    ties: list[dict[str, int]] = []
    ambiguous: list[str] = []
    with run.catalog.session(write=True) as session:
        waiting: dict[int, dict[str | None, list[int]]] = {}
        for id, corpus_id, name in session.execute(untied):
            waiting.setdefault(corpus_id, {}).setdefault(name, []).append(id)
        for corpus_id, captions in waiting.items():
            for name, images in _candidates(session, corpus_id, folders).items():
                if name not in captions:
                    continue
                if len(images) == 1:
                    ties += [{"id": id, "image_id": images[0]} for id in captions[name]]
                else:
                    ambiguous += [name] * len(captions[name])
        if ties:
            session.execute(update(Caption), ties)
        total = session.scalar(select(func.count()).select_from(untied.subquery())) or 0
    if ambiguous:
        run.warn(
            f"{len(ambiguous)} captions stay without photo because several photos have the name they give "
            f"(such as {ambiguous[0]}); write more of the path into the caption file"
        )
    return total


def _candidates(session: Session, corpus_id: int, folders: Collection[Path]) -> dict[str, list[int]]:
    """The ids of the photos that answer best to each image name of a corpus."""
    distinct = select(Caption.image_name).where(Caption.corpus_id == corpus_id).distinct()
    names = PhotoNames(name for name in session.scalars(distinct) if name is not None)
    best: dict[str, tuple[tuple[int, bool, bool], list[int]]] = {}
    photos = select(Image.id, Root.path.label("root"), Image.path).join(Root).order_by(Image.id)
    for id, root, path in session.execute(photos):
        full = f"{root}/{path}"
        answer = names.name_of(full)
        if answer is None:
            continue
        name, shared = answer
        here = any(Path(full).is_relative_to(folder) for folder in folders)
        rank = (shared, here, _normal(path) == _normal(name))
        known = best.get(name)
        if known is None or rank > known[0]:
            best[name] = (rank, [id])
        elif rank == known[0]:
            known[1].append(id)
    return {name: ids for name, (_, ids) in best.items()}
