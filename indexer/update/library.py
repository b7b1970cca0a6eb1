"""A run of `index`, from top to bottom."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twobranch.common.errors import LibraryError, UserError
from twobranch.common.extras import install_command
from twobranch.common.leftovers import remove_left_overs
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.formats import missing_extra
from twobranch.embedding.preprocess import REGIONS, framed
from twobranch.indexer.catalog.captions import count_captions_after, newest_caption
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.fulltext import drop_damaged_words
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.models import activate_model, delete_namesakes, model_with, store_model
from twobranch.indexer.catalog.photos import (
    UnencodedPhoto,
    count_photos,
    photos_without_regions,
    unencoded_photos,
)
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.settings import Choices, Limit, load_choices, store_choices
from twobranch.indexer.catalog.tables import Catalog, Model, active_model, sqlite_connection
from twobranch.indexer.disk.read import Job
from twobranch.indexer.disk.walk import FoundFile, Scan
from twobranch.indexer.update.captions import (
    ChosenCaptions,
    PhotoNames,
    choose_captions,
    encode_captions,
    link_captions,
    store_captions,
)
from twobranch.indexer.update.changes import remember_run
from twobranch.indexer.update.compare import Plan
from twobranch.indexer.update.drives import drives_after, load_drives, store_drives
from twobranch.indexer.update.models import forget_command, index_command
from twobranch.indexer.update.photos import index_photos, remove_photos
from twobranch.indexer.update.regions import choose_regions, say_cost
from twobranch.indexer.update.remembered import Target, changed_captions, known_roots, known_targets
from twobranch.indexer.update.run import AnyEncoder, Effort, Failure, Run, RunStats
from twobranch.indexer.update.scan_scope import ScannedScope, ScanScope, by_root
from twobranch.indexer.update.survey import plan_root, scan_scopes
from twobranch.indexer.update.targets import (
    Deleted,
    Scope,
    deleted_paths,
    folder_of,
    not_found,
    remove_roots,
    scope_of,
    split_targets,
)
from twobranch.indexer.vectors.index import (
    kinds_with_index,
    remove_index_files,
    remove_unused_files,
    update_index,
)

# The file types of an extra, for messages.
_KINDS = {"heic": "HEIC and AVIF", "raw": "raw photos"}


@dataclass(frozen=True)
class IndexReport:
    """The outcome of a run of ``index``.

    Its warnings have already been shown.
    """

    added: int
    updated: int
    moved: int
    removed: int
    unchanged: int
    failed: tuple[Failure, ...]
    encoded: int  # photos that went through the model
    images_per_s: float | None  # None when no photo was encoded
    captions_added: int
    captions_repeated: int  # new lines of caption files that repeat captions of the library
    captions_without_image: int  # in the whole library, of captions that name a photo
    seconds: float
    warnings: tuple[str, ...]
    skipped_links: tuple[str, ...] = ()  # links to folders outside of the library's
    named_photos_only: bool = False  # no folder was given

    @property
    def read_none_of_named(self) -> bool:
        """True if all that was given are photos, and every one failed."""
        good = self.added + self.updated + self.moved + self.removed + self.unchanged
        return self.named_photos_only and bool(self.failed) and not good

    @classmethod
    def of(
        cls, stats: RunStats, captions_without_image: int, seconds: float, *, named_photos_only: bool
    ) -> IndexReport:
        """Return the report of a run from its counts.

        ``captions_without_image`` counts the whole library.
        """
        return cls(
            added=stats.added,
            updated=stats.updated,
            moved=stats.moved,
            removed=stats.removed,
            unchanged=stats.unchanged,
            failed=tuple(stats.failed),
            encoded=stats.encoded,
            images_per_s=stats.encoded / stats.encoding_seconds if stats.encoded else None,
            captions_added=stats.captions_added,
            captions_repeated=stats.captions_repeated,
            captions_without_image=captions_without_image,
            seconds=seconds,
            warnings=tuple(stats.warnings),
            skipped_links=tuple(stats.skipped_links),
            named_photos_only=named_photos_only,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the output of ``index --json``."""
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
            "captions_repeated": self.captions_repeated,
            "captions_without_image": self.captions_without_image,
            "seconds": round(self.seconds, 2),
            "skipped_links": list(self.skipped_links),
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
    regions: bool | None = None,
    within: Collection[Path] | None = None,
    chosen_for: str | None = None,
    effort: Effort | None = None,
    progress: Progress = SILENT,
) -> IndexReport:
    """Update the library with folders, photos and a caption file.

    Without paths it updates all known folders, or the roots ``within``. Only changes are encoded. Every batch
    is committed, so the next run continues an interrupted one. With ``split`` only the photos of that split
    count. ``exclude`` and ``include_hidden`` are stored for each path, ``regions`` (encode windows of photos
    as well) for the library; None leaves them unchanged.
    ``chosen_for`` is the fingerprint of the library's model when the encoder was chosen to match it ("" if it
    had none). It is None if the encoder was requested whatever the library's model.

    The photos of a deleted path are removed. Raises ``UserError`` for a missing path that the library does
    not know or that may only be out of reach (nothing is changed then), ``CaptionFileError``, and
    ``LibraryError``. The latter also if another process holds the library, or changed its model since the
    encoder was chosen.
    """
    started = time.monotonic()
    targets, missing = split_targets(paths)
    if missing and not (library / CATALOG).is_file():
        raise not_found(missing[0])
    if split is not None and captions is None:
        raise UserError(f"split {split!r} without a caption file: add --captions FILE")
    chosen = None if captions is None else choose_captions(captions, split)
    if chosen is not None and chosen.note is not None:
        progress.note(f"{chosen.path}: {chosen.note}")
    order = _Order(not paths, tuple(targets), chosen, split, exclude, include_hidden, regions, within)
    stats = RunStats()
    with (
        closing(Catalog.open(library, create=True)) as catalog,
        indexing_lock(library, note=progress.note),
    ):
        _check_model(catalog, encoder, chosen_for)
        remove_left_overs(library)
        with catalog.session(write=True) as session:
            drop_damaged_words(sqlite_connection(session))  # made again when the session ends
        deleted = deleted_paths(catalog, missing)
        model_id = _register_model(catalog, encoder)
        windows = framed(REGIONS, encoder.views[0].framing) if choose_regions(catalog, regions) else ()
        run = Run(catalog, encoder, model_id, effort or Effort(), progress, stats, windows)
        _update_photos(run, order, deleted)
        without_image = _update_captions(run, order)
        _activate_model(run)
        with closing(CatalogReader.open(library)) as reader:
            for kind in kinds_with_index(reader, model_id):
                update_index(reader, kind, model_id, encoder.dim, encoder.encode_texts, progress)
            remove_unused_files(reader, model_id)
        remember_run(catalog, stats)
    photos_only = bool(targets) and all(folder_of(target) != target for target in targets)
    seconds = time.monotonic() - started
    return IndexReport.of(stats, without_image, seconds, named_photos_only=photos_only)


