"""The library behind the tools: questions in, JSON data out. Nothing in it is written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twobranch.common.errors import ImageError, UserError
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.embedding.sif import well_formed
from twobranch.indexer.catalog.photo_facts import captions_of, photo_facts, photo_file
from twobranch.indexer.catalog.photo_file import ProvenFiles, read_original
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.display.answer_text import remarks, verdict_sentence
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.encoders import check_language, load_encoder
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.photo_names import NamedPhotos, listed
from twobranch.retrieval.terms import PhotoTerm
from twobranch.server.mcp.arguments import (
    PhotoArguments,
    SearchArguments,
    SimilarArguments,
    StatusArguments,
    WhereArguments,
)
from twobranch.server.work.engines import ServedEngine

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

_MOST_CAPTIONS = 5  # of a photo
_MOST_LISTED = 20  # failed photos and the like; `status --json` has them all
_QUALITY = 80  # of JPEG, 0 to 100


class Library:
    """An open library that follows what others index. For one thread only."""

    def __init__(self, folder: Path, load: Callable[[LibraryModel], Encoder] = load_encoder) -> None:
        """Open the library. ``load`` returns the encoder of its model. Raises ``LibraryError``."""
        self._folder = folder
        self._engine = ServedEngine(folder, load)
        self._proven = ProvenFiles()

    def close(self) -> None:
        self._engine.close()

    def search(self, arguments: SearchArguments) -> dict[str, Any]:
        """Search photos or captions. Raises as ``SearchEngine.answer``."""
        self._engine.catch_up()
        return self._answer_json(self._engine.answer(arguments.request()))

    def similar(self, arguments: SimilarArguments) -> dict[str, Any]:
        """Find photos like one of the library. Raises ``UserError`` for an unknown photo."""
        self._engine.catch_up()
        photo = self._photo(arguments.photo)
        answer = self._engine.answer(arguments.request(photo))
        return {"photo": str(photo.path), **self._answer_json(answer), **_namesakes(photo)}

    def where(self, arguments: WhereArguments) -> dict[str, Any]:
        """Find phrases in a photo of the library.

        Raises ``UserError`` for an unknown photo or no phrase, ``ImageError`` for a file that has changed,
        and as ``Locator.locate``.
        """
        self._engine.catch_up()
        encoder = self._engine.encoder
        encoder.check_cells()
        if arguments.language is not None:
            check_language(encoder, arguments.language)
        phrases = [well_formed(" ".join(phrase.split())) for phrase in arguments.phrases]
        if not all(phrases):
            raise UserError("an empty phrase; say what to look for")
        photo = self._photo(arguments.photo)
        data = self._read(photo)
        located = self._engine.locator.locate(data, phrases, name=photo.path, language=arguments.language)
        found = [{key: one[key] for key in one if key != "heat"} for one in located.as_json()["phrases"]]
        size = {"width": located.width, "height": located.height}
        return {"photo": str(photo.path), **size, "phrases": found, **_namesakes(photo)}

    def status(self, arguments: StatusArguments) -> dict[str, Any]:
        """Return the state of the library, with long lists cut short. Raises ``LibraryError``."""
        facts = library_status(self._folder, scan=arguments.scan)
        for name in ("failed", "without_vector", "forgotten"):
            facts[f"n_{name}"] = len(facts[name])
            facts[name] = facts[name][:_MOST_LISTED]
        return facts

    def picture(self, arguments: PhotoArguments) -> bytes:
        """Return a photo as a small JPEG.

        Raises ``UserError`` for an unknown photo, ``ImageError`` for a file that has changed.
        """
        self._engine.catch_up()
        photo = self._photo(arguments.photo)
        small = io.BytesIO()
        load_thumbnail(self._read(photo), arguments.side, name=photo.path).save(
            small, "JPEG", quality=_QUALITY
        )
        return small.getvalue()

    def _photo(self, name: str) -> PhotoTerm:
        """Return the photo of the library with this path or name. Raises ``UserError``."""
        model = self._engine.model
        if model is None:
            raise UserError(f"{self._folder}: nothing is indexed yet; run `index PATH`")
        if "\0" in name or not Path(name).name:
            raise UserError(f"{name!r}: not the path of a photo")
        return NamedPhotos(self._engine.catalog, model).term(name)

    def _read(self, photo: PhotoTerm) -> bytes:
        """Read the file of a photo of the library. Raises ``ImageError`` if it has changed."""
        assert photo.item is not None
        catalog = self._engine.catalog
        id_ = catalog.images_of_vectors([photo.item.id]).get(photo.item.id)
        file = None if id_ is None else photo_file(catalog, id_)
        if file is None:
            raise ImageError(photo.path, "is no longer in the library")
        return read_original(file, self._proven)

    def _answer_json(self, answer: Answer) -> dict[str, Any]:
        return {
            "verdict": verdict_sentence(answer),
            "remarks": remarks(answer),
            "hits": [self._hit_json(hit) for hit in answer.hits],
            "searched": answer.n_gallery,
        }

    def _hit_json(self, hit: Hit) -> dict[str, Any]:
        """Return a hit with the facts of its photo. Scores mean nothing to a reader, and are left out."""
        whole = hit.as_json()
        keys = ("rank", "path", "date", "date_from", "confidence", "tier", "caption", "matched", "alike")
        facts = {key: whole[key] for key in keys if whole[key] not in (None, [])}
        if hit.photo is None:
            return facts
        photo = photo_facts(self._engine.catalog, hit.photo)
        captions = [one.text for one in captions_of(self._engine.catalog, hit.photo)[:_MOST_CAPTIONS]]
        if captions:
            facts["captions"] = captions
        if photo is None:  # it has just left the library
            return facts
        if photo.camera:
            facts["camera"] = photo.camera
        if photo.keywords:
            facts["keywords"] = list(photo.keywords)
        if photo.latitude is not None and photo.longitude is not None:
            facts["coordinates"] = [photo.latitude, photo.longitude]
        return facts


def _namesakes(photo: PhotoTerm) -> dict[str, Any]:
    """Return the note on other photos of the same name, if any."""
    if not photo.namesakes:
        return {}
    return {"note": f"of the same name: {listed(photo.namesakes)}; give the whole path for one of them"}
