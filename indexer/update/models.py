"""Which model photos are indexed with: what is asked for, else the library's own."""

from __future__ import annotations

from pathlib import Path

from twobranch.embedding.encoder import Device, Encoder
from twobranch.embedding.model_folder import Variant
from twobranch.indexer.catalog.tables import library_model


def library_fingerprint(library: Path) -> str:
    """The fingerprint of the model that a library has now; empty where it has none."""
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
    """The encoder to index a library with, its files compared with their checksums.

    What is None is as the library has it; a new library gets ``default``, without options. Raises
    ``ModelError``, and ``LibraryError`` for a damaged catalogue.
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
