"""Bringing a library up to date with folders of photos and a caption file, one step after another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Container, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, exists, func, select

from embedding.errors import LibraryError, UserError
from embedding.extras import install_command
from embedding.formats import missing_extra
from embedding.progress import SILENT, Progress
from indexer.captions import (
    NamedPhotos,
    PhotoNames,
    choose_captions,
    encode_captions,
    store_captions,
    tie_captions,
)
from indexer.catalog import (
    Catalog,
    Image,
    ImageVector,
    Model,
    Root,
    Setting,
    active_model,
    sqlite_connection,
    utcnow,
)
from indexer.choices import Choices, Limit, load_choices, store_choices
from indexer.database import ACTIVE_MODEL, CATALOG
from indexer.drives import drives_after, load_drives, store_drives
from indexer.freshness import remember_run
from indexer.galleries import remove_index_files, update_index
from indexer.known import Target, changed_captions, known_roots, known_targets
from indexer.lock import indexing_lock
from indexer.looking import Look, distinct
from indexer.photos import index_photos, remove_photos
from indexer.reader import GALLERIES, CatalogReader
from indexer.reading import Job
from indexer.replacing import remove_left_overs
from indexer.run import AnyEncoder, Effort, Failure, Run, Tally
from indexer.scan import (
    FoundFile,
    Scan,
)
from indexer.targets import (
    Scope,
    deleted_paths,
    folder_of,
    is_empty,
    not_found,
    remove_roots,
    scope_of,
    split_targets,
)
from indexer.words import drop_damaged_words

# What an extra opens, for people.
_KINDS = {"heic": "HEIC and AVIF", "raw": "raw photos"}


@dataclass(frozen=True)
class IndexReport:
    """What a run of ``index`` did. Its warnings were shown by ``Progress.warn`` already."""

    added: int
    updated: int
    moved: int
    removed: int
    unchanged: int
    failed: tuple[Failure, ...]
    encoded: int  # photos that went through the model
    images_per_s: float | None  # None when no photo was encoded
    captions_added: int
    captions_without_image: int  # in the whole library, of those that name one
    seconds: float
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The shape of ``index --json``."""
        speed = self.images_per_s
        return {
            "added": self.added,
            "updated": self.updated,
            "moved": self.moved,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "failed": [{"path": failure.path, "reason": failure.reason} for failure in self.failed],
            "images_per_s": None if speed is None else round(speed, 1),
            "encoded": self.encoded,
            "captions_added": self.captions_added,
            "captions_without_image": self.captions_without_image,
            "seconds": round(self.seconds, 2),
        }


def update_library(
    library: Path,
    paths: Sequence[Path],
    encoder: AnyEncoder,
    *,
    captions: Path | None = None,
    split: str | None = None,
    exclude: Sequence[str] | None = None,
    include_hidden: bool | None = None,
    within: Collection[Path] | None = None,
    chosen_for: str | None = None,
    effort: Effort | None = None,
    progress: Progress = SILENT,
) -> IndexReport:
    """Brings the library up to date with these folders and photos, and with a caption file.

    Without paths, with all that it knows, or what it knows of the roots ``within``. Only what changed is
    encoded; what is done is committed batch by batch, so an interrupted run is continued by the next. With
    ``split`` only the photos of that split count. ``exclude`` and ``include_hidden`` are remembered for each
    path; None leaves them as they were. ``chosen_for`` is the fingerprint of the library's model by which the
    encoder was chosen ("": it had none yet), None where the encoder was asked for whatever the library has.

    A path that was deleted takes its photos with it. Raises ``UserError`` for one that the library never knew
    or that may only be out of reach (nothing is touched then), ``CaptionFileError``, and ``LibraryError``,
    also where another process holds the library or has given it another model since the encoder was chosen.
    """
    started = time.monotonic()
    targets, missing = split_targets(paths)
    if missing and not (library / CATALOG).is_file():
        raise not_found(missing[0])
    if split is not None and captions is None:
        raise UserError(f"split {split!r} without a caption file: add --captions FILE")
    chosen = None if captions is None else choose_captions(captions, split)
    tally = Tally()
    with (
        closing(Catalog.open(library, create=True)) as catalog,
        indexing_lock(library, note=progress.note),
    ):
        _check_model(catalog, encoder, chosen_for)
        remove_left_overs(library)
        with catalog.session(write=True) as session:
            drop_damaged_words(sqlite_connection(session))  # made anew as the session ends
        deleted = deleted_paths(catalog, missing)
        model_id = _register_model(catalog, encoder)
        run = Run(catalog, encoder, model_id, effort or Effort(), progress, tally)
        gone = {id for one in deleted for id in one.image_ids}
        limit = None if chosen is None or split is None else Limit(str(chosen.path), split)
        with catalog.session() as session:
            choices = load_choices(session)
        if paths:
            names = None if chosen is None or split is None else PhotoNames(chosen.image_names)
            looked_at = [Target(path, limit, names) for path in targets]
        else:
            looked_at = known_targets(catalog, choices, run.warn, within)
        if paths or exclude is not None or include_hidden is not None:
            told = {target.path: target.limit for target in looked_at}
            choices = choices.told(told, known_roots(catalog), exclude, include_hidden)
            for one in deleted:
                if one.root_ids:
                    choices = choices.forgetting(one.path, roots=())
            with catalog.session(write=True) as session:
                store_choices(session, choices)
        _index_photos(run, looked_at, choices, include_hidden is False, gone)
        remove_photos(run, gone)
        remove_roots(run, deleted, gone)
        if chosen is None and not paths and within is None:
            for captions_again in changed_captions(run):
                store_captions(run, captions_again)
        corpus_id = None if chosen is None else store_captions(run, chosen)
        without_image = tie_captions(run, targets, corpus_id)
        encode_captions(run)
        _activate_model(run)
        with closing(CatalogReader.open(library)) as reader:
            for kind in GALLERIES:
                update_index(reader, kind, model_id, encoder.dim, encoder.encode_texts, progress)
        remember_run(catalog, tally)
    return IndexReport(
        added=tally.added,
        updated=tally.updated,
        moved=tally.moved,
        removed=tally.removed,
        unchanged=tally.unchanged,
        failed=tuple(tally.failed),
        encoded=tally.encoded,
        images_per_s=tally.encoded / tally.encoding_seconds if tally.encoded else None,
        captions_added=tally.captions_added,
        captions_without_image=without_image,
        seconds=time.monotonic() - started,
        warnings=tuple(tally.warnings),
    )


