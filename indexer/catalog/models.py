"""Statements about the models that a library was indexed with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select

from twobranch.indexer.catalog.connection import ACTIVE_MODEL
from twobranch.indexer.catalog.tables import (
    CaptionVector,
    ImageVector,
    Model,
    RegionVector,
    Session,
    Setting,
    active_model,
    utcnow,
)

_FLOAT = 4  # bytes of a number in a vector


@dataclass(frozen=True)
class ModelVectors:
    """A model with the numbers of its vectors in the library."""

    model: Model
    photos: int
    captions: int
    windows: int  # of photos (`index --regions`)

    @property
    def bytes(self) -> int:
        """The size of the vectors in the catalogue."""
        return (self.photos + self.captions + self.windows) * self.model.dim * _FLOAT


def models_with_vectors(session: Session) -> list[ModelVectors]:
    """Return the models with vectors of photos, by rising ids.

    Counting reads an index of SQLite, no vector.
    """
    counts: list[dict[int, int]] = []
    for table in (ImageVector, CaptionVector, RegionVector):
        rows = session.execute(select(table.model_id, func.count()).group_by(table.model_id))
        counts.append({row[0]: row[1] for row in rows})
    photos, captions, windows = counts
    models = session.scalars(select(Model).where(Model.id.in_(photos)).order_by(Model.id))
    return [
        ModelVectors(model, photos[model.id], captions.get(model.id, 0), windows.get(model.id, 0))
        for model in models
    ]


def model_names(session: Session) -> list[str]:
    """Return the name of every model that the library knows."""
    return list(session.scalars(select(Model.name)))


def all_models(session: Session) -> list[Model]:
    """Return every model that the library knows, by rising ids."""
    return list(session.scalars(select(Model).order_by(Model.id)))


def model_fingerprints(session: Session) -> dict[int, str]:
    """Return model id -> fingerprint."""
    rows = session.execute(select(Model.id, Model.fingerprint))
    return {row.id: row.fingerprint for row in rows}


def model_with(session: Session, fingerprint: str) -> Model | None:
    """Return the model of a fingerprint; None if it is unknown."""
    return session.scalar(select(Model).where(Model.fingerprint == fingerprint))


def store_model(session: Session, name: str, folder: Path, fingerprint: str, dim: int) -> int:
    """Add or update a model and return its id. The first one of a library is active at once."""
    model = model_with(session, fingerprint)
    if model is None:
        model = Model(fingerprint=fingerprint, dim=dim, added_at=utcnow())
        session.add(model)
    model.name, model.folder = name, str(folder)
    session.flush()
    if active_model(session) is None:
        activate_model(session, model.id)
    return model.id


def activate_model(session: Session, model_id: int) -> None:
    """Make a model the one that searches use."""
    session.merge(Setting(key=ACTIVE_MODEL, value=str(model_id)))


def delete_namesakes(session: Session, name: str, model_id: int) -> list[int]:
    """Delete the other models of the same name, with their vectors.

    Returns their ids.
    """
    ids = list(session.scalars(select(Model.id).where(Model.name == name, Model.id != model_id)))
    delete_models(session, ids)
    return ids


def delete_models(session: Session, ids: Collection[int]) -> None:
    """Delete models with their vectors. Their evaluations stay."""
    session.execute(delete(Model).where(Model.id.in_(ids)))