@dataclass(frozen=True)
class _Order:
    """The arguments of a run, which ``update_library`` explains."""

    is_plain: bool  # without paths: update all known folders
    targets: tuple[Path, ...]  # the paths that exist
    chosen: ChosenCaptions | None
    split: str | None
    exclude: Sequence[str] | None
    include_hidden: bool | None
    regions: bool | None
    within: Collection[Path] | None


def _update_photos(run: Run, order: _Order, deleted: Sequence[Deleted]) -> None:
    """Store new and changed photos, and remove those that are gone.

    The options for folders are stored as well.
    """
    gone = {id for one in deleted for id in one.image_ids}
    with run.catalog.session() as session:
        choices = load_choices(session)
    targets = _targets(run, order, choices)
    if not order.is_plain or order.exclude is not None or order.include_hidden is not None:
        told = {target.path: target.limit for target in targets}
        choices = choices.told(told, known_roots(run.catalog), order.exclude, order.include_hidden)
        for one in deleted:
            if one.root_ids:
                choices = choices.forgetting(one.path, roots=())
        with run.catalog.session(write=True) as session:
            store_choices(session, choices)
    _index_targets(run, targets, choices, order, gone)
    remove_photos(run, gone)
    remove_roots(run, deleted, gone)


def _targets(run: Run, order: _Order, choices: Choices) -> list[Target]:
    """Return the folders and photos to scan."""
    if order.is_plain:
        return known_targets(run.catalog, choices, run.warn, order.within)
    chosen, split = order.chosen, order.split
    if chosen is None or split is None:
        return [Target(path, None, None) for path in order.targets]
    limit, names = Limit(str(chosen.path), split), PhotoNames(chosen.image_names)
    return [Target(path, limit, names) for path in order.targets]


def _update_captions(run: Run, order: _Order) -> int:
    """Store new and changed captions, encode them and link them.

    Returns the number of captions without photo.
    """
    chosen = order.chosen
    with run.catalog.session() as session:
        newest = newest_caption(session)
    if chosen is None and order.is_plain and order.within is None:
        for captions_again in changed_captions(run):
            store_captions(run, captions_again)
    corpus_id = None if chosen is None else store_captions(run, chosen)
    without_image = link_captions(run, order.targets, corpus_id)
    with run.catalog.session() as session:  # now that links show which captions are equal
        run.stats.captions_added, run.stats.captions_repeated = count_captions_after(session, newest)
    encode_captions(run)
    return without_image