# --- photos -----------------------------------------------------------------------------------------


def _index_photos(
    run: Run,
    targets: Sequence[Target],
    choices: Choices,
    drop_hidden: bool,
    gone: set[int],
) -> None:
    """Stores what is new or changed below the targets; the ids of photos that are gone go into ``gone``.

    ``drop_hidden``: so are hidden ones, even where they were once indexed by their own names.
    """
    with run.catalog.session(write=True) as session:
        # The highest first: a root that is made must not adopt one that a scope refers to already.
        ordered = sorted(targets, key=lambda target: len(folder_of(target.path).parts))
        scopes = [scope_of(session, target.path) for target in ordered]
        drives = load_drives(session)
    lacking = _without_vector(run)
    _say_what_changes(run, len(lacking))
    found_jobs: dict[tuple[int, str], Job] = {}  # by root and path: looks at splits may overlap
    empty: list[Scope] = []
    looks = []
    drives_now = dict(drives)
    left_out: Counter[str] = Counter()
    for scope, target in zip(scopes, ordered, strict=True):
        rules = choices.rules(scope.root)
        if rules.exclude_on_the_way(scope.below, below=""):
            run.warn(
                f"{target.path}: left out by what was said of the folders above it; "
                f"`index {scope.root} --exclude GLOB` says it anew"
            )
            continue
        only = None if target.names is None else NamedPhotos(scope.root, target.names)
        looks.append(Look(scope, rules, only, drop_hidden, drives.get(scope.root_id, frozenset())))
    for look in distinct(looks):
        scope = look.scope
        with run.showing(f"looking for photos in {scope.root / scope.below}", None):
            found = look.scan()
        left_out.update(found.left_out)
        for folder in found.unreadable:
            fact = "cannot be reached (is its drive mounted?)" if folder in found.away else "cannot be listed"
            run.warn(f"{scope.root / folder}: {fact}; what the library has of it is kept as it is")
        drives_now[scope.root_id] = drives_after(drives_now.get(scope.root_id, frozenset()), scope, found)
        if not (scope.below or found.files or found.unreadable) and is_empty(scope.root):
            empty.append(scope)
        else:
            for job in _compare(run, look, found, lacking, gone):
                found_jobs[job.root_id, job.file.path] = job
    if {id: folders for id, folders in drives_now.items() if folders} != drives:
        with run.catalog.session(write=True) as session:
            store_drives(session, drives_now)
    for extra, count in left_out.items():
        files = "1 file is" if count == 1 else f"{count:,} files are"
        run.progress.note(f"{files} left out; to index {_KINDS[extra]}: {install_command(extra)}")
    jobs = list(found_jobs.values())
    covered = {job.image_id for job in jobs} | gone
    jobs += [job for id, job in lacking.items() if id not in covered]
    index_photos(run, jobs, gone)
    for scope in empty:
        _warn_of_empty(run, scope)
    if run.tally.unreachable:
        run.warn(
            f"{run.tally.unreachable} photos could not be reached and are left as they were; "
            "run `index` again when their folders are back"
        )


def _warn_of_empty(run: Run, scope: Scope) -> None:
    with run.catalog.session() as session:
        count = session.scalar(select(func.count()).where(Image.root_id == scope.root_id))
    if count:  # the mount point of a drive that is away looks just like this
        run.warn(
            f"{scope.root} is empty; its {count} photos are kept; "
            "delete the folder itself and index it by name to remove them"
        )


