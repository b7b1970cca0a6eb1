"""Removing the vectors of models that searches no longer use."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import UserError
from twobranch.embedding.model_folder import Variant
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.models import all_models, delete_models, models_with_vectors
from twobranch.indexer.catalog.tables import Catalog, Model, Session, active_model
from twobranch.indexer.update.models import models_named
from twobranch.indexer.vectors.index import remove_index_files


@dataclass(frozen=True)
class ForgottenModel:
    """A model whose vectors were removed, with their numbers."""

    name: str
    variant: Variant
    label: str
    photos: int
    captions: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``forget --model --json``."""
        return {
            "model": self.name,
            **asdict(self.variant),
            "photos": self.photos,
            "captions": self.captions,
        }


def forget_models(library: Path, names: Sequence[str]) -> list[ForgottenModel]:
    """Remove models with their vectors and index files from the library.

    Model folders and stored evaluations stay. Raises ``UserError`` for a model that searches use or that the
    library does not know (nothing is removed then), and ``LibraryError``.
    """
    with closing(Catalog.open(library)) as catalog, indexing_lock(library, "forget"):
        with catalog.session(write=True) as session:
            models = {model.id: model for name in names for model in _removable(session, name)}
            counts = {one.model.id: one for one in models_with_vectors(session)}
            forgotten = [
                ForgottenModel(
                    model.name,
                    model.variant,
                    model.label,
                    counts[id].photos if id in counts else 0,
                    counts[id].captions if id in counts else 0,
                )
                for id, model in models.items()
            ]
            delete_models(session, list(models))
        for id in models:
            remove_index_files(library, id)
    return forgotten


def _removable(session: Session, name: str) -> list[Model]:
    """Return the models of a name that searches do not use."""
    known, active = all_models(session), active_model(session)
    matching = models_named(known, name)
    removable = [model for model in matching if model is not active]
    if removable:
        return removable
    if matching:
        raise UserError(
            f"{name}: searches use this model, so nothing was forgotten; "
            "change to another one with `index --model OTHER` first"
        )
    labels = ", ".join(model.label for model in known) or "none"
    raise UserError(f"{name}: the library does not know this model (it has {labels}); nothing was forgotten")
