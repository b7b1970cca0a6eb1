"""The model to index with: the requested one, or the library's own."""

from __future__ import annotations

from pathlib import Path

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import Variant
from twobranch.embedding.tower import Device
from twobranch.indexer.catalog.tables import library_model


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
