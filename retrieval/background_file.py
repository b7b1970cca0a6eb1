"""The confidence file of a library whose model has no calibration.

It is a cache: `index` makes it, and makes it anew when it is lost, damaged or of another model, and when the
library has doubled. The vectors of the background texts are kept in it, so they are encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twobranch.common.atomic import replacing
from twobranch.common.errors import ModelError
from twobranch.common.progress import Progress
from twobranch.embedding.model_folder import CALIBRATION, resolve_model
from twobranch.indexer.catalog.reader import CatalogReader, LibraryModel
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.retrieval.background import (
    FITS,
    TEXTS,
    Scale,
    ScoreScales,
    background_calibration,
    background_texts,
    scales_of,
)
from twobranch.retrieval.confidence import SAMPLE, Calibration

FILE = "confidence.cache"  # in the library folder
FEWEST_PHOTOS = 50  # fewer do not show how scores are spread
_GROWTH = 2.0  # the file is made anew for so many times its photos, or so many times fewer


class TextEncoder(Protocol):
    """The parts of an encoder that are used here."""

    @property
    def folder(self) -> Path: ...

    @property
    def fingerprint(self) -> str: ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class StoredConfidence:
    """The content of the file."""

    calibration: Calibration
    scales: ScoreScales
    recipe: str  # a digest of the texts and fits that it was made with
    photos: int  # searchable ones when it was made


def library_scales(library: Path, model: LibraryModel) -> ScoreScales:
    """Return the scales of a catalogued model, without loading it; see ``SearchEngine.scales``."""
    with suppress(ModelError):  # without its folder
        if (resolve_model(model.name) / CALIBRATION).is_file():
            return ScoreScales()
    return LibraryConfidence(library).scales(model)


class LibraryConfidence:
    """The calibration and scales in a library folder.

    They are read again when the file changes.
    """

    def __init__(self, library: Path) -> None:
        self._library = library
        self._read_from: tuple[str, int, int] | None = None  # the model, and the state of the file
        self._found: StoredConfidence | None = None

    def calibration(self, model: LibraryModel) -> Calibration | None:
        """Return the calibration; None without a valid one of this model."""
        stored = self._stored(model)
        return None if stored is None else stored.calibration

    def scales(self, model: LibraryModel) -> ScoreScales:
        """Return the scales of the model's scores.

        They are those of the shipped model where the file knows none.
        """
        stored = self._stored(model)
        return ScoreScales() if stored is None else stored.scales

    def _stored(self, model: LibraryModel) -> StoredConfidence | None:
        try:
            state = (self._library / FILE).stat()
        except OSError:
            return None
        at = (model.fingerprint, state.st_mtime_ns, state.st_size)
        if at != self._read_from:
            self._read_from, self._found = at, _read(self._library, model)
        return self._found


def refresh_confidence(library: Path, encoder: TextEncoder, progress: Progress) -> bool:
    """Make the confidence file if the model needs one.

    Returns True if it was made. It needs one if the model folder has no calibration and the library has 50
    searchable photos or more. Encoding the texts takes some seconds. A file that cannot be written is a
    warning, as searches do without. Raises ``LibraryError``.
    """
    if (encoder.folder / CALIBRATION).is_file():
        return False
    with closing(CatalogReader.open(library)) as catalog:
        model = catalog.active_model()
        if model is None or model.fingerprint != encoder.fingerprint:
            return False
        n_photos = catalog.count_vectors("images", model.id)
        stored, recipe = _read(library, model), _recipe()
        if n_photos < FEWEST_PHOTOS:
            return False
        if stored is not None and stored.recipe != recipe:
            stored = None
        if stored is not None and stored.photos / _GROWTH < n_photos < stored.photos * _GROWTH:
            return False
        ids = catalog.spread_ids("images", model.id, SAMPLE)
        photos = as_matrix(list(catalog.vectors("images", ids).values()), model.dim)
    if stored is None:
        progress.note("estimating confidence from the photos: this model has no calibration")
        texts = encoder.encode_texts(background_texts())
    else:
        texts = stored.calibration.background.captions.vectors
    try:
        calibration, scales = background_calibration(texts, photos), scales_of(texts, photos)
        made = StoredConfidence(calibration, scales, recipe, n_photos)
        _write(library, model, made)
    except ValueError as error:  # a model that sees no difference between photos
        progress.warn(f"hits have no confidence: {error}")
        return False
    except OSError as error:
        progress.warn(f"{library / FILE}: cannot be written ({error}); hits have no confidence")
        return False
    return True


def _recipe() -> str:
    return sha256(TEXTS.read_bytes() + FITS.read_bytes()).hexdigest()


def _write(library: Path, model: LibraryModel, made: StoredConfidence) -> None:
    about = np.array([model.fingerprint, made.recipe, str(made.photos)])
    with replacing(library / FILE, durable=False) as partial, partial.open("wb") as file:
        np.savez(file, about=about, scales=_scale_rows(made.scales), **made.calibration.arrays())  # type: ignore[arg-type]


def _scale_rows(scales: ScoreScales) -> NDArray[np.float64]:
    """Return scales as (2, 2) numbers.

    A row is level and unit; the first is with texts, the second between photos.
    """
    return np.array([[scale.level, scale.unit] for scale in (scales.texts, scales.photos)])


def _scales_of_rows(rows: NDArray[np.float64]) -> ScoreScales:
    """Return the scales of (2, 2) numbers. Raises ``ValueError`` for numbers that are no scales."""
    (level, unit), (photo_level, photo_unit) = rows.tolist()
    if not np.isfinite(rows).all() or min(unit, photo_unit) <= 0:
        raise ValueError(f"no scales: {rows.tolist()}")
    return ScoreScales(Scale(level, unit), Scale(photo_level, photo_unit))


def _read(library: Path, model: LibraryModel) -> StoredConfidence | None:
    path = library / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            fingerprint, recipe, photos = file["about"].tolist()
            if fingerprint != model.fingerprint:
                return None
            calibration = Calibration.of_arrays(file, "background")
            found = StoredConfidence(calibration, _scales_of_rows(file["scales"]), recipe, int(photos))
    except Exception:  # NumPy and zipfile raise many types for a broken archive
        return None
    if found.calibration.has_other_features or found.calibration.fault(model.dim) is not None:
        return None
    return found