# --- photos -----------------------------------------------------------------------------------------


def _index_targets(
    run: Run,
    targets: Sequence[Target],
    choices: Choices,
    order: _Order,
    gone: set[int],
) -> None:
    """Store new and changed photos below the targets.

    The ids of photos that are gone are added to ``gone``. A run for a split keeps the photos outside of it; a
    plain run removes those that were deleted.
    """
    places = _places(run, targets, choices)
    with run.catalog.session() as session:
        drives = load_drives(session)
    # If hidden photos are no longer wanted, those that were indexed by name are removed too.
    drop_hidden = order.include_hidden is False
    every = scan_scopes(places, choices, drives, not order.is_plain, drop_hidden)
    unencoded = _without_vector(run)
    _say_what_changes(run, len(unencoded))
    lacking = {**unencoded, **_without_regions(run)}
    jobs: list[Job] = []
    drives_now = dict(drives)
    left_out: Counter[str] = Counter()
    links: list[Path] = []
    empty: list[Scope] = []
    for group in by_root(every):
        scope, scanned = group[0].scope, [ScannedScope(place, _scan(run, place)) for place in group]
        plan = plan_root(run.catalog, scanned)
        jobs += _jobs(scope, plan, lacking)
        gone.update(plan.gone)
        run.stats.unchanged += plan.unchanged
        for one in scanned:
            left_out.update(one.scan.left_out)
            links += [scope.root / link for link in one.scan.links]
            known = drives_now.get(scope.root_id, frozenset())
            drives_now[scope.root_id] = drives_after(known, one.place.scope, one.scan)
        if any(one.scan.empty_root for one in scanned):
            empty.append(scope)
    _keep_drives(run, drives, drives_now)
    _report_links(run, links)
    for extra, count in left_out.items():
        files = "1 file is" if count == 1 else f"{count:,} files are"
        run.progress.note(f"{files} left out; to index {_KINDS[extra]}: {install_command(extra)}")
    covered = {job.image_id for job in jobs} | gone
    jobs += [job for id, job in lacking.items() if id not in covered]
    if order.regions:
        say_cost(run, len(jobs))
    index_photos(run, jobs, gone)
    _warn_of_what_stays(run, empty)


def _places(run: Run, targets: Sequence[Target], choices: Choices) -> list[tuple[Scope, Target]]:
    """Return the scopes of the targets, with a warning for excluded ones.

    Missing roots are created.
    """
    # Parent folders first: a new root must not take over one that a scope already refers to.
    ordered = sorted(targets, key=lambda target: len(folder_of(target.path).parts))
    with run.catalog.session(write=True) as session:
        places = [(scope_of(session, target.path), target) for target in ordered]
    kept = []
    for scope, target in places:
        if choices.rules(scope.root).exclude_on_the_way(scope.below, below=""):
            run.warn(
                f"{target.path}: excluded by the settings of a folder above it; "
                f"change them with `index {scope.root} --exclude GLOB`"
            )
        else:
            kept.append((scope, target))
    return kept


def _scan(run: Run, place: ScanScope) -> Scan:
    """Scan a place, with a warning for each folder out of reach."""
    scope = place.scope
    with run.showing(f"looking for photos in {scope.root / scope.below}", None):
        found = place.scan()
    for folder in found.unreadable:
        if found.empty_root and not folder:
            continue  # the warning follows when the number of its photos is known
        fact = "cannot be reached (is its drive mounted?)" if folder in found.away else "cannot be listed"
        run.warn(f"{scope.root / folder}: {fact}; its photos are kept as they are")
    return found


def _jobs(scope: Scope, plan: Plan, lacking: Mapping[int, Job]) -> Iterator[Job]:
    """Yield the files to read.

    The content of a photo is known if it did not fail and has its vector. ``lacking`` are the photos that
    lack vectors.
    """
    for one in plan.read:
        photo = one.photo
        if photo is None:
            yield Job(scope.root_id, scope.root, one.file)
            continue
        lacks_regions = photo.id in lacking and lacking[photo.id].lacks_regions
        is_known = photo.failure is None and (lacks_regions or photo.id not in lacking)
        known_hash = photo.content_hash if is_known else None
        yield Job(
            scope.root_id,
            scope.root,
            one.file,
            photo.id,
            known_hash,
            lacks_regions=is_known and lacks_regions,
        )


