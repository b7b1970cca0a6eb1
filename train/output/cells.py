"""Cells for a finished model: the place of things in photos.

    python -m twobranch.train.output.cells MODEL --captions FILE --images DIR

The vectors of photos and texts do not change, so libraries need no new indexing.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from twobranch.common.atomic import replacing
from twobranch.common.errors import ModelError
from twobranch.common.progress import Progress
from twobranch.embedding.cell_scale import CellScale
from twobranch.embedding.conversion.storage import store_float16, store_int8
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.model_folder import (
    IMAGE_TOWER,
    ModelConfig,
    sha256_file,
    write_config,
)
from twobranch.embedding.preprocess import load_photo
from twobranch.train.cells.branch import CellBranch
from twobranch.train.cells.examples import Pictures, Texts, texts_of_photos
from twobranch.train.cells.grids import grid_reader, write_grids
from twobranch.train.cells.loop import CellData, CellSettings, train_cells
from twobranch.train.cells.measure import fitted_scale, peak_accuracy
from twobranch.train.cells.mosaics import MOSAICS_VERSION, Mosaic, compose, grid_tiles
from twobranch.train.checkpoint import TrainingContext
from twobranch.train.data import CaptionedPhotos, data_fingerprint
from twobranch.train.features import default_cache
from twobranch.train.output.card import write_card
from twobranch.train.output.export import write_onnx
from twobranch.train.output.finished import run_on_model
from twobranch.train.output.tower_outputs import with_cells

_DEV_PHOTOS = 1000  # to fit the scale
_DEV_MOSAICS = 250  # of each kind


def add_cells(
    model: str, train: CaptionedPhotos, dev: CaptionedPhotos, *, seed: int, progress: Progress
) -> Path:
    """Train cells for a model folder, and return the folder.

    Earlier cells are replaced. A run that was stopped goes on where it was. Raises ``ModelError`` for a tower
    that has no grid, and ``ImageError`` for a photo that cannot be read.
    """
    encoder = Encoder.load(model, verify=True)
    if encoder.config.source:  # its photos may be cropped, and its graph be of any opset
        raise ModelError(
            f"{encoder.name}: a model of another project, or one over it; cells can only be added to models "
            "whose image tower was trained here"
        )
    return write_cells(encoder, train, dev, seed=seed, progress=progress)


def write_cells(
    encoder: Encoder,
    train: CaptionedPhotos,
    dev: CaptionedPhotos,
    *,
    seed: int,
    progress: Progress,
    settings: CellSettings = CellSettings(),  # noqa: B008 (frozen)
) -> Path:
    """Train and write the cells of a model, and return its folder. As ``add_cells``."""
    folder, side = encoder.folder, encoder.image_size
    reader = grid_reader(folder / IMAGE_TOWER)
    n_photos = len(train.photos)
    n_whole, n_mosaics = (max(1, round(share * n_photos)) for share in (settings.whole, settings.mosaics))
    pictures = Pictures.draw(n_photos, n_whole, n_mosaics, side, seed)
    shown = {
        "tower": _plain_tower(encoder.config),
        "data": data_fingerprint(train, dev),
        "seed": seed,
        "pictures": [n_whole, n_mosaics],
        "layout": MOSAICS_VERSION,
    }
    work = default_cache() / f"cells-{_short_digest(shown)}"
    work.mkdir(parents=True, exist_ok=True)

    def picture(at: int) -> NDArray[np.uint8]:
        return pictures.pixels(train, at, seed)

    grids = write_grids(work / "grids.f16", len(pictures.mosaics), picture, reader, progress)
    progress.note(f"encoding {len(train.texts):,} texts")
    texts = Texts.of(train, lambda some: encoder.encode_texts(some, ENGLISH))
    record = {**shown, **asdict(settings)}
    checkpoint = work / f"{_short_digest(record)}.safetensors"
    context = TrainingContext(seed, checkpoint, record, checkpoint.is_file(), progress)
    data = CellData(pictures, grids, pictures.tiles_of_cells(grids.shape[2:]), texts)
    branch = train_cells(data, settings, context)
    graph = with_cells(onnx.load(folder / IMAGE_TOWER), _graph(branch, grids.shape[1:]))
    with tempfile.TemporaryDirectory() as temporary:
        trial = _with_tower(encoder, graph, Path(temporary))
        measured = _dev_accuracy(trial, encoder, dev, seed)
        scale = _scale(trial, encoder, dev, seed)
    progress.note(", ".join(f"{name} {value:.1f}%" for name, value in measured.items()))
    _write(encoder, graph, {"scale": scale.as_json(), "training": record, "dev": measured})
    return folder


def _write(encoder: Encoder, graph: onnx.ModelProto, facts: dict[str, Any]) -> None:
    """Write the tower with cells, and the configuration."""
    folder, config = encoder.folder, encoder.config
    with replacing(folder / IMAGE_TOWER) as partial:
        onnx.save(graph, partial)
    config = replace(
        config,
        files={**config.files, IMAGE_TOWER: sha256_file(folder / IMAGE_TOWER)},
        cells={IMAGE_TOWER: _plain_tower(config), **facts},
    )
    write_card(folder, config)
    write_config(folder, config)


def _with_tower(encoder: Encoder, graph: onnx.ModelProto, folder: Path) -> Encoder:
    """Return an encoder of photos with another tower.

    The tower is written into ``folder``, which is empty.
    """
    onnx.save(graph, folder / IMAGE_TOWER)
    unfitted = {IMAGE_TOWER: "", "scale": CellScale(0, 1).as_json()}
    return Encoder(folder, replace(encoder.config, cells=unfitted))


def _short_digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(repr(record).encode()).hexdigest()[:16]


def _plain_tower(config: ModelConfig) -> str:
    """Return the checksum of the image tower without cells."""
    return config.cells.get(IMAGE_TOWER) or config.files[IMAGE_TOWER]


def _graph(branch: CellBranch, grid: tuple[int, ...]) -> onnx.ModelProto:
    """Export the branch for (C, h, w) grids.

    Its matrices have 8 bits, its kernels 16.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "branch.onnx")
        example = torch.zeros(2, *grid)
        write_onnx(branch, [example], path, inputs=["grid"], outputs=["cells"], dynamic=[["batch"]])
        store_int8(path)
        store_float16(path)
        return onnx.load(path)