def _compare(
    run: Run,
    look: Look,
    found: Scan,
    lacking: Container[int],
    gone: set[int],
) -> list[Job]:
    """The files that have to be read; the ids of photos that are no longer found are put into ``gone``."""
    scope, only = look.scope, look.only
    new = dict(found.files)
    kept = [Scope(scope.root_id, scope.root, folder) for folder in found.unreadable]
    jobs = []
    rows = select(Image.id, Image.path, Image.size, Image.mtime_ns, Image.failure, Image.content_hash)
    rows = rows.where(Image.root_id == scope.root_id)
    if found.files.keys() == {scope.below}:  # one photo: thousands may be named like this
        rows = rows.where(Image.path == scope.below)
    with run.catalog.session() as session:
        for row in session.execute(rows):
            if not scope.covers(row.path) or (only is not None and row.path not in only):
                continue
            file = new.pop(row.path, None)
            if file is None:
                if not look.keeps(row.path) and not any(folder.covers(row.path) for folder in kept):
                    gone.add(row.id)
            elif row.failure is not None:
                jobs.append(Job(scope.root_id, scope.root, file, row.id))
            elif (file.size, file.mtime_ns) != (row.size, row.mtime_ns):
                known_hash = None if row.id in lacking else row.content_hash
                jobs.append(Job(scope.root_id, scope.root, file, row.id, known_hash))
            else:
                run.tally.unchanged += 1
    return jobs + [Job(scope.root_id, scope.root, file) for file in new.values()]


def _without_vector(run: Run) -> dict[int, Job]:
    """The photos of the whole library that the model has not encoded, by id: those it was not active for."""
    known = exists().where(ImageVector.image_id == Image.id, ImageVector.model_id == run.model_id)
    query = select(Image.id, Image.root_id, Root.path.label("root"), Image.path, Image.size, Image.mtime_ns)
    with run.catalog.session() as session:
        rows = session.execute(query.join(Root).where(Image.failure.is_(None), ~known).order_by(Image.id))
        return {
            row.id: Job(
                row.root_id,
                Path(row.root),
                FoundFile(row.path, row.size, row.mtime_ns),
                row.id,
                scanned=False,
            )
            for row in rows
            if missing_extra(row.path) is None
        }


# --- models -----------------------------------------------------------------------------------------


def _check_model(catalog: Catalog, encoder: AnyEncoder, chosen_for: str | None) -> None:
    """Raises ``LibraryError`` when another process has changed the library's model since the encoder was
    chosen by it: going on would change it back, and encode all photos again."""
    with catalog.session() as session:
        now = active_model(session)
    if chosen_for is None or now is None or now.fingerprint in (chosen_for, encoder.fingerprint):
        return
    raise LibraryError(
        f"{catalog.folder}: another `index` has changed it to {now.label} meanwhile; "
        "run the same command again to go on with that"
    )


def _register_model(catalog: Catalog, encoder: AnyEncoder) -> int:
    """The catalogue's id of the encoder's model. The first model of a library is active at once.

    Raises ``ModelError`` for a new one that cannot encode, before the library depends on it.
    """
    of_encoder = select(Model).where(Model.fingerprint == encoder.fingerprint)
    with catalog.session() as session:
        is_new = session.scalar(of_encoder) is None
    if is_new:
        encoder.check()
    with catalog.session(write=True) as session:
        model = session.scalar(of_encoder)
        if model is None:
            model = Model(fingerprint=encoder.fingerprint, dim=encoder.dim, added_at=utcnow())
            session.add(model)
        model.name, model.folder = encoder.name, str(encoder.folder.absolute())
        session.flush()
        if active_model(session) is None:
            session.merge(Setting(key=ACTIVE_MODEL, value=str(model.id)))
        return model.id


def _say_what_changes(run: Run, lacking: int) -> None:
    """Tells that photos are about to be encoded again, because of another model or another variant of it."""
    with run.catalog.session() as session:
        old, new = active_model(session), session.get_one(Model, run.model_id)
    if lacking and old is not None and old.id != new.id:
        photos = "1 photo is" if lacking == 1 else f"{lacking:,} photos are"
        run.progress.note(f"the library changes from {old.label} to {new.label}: {photos} encoded again")


def _activate_model(run: Run) -> None:
    """Makes the run's model the one that searches use, now that it knows everything within reach.

    Models of the same name are older trainings of it, or have other views; they go, with their vectors.
    """
    with run.catalog.session(write=True) as session:
        session.merge(Setting(key=ACTIVE_MODEL, value=str(run.model_id)))
        older = select(Model.id).where(Model.name == run.encoder.name, Model.id != run.model_id)
        superseded = session.scalars(older).all()
        session.execute(delete(Model).where(Model.id.in_(superseded)))
    for model_id in superseded:
        remove_index_files(run.catalog.folder, model_id)
