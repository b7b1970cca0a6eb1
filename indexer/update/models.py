"""A library's models: to index with, and with vectors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from twobranch.common.errors import ModelError, UserError
from twobranch.common.paths import expanded
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import Variant, model_name, resolve_model
from twobranch.embedding.tower import Device
from twobranch.indexer.catalog.models import models_with_vectors
from twobranch.indexer.catalog.tables import Model, Session, active_model, library_model


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
    library gets ``default`` without options. Raises ``ModelError``, and ``LibraryError`` for a damaged
    catalogue.
    """
    known = library_model(library)
    was = Variant() if known is None else known.variant
    return Encoder.load(
        name or (known.name if known else "default"),
        verify=True,
        tta=was.tta if tta is None else tta,
        int8=was.int8 if int8 is None else int8,
        device=device,
    )


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
            f"encode its photos with `index --model {wanted}`"
        )
    active = active_model(session)
    return active if active in matching else matching[-1]


def models_named(models: Sequence[Model], wanted: str) -> list[Model]:
    """Return the models of a name or a folder.

    A name may have the options of a variant, as in "default --int8". The folder need not be there any more.
    """
    names = {wanted, str(expanded(wanted).resolve())}
    with suppress(ModelError):
        names.add(model_name(resolve_model(wanted)))
    return [model for model in models if model.name in names or model.label == wanted]