def _scale(cells: Encoder, texts: Encoder, dev: CaptionedPhotos, seed: int) -> CellScale:
    """Fit the scale of the cells' scores on dev photos.

    A text of each photo is compared with that photo, and with another one. ``cells`` encodes the photos,
    ``texts`` the texts.
    """
    rng = np.random.default_rng(seed)
    of_photo = texts_of_photos(dev)
    photos = rng.choice(len(dev.photos), min(_DEV_PHOTOS, len(dev.photos)), replace=False)
    vectors = texts.encode_texts([dev.texts[rng.choice(of_photo[photo])] for photo in photos], ENGLISH)
    pixels = (load_photo(dev.photos[photo], cells.image_size).pixels[None] for photo in photos)
    best = np.stack([(cells.mean_cells(one) @ vectors.T).max(axis=(0, 1, 2)) for one in pixels])
    return fitted_scale(best.diagonal(), np.roll(best, 1, axis=1).diagonal())


def _dev_accuracy(cells: Encoder, texts: Encoder, dev: CaptionedPhotos, seed: int) -> dict[str, float]:
    """Return how often a text's hottest cell is in its tile.

    The result is in percent. Each mosaic of dev photos, 2 x 2 and 3 x 3, is asked for one text of each of its
    photos.
    """
    rng, side = np.random.default_rng(seed), cells.image_size
    of_photo = texts_of_photos(dev)
    measured = {}
    for n in (2, 3):
        if len(dev.photos) < n * n:
            continue
        tiles = grid_tiles(n, side)
        mosaics = [
            Mosaic(tuple(rng.choice(len(dev.photos), n * n, replace=False).tolist()), tiles)
            for _ in range(min(_DEV_MOSAICS, len(dev.photos)))
        ]
        pictures = (compose([dev.photos[at] for at in one.photos], tiles, side) for one in mosaics)
        found = np.concatenate([cells.mean_cells(picture[None]) for picture in pictures])
        places = [
            (at, tile, photo) for at, one in enumerate(mosaics) for tile, photo in enumerate(one.photos)
        ]
        chosen = [dev.texts[rng.choice(of_photo[photo])] for _, _, photo in places]
        vectors = texts.encode_texts(chosen, ENGLISH)
        asked = [(at, tile, vector) for (at, tile, _), vector in zip(places, vectors, strict=True)]
        measured[f"mosaics {n} x {n}"] = round(peak_accuracy(found, mosaics, asked, side), 1)
    return measured


if __name__ == "__main__":
    run_on_model("twobranch.train.output.cells", add_cells, IMAGE_TOWER)
