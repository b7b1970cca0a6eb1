"""Photos alone and in mosaics, with texts about their tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.train.cells.loss import Places
from twobranch.train.cells.mosaics import Mosaic, compose, tile_of_cells, training_mosaic
from twobranch.train.data import CaptionedPhotos

_FEW = 2  # a tile of fewer cells has no text
_NAMES = 0.5  # share of the texts that are the name of an object, where a photo's objects are listed


@dataclass(frozen=True)
class Texts:
    """The texts of a corpus, and the names of its listed objects."""

    of_photo: tuple[tuple[int, ...], ...]  # rows of ``vectors`` with the texts of each photo
    vectors: NDArray[np.float32]  # (M + K, D), the names of K objects last
    n_texts: int  # M
    present: NDArray[np.bool_]  # (N, K) objects in each photo
    listed: NDArray[np.bool_]  # (N,) True if the list of a photo's objects is complete

    @classmethod
    def of(cls, part: CaptionedPhotos, encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> Texts:
        """Collect and encode the texts of ``part``."""
        lists = part.objects or (None,) * len(part.photos)
        names = sorted({name for some in lists for name in some or ()})
        columns = {name: column for column, name in enumerate(names)}
        present = np.zeros((len(part.photos), len(names)), dtype=bool)
        for row, some in enumerate(lists):
            present[row, [columns[name] for name in some or ()]] = True
        listed = np.array([some is not None for some in lists])
        vectors = encode([*part.texts, *names])
        return cls(texts_of_photos(part), vectors, len(part.texts), present, listed)

    def draw(self, photo: int, rng: np.random.Generator) -> int:
        """Draw the row of a text about a photo.

        It may be the name of an object in it.
        """
        if self.present[photo].any() and rng.random() < _NAMES:
            return self.n_texts + int(rng.choice(np.flatnonzero(self.present[photo])))
        return int(rng.choice(self.of_photo[photo]))

    def may_show(self, photo: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return True for texts that name an object a photo may show.

        ``rows`` are (Q,) rows of texts; the result is (Q,).
        """
        named = rows >= self.n_texts
        columns = np.where(named, rows - self.n_texts, 0)
        if not self.present.shape[1]:
            return np.zeros(len(rows), dtype=bool)
        return named & (self.present[photo, columns] | ~self.listed[photo])


def texts_of_photos(part: CaptionedPhotos) -> tuple[tuple[int, ...], ...]:
    """Return the rows of the texts of each photo."""
    rows: list[list[int]] = [[] for _ in part.photos]
    for row, item in enumerate(part.items.tolist()):
        rows[item].append(row)
    return tuple(map(tuple, rows))


@dataclass(frozen=True)
class Pictures:
    """Mosaics, and photos alone, which are mosaics of one tile."""

    mosaics: tuple[Mosaic, ...]  # the photos alone come first
    n_whole: int
    side: int  # S, in pixels

    def tiles_of_cells(self, grid: tuple[int, int]) -> NDArray[np.int16]:
        """Return (P, h * w) numbers of tiles, one for each cell."""
        found = [tile_of_cells(mosaic.tiles, self.side, grid).ravel() for mosaic in self.mosaics]
        return np.array(found, dtype=np.int16)

    @classmethod
    def draw(cls, n_photos: int, n_whole: int, n_mosaics: int, side: int, seed: int) -> Pictures:
        """Draw photos, and mosaics of photos."""
        rng = np.random.default_rng(seed)
        alone = rng.choice(n_photos, n_whole, replace=False).tolist()
        whole = [Mosaic((photo,), ((0, 0, side, side),)) for photo in alone]
        drawn = [training_mosaic(n_photos, side, rng) for _ in range(n_mosaics)]
        return cls((*whole, *drawn), n_whole, side)

    def pixels(self, part: CaptionedPhotos, at: int, seed: int) -> NDArray[np.uint8]:
        """Return the (S, S, 3) pixels of a picture. Photos of mosaics are cut and mirrored at random."""
        mosaic = self.mosaics[at]
        rng = np.random.default_rng((seed, at)) if at >= self.n_whole else None
        return compose([part.photos[photo] for photo in mosaic.photos], mosaic.tiles, self.side, rng)

    def batch(self, n: int, whole_share: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the rows of ``n`` pictures, a share of them whole photos."""
        n_whole = min(self.n_whole, round(n * whole_share))
        n_mosaics = min(len(self.mosaics) - self.n_whole, n - n_whole)
        drawn = self.n_whole + rng.choice(len(self.mosaics) - self.n_whole, n_mosaics, replace=False)
        return np.concatenate([drawn, rng.choice(self.n_whole, n_whole, replace=False)])


def asked(
    mosaics: Sequence[Mosaic], owner: NDArray[np.integer], texts: Texts, rng: np.random.Generator
) -> tuple[Tensor, Places]:
    """Draw a text for each tile of B pictures.

    ``owner`` (B, T) has the tile of each cell, or -1. Returns (Q, D) vectors and their places.
    """
    shown = [
        (picture, number, photo)
        for picture, mosaic in enumerate(mosaics)
        for number, photo in enumerate(mosaic.photos)
        if (owner[picture] == number).sum() >= _FEW
    ]
    rows = np.array([texts.draw(photo, rng) for _, _, photo in shown])
    own = np.zeros((len(shown), *owner.shape), dtype=bool)
    compared = np.broadcast_to(owner >= 0, own.shape).copy()
    for at, (picture, number, photo) in enumerate(shown):
        cells = owner[picture] == number
        own[at, picture] = cells
        compared[np.ix_(texts.may_show(photo, rows), np.array([picture]), np.flatnonzero(cells))] = False
    compared |= own
    pictures = torch.tensor([picture for picture, _, _ in shown])
    places = Places(pictures, torch.from_numpy(own), torch.from_numpy(compared))
    return torch.from_numpy(texts.vectors[rows]), places