def _keep_drives(run: Run, before: Mapping[int, frozenset[str]], now: Mapping[int, frozenset[str]]) -> None:
    """Store the mount points of other drives, if they changed."""
    if {id: folders for id, folders in now.items() if folders} != before:
        with run.catalog.session(write=True) as session:
            store_drives(session, now)


def _report_links(run: Run, links: Sequence[Path]) -> None:
    """Count links to folders outside of the library's."""
    roots = known_roots(run.catalog)
    for link in links:
        folder = link.resolve()
        if not any(folder.is_relative_to(root) for root in roots):
            run.stats.skipped_links.append(str(link))


def _warn_of_what_stays(run: Run, empty: Sequence[Scope]) -> None:
    """Warn of photos in empty roots and of unreachable photos.

    It comes last, when it is known which photos have moved.
    """
    for scope in empty:
        with run.catalog.session() as session:
            count = count_photos(session, scope.root_id)
        if count:  # it may be the mount point of a drive that is not connected
            run.warn(
                f"{scope.root} is empty; its {count} photos are kept; "
                "delete the folder itself and index it by name to remove them"
            )
    if run.stats.unreachable:
        run.warn(
            f"{run.stats.unreachable} photos could not be reached and are left as they were; "
            "run `index` again when their folders are back"
        )


def _without_vector(run: Run) -> dict[int, Job]:
    """Return the photos without a vector of the model, by id."""
    with run.catalog.session() as session:
        return _jobs_of(unencoded_photos(session, run.model_id))


def _without_regions(run: Run) -> dict[int, Job]:
    """Return the photos whose windows lack vectors of the model, by id."""
    if not run.regions:
        return {}
    with run.catalog.session() as session:
        rows = photos_without_regions(session, run.model_id, len(run.regions))
    return {id: replace(job, lacks_regions=True) for id, job in _jobs_of(rows).items()}


def _jobs_of(rows: Sequence[UnencodedPhoto]) -> dict[int, Job]:
    """Return the files of photos to read, by photo id."""
    return {
        row.id: Job(
            row.root_id,
            Path(row.root),
            FoundFile(row.path, row.size, row.mtime_ns),
            row.id,
            row.content_hash,
            scanned=False,
        )
        for row in rows
        if missing_extra(row.path) is None
    }


# --- models -----------------------------------------------------------------------------------------


def _check_model(catalog: Catalog, encoder: AnyEncoder, chosen_for: str | None) -> None:
    """Raise ``LibraryError`` if another process has changed the library's model.

    Continuing would change it back, and encode all photos again.
    """
    with catalog.session() as session:
        now = active_model(session)
    if chosen_for is None or now is None or now.fingerprint in (chosen_for, encoder.fingerprint):
        return
    raise LibraryError(
        f"{catalog.folder}: another `index` has changed it to {now.label} meanwhile; "
        "run the same command again to continue with that model"
    )


def _register_model(catalog: Catalog, encoder: AnyEncoder) -> int:
    """Return the catalogue's id of the encoder's model.

    A new model is added to the catalogue; the first one of a library becomes active at once. Raises
    ``ModelError`` for a new model that cannot encode, before the library depends on it.
    """
    with catalog.session() as session:
        is_new = model_with(session, encoder.fingerprint) is None
    if is_new:
        encoder.check()
    with catalog.session(write=True) as session:
        folder = encoder.folder.absolute()
        return store_model(session, encoder.name, folder, encoder.fingerprint, encoder.dim)


def _say_what_changes(run: Run, lacking: int) -> None:
    """Note how many photos are encoded again for another model or variant."""
    with run.catalog.session() as session:
        old, new = active_model(session), session.get_one(Model, run.model_id)
    if lacking and old is not None and old.id != new.id:
        photos = "1 photo is" if lacking == 1 else f"{lacking:,} photos are"
        run.progress.note(f"the library changes from {old.label} to {new.label}: {photos} encoded again")


def _activate_model(run: Run) -> None:
    """Make the run's model the one that searches use.

    Other models of the same name are older versions of it, or use other views. They are deleted with their
    vectors. The vectors of a model of another name are kept.
    """
    with run.catalog.session(write=True) as session:
        before = active_model(session)
        activate_model(session, run.model_id)
        superseded = delete_namesakes(session, run.encoder.name, run.model_id)
    if before is not None and before.id not in (run.model_id, *superseded):
        run.progress.note(
            f"the vectors of {before.label} are kept; `{index_command(before)}` returns to them, "
            f"`{forget_command(before)}` drops them"
        )
    for model_id in superseded:
        remove_index_files(run.catalog.folder, model_id)
