"""A library's models: to index with, and with vectors."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from twobranch.common.errors import ModelError, UserError
from twobranch.common.paths import expanded
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import (
    IMAGE_TOWER_INT8,
    Variant,
    model_name,
    read_config,
    resolve_model,
)
from twobranch.embedding.tower import Device
from twobranch.indexer.catalog.models import all_models, models_with_vectors
from twobranch.indexer.catalog.tables import Catalog, Model, Session, active_model, library_model


def library_fingerprint(library: Path) -> str:
    """Return the fingerprint of a library's model. It is "" if there is no model."""
    known = library_model(library)
    return "" if known is None else known.fingerprint


def encoder_for(
    library: Path,
    name: str | None = None,
    *,
    tta: bool | None = None,
    int8: bool | None = None,
    device: Device = "cpu",
) -> Encoder:
    """Load the encoder to index a library with.

    Its files are compared with their checksums. Arguments that are None keep the library's choice; a new
    library gets ``default`` without options. A model that the library has vectors of is taken as it was used
    last. Raises ``ModelError``, and ``LibraryError`` for a damaged catalogue.
    """
    known = library_model(library)
    own = known.name if known else "default"
    was = Variant() if known is None else known.variant if name is None else _variant_of(library, name)
    try:
        return Encoder.load(
            name or own,
            verify=True,
            tta=was.tta if tta is None else tta,
            int8=was.int8 if int8 is None else int8,
            device=device,
        )
    except ModelError:
        if name is None:
            _check_there(own)
        raise


def _check_there(name: str) -> None:
    """Raise ``ModelError`` if the folder of a library's own model is gone."""
    try:
        resolve_model(name)
    except ModelError as error:
        raise ModelError(
            f"this library's model is gone ({error}); put it back, or change to another one with "
            "`index --model NAME`"
        ) from None


def _variant_of(library: Path, name: str) -> Variant:
    """Return the variant in which a library has used a model.

    For a new model it is that of the library's own one, as far as the model has the towers.
    """
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        active = active_model(session)
        matching = models_named(all_models(session), name)
        used = active if active in matching or not matching else matching[-1]
    variant = Variant() if used is None else used.variant
    if not variant.int8:
        return variant
    return replace(variant, int8=IMAGE_TOWER_INT8 in read_config(resolve_model(name)).files)


def index_command(model: Model) -> str:
    """Return the command that encodes a library with a model."""
    return f"index --model {shlex.quote(model.name)}{model.variant.options}"


def forget_command(model: Model) -> str:
    """Return the command that drops the vectors of a model."""
    return f"forget --model {shlex.quote(model.label)}"


def encoded_model(session: Session, wanted: str) -> Model:
    """Return the model of this name that the library has vectors of.

    Of several versions it is the one that searches use, or else the newest. Raises ``UserError`` if the
    library has no vectors of such a model.
    """
    known = [one.model for one in models_with_vectors(session)]
    matching = models_named(known, wanted)
    if not matching:
        labels = ", ".join(model.label for model in known) or "none"
        raise UserError(
            f"{wanted}: the library has no vectors of this model (it has those of {labels}); "
            f"encode its photos with `index --model {shlex.quote(wanted)}`"
        )
    active = active_model(session)
    return active if active in matching else matching[-1]


def models_named(models: Sequence[Model], wanted: str) -> list[Model]:
    """Return the models of a name or a folder.

    A name comes before a folder here of that name. It may have the options of a variant, as in
    "default --int8". The folder need not be there any more.
    """
    names = [wanted, str(expanded(wanted).resolve())]
    with suppress(ModelError):
        names.insert(1, model_name(resolve_model(wanted)))
    found = ([model for model in models if name in (model.name, model.label)] for name in names)
    return next(filter(None, found), [])
