"""Storing captions with their vectors, and linking them to photos."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from twobranch.common.paths import expanded
from twobranch.embedding.formats import IMAGE_SUFFIXES
from twobranch.embedding.model_folder import weights_of
from twobranch.indexer.captionfiles.corpus import canonical_split, composed_name, read_corpus
from twobranch.indexer.catalog.captions import (
    add_captions,
    all_corpora,
    captions_to_link,
    change_captions,
    corpus_at,
    count_captions_without_photo,
    delete_captions,
    image_names,
    linked_roots,
    stored_captions,
    unencoded_captions,
)
from twobranch.indexer.catalog.models import model_fingerprints
from twobranch.indexer.catalog.photos import all_photo_paths
from twobranch.indexer.catalog.roots import all_roots
from twobranch.indexer.catalog.tables import Corpus, Session, utcnow
from twobranch.indexer.catalog.vectors import add_caption_vectors, copy_caption_vectors
from twobranch.indexer.disk.availability import is_there
from twobranch.indexer.disk.walk import written_ns
from twobranch.indexer.update.run import Run
from twobranch.indexer.vectors.codec import as_blobs

_TEXTS_A_COMMIT = 512  # the encoder makes its own batches; an interrupt loses at most so many


@dataclass(frozen=True)
class NewCaption:
    """A caption in a caption file."""

    position: int  # in the whole file
    text: str
    image_name: str | None
    split: str | None


@dataclass(frozen=True)
class ChosenCaptions:
    """The requested captions of a file."""

    path: Path
    format: str
    split: str | None  # as requested
    captions: tuple[NewCaption, ...]
    splits: frozenset[str | None] | None  # the splits that were read; None: all
    image_names: tuple[str, ...]
    size: int  # bytes
    mtime_ns: int
    note: str | None = None  # which column was taken for the caption, where that was not plain


def choose_captions(path: Path, split: str | None) -> ChosenCaptions:
    """Read the captions in ``path``, or only those of ``split``.

    If the file has no splits, all captions get the name of that split. Raises ``CaptionFileError``.
    """
    path = expanded(path).resolve()
    size, mtime_ns = file_state(path)  # before it is read, so that later writes count as a change
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
        size,
        mtime_ns,
        corpus.note,
    )


def file_state(path: Path) -> tuple[int, int]:
    """Return size in bytes and time in ns of a caption file.

    Both are zero on errors: reading the file then raises the error.
    """
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, written_ns(status)


def store_captions(run: Run, chosen: ChosenCaptions) -> int:
    """Update the catalogue's captions of a file.

    Unchanged captions keep their ids and vectors. Returns the id of the corpus.
    """
    with run.catalog.session(write=True) as session:
        corpus_id = _store_corpus(session, chosen)
        # By content, not by position: a line inserted at the top must not replace all the others.
        stored: dict[tuple[str | None, str], list[tuple[int, int, str | None]]] = {}
        for row in stored_captions(session, corpus_id, chosen.splits):
            stored.setdefault((row.image_name, row.text), []).append((row.id, row.position, row.split))
        new, changed = [], []
        for caption in chosen.captions:
            same = stored.get((caption.image_name, caption.text))
            if not same:
                new.append({"corpus_id": corpus_id, **vars(caption)})
                continue
            id, *place = same.pop()
            if place != [caption.position, caption.split]:
                changed.append({"id": id, "position": caption.position, "split": caption.split})
        add_captions(session, new)
        change_captions(session, changed)
        delete_captions(session, [id for rows in stored.values() for id, *_ in rows])
    return corpus_id


def _store_corpus(session: Session, chosen: ChosenCaptions) -> int:
    corpus = corpus_at(session, str(chosen.path))
    if corpus is None:
        corpus = _moved_corpus(session, chosen) or Corpus(added_at=utcnow())
        corpus.path = str(chosen.path)
        session.add(corpus)
    corpus.split, corpus.format = chosen.split, chosen.format
    corpus.size, corpus.mtime_ns, corpus.failure = chosen.size, chosen.mtime_ns, None
    session.flush()
    return corpus.id


def _moved_corpus(session: Session, chosen: ChosenCaptions) -> Corpus | None:
    """Return the corpus whose file was moved here, if any.

    Its own file is gone, and at least half of its captions are in this one.
    """
    here = {(caption.image_name, caption.text) for caption in chosen.captions}
    for corpus in all_corpora(session):
        if corpus.format != chosen.format or is_there(Path(corpus.path)):
            continue
        stored = stored_captions(session, corpus.id, chosen.splits)
        if stored and 2 * sum((row.image_name, row.text) in here for row in stored) >= len(stored):
            return corpus
    return None


def encode_captions(run: Run) -> None:
    """Encode all captions without a vector of the run's model.

    Equal texts are encoded once; captions that repeat another one are not encoded.
    """
    _copy_vectors(run)
    ids: dict[str, list[int]] = {}
    with run.catalog.session() as session:
        for id, text in unencoded_captions(session, run.model_id):
            ids.setdefault(text, []).append(id)
    if not ids:
        return
    texts = list(ids)
    with run.showing("captions", len(texts)):
        for start in range(0, len(texts), _TEXTS_A_COMMIT):
            batch = texts[start : start + _TEXTS_A_COMMIT]
            vectors = as_blobs(run.encoder.encode_texts(batch))
            rows = [(id, vector) for text, vector in zip(batch, vectors, strict=True) for id in ids[text]]
            with run.catalog.session(write=True) as session:
                add_caption_vectors(session, run.model_id, rows)
            run.progress.advance(len(batch))


def _copy_vectors(run: Run) -> None:
    """Copy the vectors of another variant with the same weights."""
    weights = weights_of(run.encoder.fingerprint)
    with run.catalog.session(write=True) as session:
        for id, fingerprint in model_fingerprints(session).items():
            if id != run.model_id and weights_of(fingerprint) == weights:
                copy_caption_vectors(session, id, run.model_id)


# --- captions and photos ----------------------------------------------------------------------------


class PhotoNames:
    """The photo names of a caption file, to match with paths.

    A path matches the longest name that it ends with, compared by path components. A name in a folder of
    another name (``val2014/1.jpg`` stored in ``photos/``) matches by its last component alone, if no other
    name has the same last component. A name without the suffix of a photo is an id, as ``1000092795`` in
    Multi30K or ``42`` in COCO: it matches the photos of which ``_ids_of`` yields it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {composed_name(name): name for name in names}
        self._depth = max((name.count("/") + 1 for name in self._names), default=0)
        endings = Counter(map(_last, self._names))
        self._have_ids = any(PurePosixPath(name).suffix.lower() not in IMAGE_SUFFIXES for name in self._names)
        self._lone = {_last(normal): normal for normal in self._names if endings[_last(normal)] == 1}

    def name_of(self, path: str) -> tuple[str, int] | None:
        """Return the name that a path matches, or None.

        The number is that of the path components they share.
        """
        parts = composed_name(path).split("/")
        for depth in range(min(self._depth, len(parts)), 0, -1):
            name = self._names.get("/".join(parts[-depth:]))
            if name is not None:
                return name, depth
        lone = self._lone.get(parts[-1])
        if lone is None:
            by_id = (self._names.get(id) for id in _ids_of(parts[-1])) if self._have_ids else ()
            found = next((name for name in by_id if name is not None), None)
            return None if found is None else (found, 1)
        shared = 0
        for ours, theirs in zip(reversed(parts), reversed(lone.split("/")), strict=False):
            if ours != theirs:
                break
            shared += 1
        return self._names[lone], shared


