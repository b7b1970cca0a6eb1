"""Facts about a library, and the list of known models."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twobranch.common.errors import LibraryError, ModelError
from twobranch.common.paths import is_folder
from twobranch.embedding.model_folder import (
    CALIBRATION,
    Variant,
    known_names,
    model_name,
    read_config,
    resolve_model,
)
from twobranch.embedding.preprocess import REGIONS
from twobranch.indexer.catalog.captions import count_captions_by_corpus
from twobranch.indexer.catalog.evaluations import count_evaluations
from twobranch.indexer.catalog.library import find_library
from twobranch.indexer.catalog.models import ModelVectors, model_names, models_with_vectors
from twobranch.indexer.catalog.photos import failed_photos, photos_without_regions, unencoded_photos
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.indexer.catalog.roots import all_roots, count_photos_by_root
from twobranch.indexer.catalog.settings import load_choices, load_regions
from twobranch.indexer.catalog.tables import (
    Catalog,
    Model,
    Session,
    active_model,
    count_items,
    image_file,
)
from twobranch.indexer.update.changes import Changes, count_changes, disk_use, last_run
from twobranch.indexer.vectors.index import index_bytes
from twobranch.retrieval.background_file import LibraryConfidence
from twobranch.retrieval.confidence import Basis


def library_status(library: Path, *, scan: bool = True) -> dict[str, Any]:
    """Return the JSON data of ``status --json``.

    With ``scan`` the folders are compared with the catalogue, which reads the listing of each folder. Raises
    ``LibraryError``.
    """
    with closing(Catalog.open(library)) as catalog:
        changes = count_changes(catalog) if scan else None
        with catalog.session() as session:
            return _status(library, session, changes)


def _status(library: Path, session: Session, changes: Changes | None) -> dict[str, Any]:
    model = active_model(session)
    counts = count_items(session)
    failed = failed_photos(session)
    photos_in = count_photos_by_root(session)
    folders = [(root.path, photos_in.get(root.id, 0)) for root in all_roots(session)]
    corpora = count_captions_by_corpus(session)
    lacking = unencoded_photos(session, None if model is None else model.id)
    last = last_run(session)
    choices = load_choices(session)
    return {
        "library": str(library),
        "model": model.name if model is not None else None,
        "model_there": model is None or _is_there(model.name),
        **asdict(Variant() if model is None else model.variant),
        "confidence_from": _confidence_from(library, model),
        "regions": load_regions(session),
        "models": [_vectors_json(library, one, model) for one in models_with_vectors(session)],
        "photos": counts.photos,
        "searchable_photos": counts.searchable_photos,
        "captions": counts.captions,
        "repeated_captions": counts.repeated_captions,
        "searchable_captions": counts.searchable_captions,
        "captions_with_photo": counts.captions_with_photo,
        "evaluations": count_evaluations(session),
        "folders": [
            {"path": path, "photos": count, "reachable": is_folder(Path(path))} for path, count in folders
        ],
        "forgotten": sorted(choices.forgotten),
        "excluded": [{"path": path, "globs": list(globs)} for path, globs in sorted(choices.exclude.items())],
        "caption_files": [
            {"path": path, "format": format_, "captions": count, "failure": failure}
            for path, format_, count, failure in corpora
        ],
        "failed": [{"path": str(image_file(image)), "reason": image.failure} for image in failed],
        "without_regions": _count_without_regions(session, model),
        "without_vector": [str(Path(photo.root, photo.path)) for photo in lacking],
        "disk": disk_use(library),
        "last_index": last,
        "changes": None if changes is None else asdict(changes),
    }


def _confidence_from(library: Path, model: Model | None) -> Basis | None:
    """Return the basis of the confidence of hits; None without one."""
    if model is None:
        return None
    with suppress(ModelError):
        if (resolve_model(model.name) / CALIBRATION).is_file():
            return "captions"
        of = LibraryModel(model.id, model.name, model.fingerprint, model.dim)
        if LibraryConfidence(library).calibration(of) is not None:
            return "background"
    return None


def _vectors_json(library: Path, vectors: ModelVectors, active: Model | None) -> dict[str, Any]:
    """Return a model with the numbers of its vectors.

    Their bytes include those of index files.
    """
    return {
        "model": vectors.model.name,
        **asdict(vectors.model.variant),
        "active": active is not None and vectors.model.id == active.id,
        "photos": vectors.photos,
        "captions": vectors.captions,
        "windows": vectors.windows,
        "bytes": vectors.bytes + index_bytes(library, vectors.model.id),
    }


def _is_there(model: str) -> bool:
    """Return True if a model's folder is there."""
    try:
        resolve_model(model)
    except ModelError:
        return False
    return True


def _count_without_regions(session: Session, model: Model | None) -> int:
    """Count the photos that lack windows, in a library with regions."""
    if model is None or not load_regions(session):
        return 0
    return len(photos_without_regions(session, model.id, len(REGIONS)))


def known_models(library: Path | None) -> list[dict[str, Any]]:
    """List shipped and added models, and those of the library.

    Each has its metrics on the dev split, and its speed and memory if they were measured. A model whose
    folder is gone is listed with its name only.
    """
    names = set(known_names())
    try:
        with closing(Catalog.open(find_library(library))) as catalog, catalog.session() as session:
            names.update(model_names(session))
    except LibraryError:
        if library is not None:
            raise
    return [_model_facts(name) for name in sorted(names)]


def _model_facts(name: str) -> dict[str, Any]:
    try:
        folder = resolve_model(name)
        config = read_config(folder)
    except ModelError:
        missing = ("preset", "backbone", "rsum", "text_to_image_R@1", "image_to_text_R@1", "corpus", "dim")
        return {"name": name, "folder": None, **dict.fromkeys((*missing, "cost"))}
    return {
        "name": model_name(folder),
        "folder": str(folder),
        "preset": config.preset,
        "backbone": config.backbone,
        "rsum": config.dev.get("rsum"),
        "text_to_image_R@1": config.dev.get("text_to_image", {}).get("R@1"),
        "image_to_text_R@1": config.dev.get("image_to_text", {}).get("R@1"),
        "corpus": config.training.get("corpus"),
        "dim": config.dim,
        "cost": config.cost or None,
    }
