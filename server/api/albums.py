"""``/api/albums``: named lists of photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from twobranch.indexer.catalog.albums import (
    add_to_album,
    album_by_id,
    all_albums,
    create_album,
    delete_album,
    remove_from_album,
    rename_album,
)
from twobranch.indexer.catalog.collection_names import NameTakenError
from twobranch.indexer.catalog.marks import count_marks
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import Transaction, writing
from twobranch.server.api.photo_ids import MOST_PHOTOS, BodyId, PhotoIds
from twobranch.server.errors import Problem, Refused, not_found
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/albums", tags=["albums"])
Shared = Annotated[State, Depends(state_of)]
AlbumId = Annotated[int, Path(ge=1, lt=2**63, description="The id of the album.")]
UNWRITABLE: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A name that cannot be used"},
    503: {"model": Problem, "description": "A library that cannot be read, or not written to"},
}
TAKEN: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "Another one has this name"}}
_GONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such album"}}


class AlbumModel(BaseModel):
    """An album."""

    id: int
    name: str
    photos: int = Field(description="The number of its photos that are in the library.")
    cover: int | None = Field(description="The id of its first photo.")
    created_at: str = Field(description="In UTC.", examples=["2024-05-01T10:00:00Z"])


class AlbumList(BaseModel):
    """All albums, and the numbers of photos by their marks."""

    albums: list[AlbumModel] = Field(description="The newest first.")
    ratings: list[int] = Field(
        description="Numbers of photos: unrated, with 1 star, … with 5.", examples=[[90, 0, 0, 2, 5, 3]]
    )
    favourites: int = Field(description="Number of photos.")


class NewAlbum(BaseModel):
    """An album to make, with its first photos."""

    name: str = Field(examples=["Rome"])
    photos: list[BodyId] = Field([], max_length=MOST_PHOTOS)

    model_config = ConfigDict(extra="forbid")


class AlbumChange(BaseModel):
    """A new name for an album."""

    name: str

    model_config = ConfigDict(extra="forbid")


class AlbumPhotos(BaseModel):
    """Photos to add to an album, or to remove from it."""

    photos: PhotoIds

    model_config = ConfigDict(extra="forbid")


@router.get("", response_model=AlbumList, responses={503: UNWRITABLE[503]})
async def list_albums(state: Shared) -> Response:
    """List the albums."""

    def work(reader: CatalogReader) -> dict[str, Any]:
        with reader.snapshot():
            counts = count_marks(reader)
            albums = [album.as_json() for album in all_albums(reader)]
        return {"albums": albums, "ratings": list(counts.ratings), "favourites": counts.favourites}

    return json_reply(await state.readers.run(work))


@router.post("", response_model=AlbumModel, status_code=201, responses={**UNWRITABLE, **TAKEN})
async def new_album(new: NewAlbum, state: Shared) -> Response:
    """Make an album."""

    def work(connection: Transaction) -> int:
        album = create_album(connection, new.name)
        add_to_album(connection, album, new.photos)
        return album

    reply = await _reply(state, await write(state, work))
    reply.status_code = 201
    return reply


@router.patch("/{album}", response_model=AlbumModel, responses={**UNWRITABLE, **TAKEN, **_GONE})
async def change_album(album: AlbumId, change: AlbumChange, state: Shared) -> Response:
    """Rename an album."""
    await write(state, lambda connection: rename_album(connection, album, change.name))
    return await _reply(state, album)


@router.delete("/{album}", status_code=204, responses={503: UNWRITABLE[503], **_GONE})
async def remove_album(album: AlbumId, state: Shared) -> Response:
    """Delete an album. Its photos stay in the library."""
    if not await write(state, lambda connection: delete_album(connection, album)):
        raise not_found(f"album {album}")
    return Response(status_code=204)


@router.post("/{album}/photos", response_model=AlbumModel, responses={503: UNWRITABLE[503], **_GONE})
async def add_photos(album: AlbumId, some: AlbumPhotos, state: Shared) -> Response:
    """Add photos to the end of an album. Those that are in it stay where they are."""
    await write(state, lambda connection: add_to_album(connection, album, some.photos))
    return await _reply(state, album)


@router.delete("/{album}/photos", response_model=AlbumModel, responses={503: UNWRITABLE[503], **_GONE})
async def remove_photos(album: AlbumId, some: AlbumPhotos, state: Shared) -> Response:
    """Remove photos from an album. They stay in the library."""
    await write(state, lambda connection: remove_from_album(connection, album, some.photos))
    return await _reply(state, album)


async def write(state: State, work: Callable[[Transaction], int]) -> int:
    """Return the result of a write transaction. Raises ``Refused`` for a name that is taken."""

    def run() -> int:
        with writing(state.settings.library) as connection:
            return work(connection)

    try:
        return await run_in_threadpool(run)
    except NameTakenError as error:
        raise Refused(409, str(error)) from None


async def _reply(state: State, album: int) -> Response:
    """Reply with an album. Raises ``Refused`` where there is none."""
    found = await state.readers.run(lambda reader: album_by_id(reader, album))
    if found is None:
        raise not_found(f"album {album}")
    return json_reply(found.as_json())