@dataclass(frozen=True)
class NamedPhotos:
    """A container of the paths below ``root`` that match a name.

    The paths are relative to the root.
    """

    root: Path
    names: PhotoNames

    def __contains__(self, path: object) -> bool:
        return self.names.name_of(f"{self.root.as_posix()}/{path}") is not None


def _ids_of(file_name: str) -> Iterator[str]:
    """Yield the ids that caption files may name a photo by.

    They are the file name without its suffix, the number before its first "_" (Flickr's: 5 digits or more),
    and the number that its last 12 digits are (COCO's).
    """
    stem = PurePosixPath(file_name).stem
    yield stem
    flickr = stem.partition("_")[0]
    if flickr.isdecimal() and len(flickr) >= 5:
        yield flickr
    coco = re.search(r"(?:^|\D)(\d{12})$", stem)
    if coco is not None:
        yield str(int(coco[1]))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def link_captions(run: Run, folders: Collection[Path], corpus_id: int | None = None) -> int:
    """Link captions to the photos that they name.

    In the corpus of this run all captions are considered, in the others only those without photo. Among
    photos that match a name equally well, one below ``folders`` comes first, then one in the folder of the
    caption file, then the one whose path within its root equals the name. A caption keeps its photo unless
    others match better. It then gets the best match, or none if several are equally good. Returns the number
    of captions in the library that name a photo but have none.
    """
    links: list[dict[str, int | None]] = []
    ambiguous: list[str] = []
    with run.catalog.session(write=True) as session:
        # By composed name: a file may write a name in both Unicode forms.
        wanted: dict[int, dict[str, list[tuple[int, int | None]]]] = {}
        for id, corpus, name, linked in captions_to_link(session, corpus_id):
            wanted.setdefault(corpus, {}).setdefault(composed_name(name), []).append((id, linked))
        photos = _photos(session) if wanted else []
        for corpus, captions in wanted.items():
            given = corpus == corpus_id
            for name, images in _candidates(session, corpus, photos, folders, given).items():
                image = images[0] if len(images) == 1 else None
                changed = [(id, linked) for id, linked in captions.get(name, ()) if linked not in images]
                links += [{"id": id, "image_id": image} for id, linked in changed if linked != image]
                if image is None:
                    ambiguous += [name] * len(changed)
        change_captions(session, links)
        total = count_captions_without_photo(session)
    if ambiguous:
        run.warn(
            f"{len(ambiguous)} captions stay without photo because several photos have the name they give "
            f"(such as {ambiguous[0]}); write more of the path into the caption file"
        )
    return total


@dataclass(frozen=True)
class _Photo:
    id: int
    root_id: int
    path: str  # relative to the root
    full: str  # absolute, with "/"


def _photos(session: Session) -> list[_Photo]:
    """Return all photos of the library."""
    roots = {root.id: Path(root.path).as_posix().rstrip("/") for root in all_roots(session)}
    rows = all_photo_paths(session)
    return [_Photo(id, root_id, path, f"{roots[root_id]}/{path}") for id, root_id, path in rows]


class _Rank(NamedTuple):
    shared: int  # path components that the photo's path and the name share
    here: bool  # it lies in a folder of this run
    near: bool  # it lies in the folder of the caption file
    exact: bool  # its path within its root is the name


def _candidates(
    session: Session, corpus_id: int, photos: Sequence[_Photo], folders: Collection[Path], given: bool
) -> dict[str, list[int]]:
    """Return the best photos for each image name of a corpus.

    They are lists of ids by composed name. Every camera writes an IMG_0001, so if any photo of the corpus is
    in its home folders, a photo elsewhere that shares only the last component of a name does not match. The
    home folders are the folder of the caption file and, if the file was ``given`` with this run, ``folders``.
    For other files they are the folder of the caption file or, if no photo is in it, the roots of the photos
    that are already linked to the corpus.
    """
    corpus = session.get_one(Corpus, corpus_id)
    names = PhotoNames(composed_name(name) for name in image_names(session, corpus_id))
    roots = linked_roots(session, corpus_id)
    file = Path(corpus.path)
    here, near = _prefixes(folders), _prefixes([file if corpus.format == "sidecar" else file.parent])
    answers: list[tuple[str, _Photo, _Rank]] = []
    for photo in photos:
        answer = names.name_of(photo.full)
        if answer is not None:
            name, shared = answer
            full = f"{photo.full}/"
            exact = composed_name(photo.path) == name
            answers.append((name, photo, _Rank(shared, full.startswith(here), full.startswith(near), exact)))
    some_near = any(rank.near for _, _, rank in answers)

    def is_home(photo: _Photo, rank: _Rank) -> bool:
        if given:
            return rank.here or rank.near
        return rank.near if some_near else photo.root_id in roots

    at_home = any(is_home(photo, rank) for _, photo, rank in answers)
    best: dict[str, tuple[_Rank, list[int]]] = {}
    for name, photo, rank in answers:
        if at_home and rank.shared == 1 and not is_home(photo, rank):
            continue
        known = best.get(name)
        if known is None or rank > known[0]:
            best[name] = (rank, [photo.id])
        elif rank == known[0]:
            known[1].append(photo.id)
    return {name: ids for name, (_, ids) in best.items()}


def _prefixes(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders as path prefixes that end with "/"."""
    return tuple(f"{folder.as_posix().rstrip('/')}/" for folder in folders)
