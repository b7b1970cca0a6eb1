"""Cells of a finished model: mosaics, the loss, and the second output of the tower."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.fakes import write_photo
from tests.smallmodel import seal, write_model
from twobranch.common.errors import ModelError
from twobranch.common.progress import SILENT, Silent
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import check_files, read_config
from twobranch.retrieval.where.locator import Locator
from twobranch.train.cells.branch import CellBranch
from twobranch.train.cells.examples import Texts
from twobranch.train.cells.grids import write_grids
from twobranch.train.cells.loop import CellSettings
from twobranch.train.cells.loss import Places, place_loss
from twobranch.train.cells.measure import fitted_scale, peak_is_right
from twobranch.train.cells.mosaics import (
    Mosaic,
    compose,
    grid_tiles,
    pasted_tiles,
    tile_of_cells,
    training_mosaic,
    uneven_tiles,
)
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output import cells as cells_module
from twobranch.train.output.cells import add_cells, write_cells
from twobranch.train.output.export import write_onnx
from twobranch.train.output.tower_outputs import grid_output, head_of, with_cells, without_cells

SIDE = 8
SETTINGS = CellSettings(hidden=16, dropout=0, mosaics=2, whole=1, epochs=10, batch_size=8, rate=0.02)


class Tower(nn.Module):
    """Cells of 2 x 2 pixels with their mean colour, the mean over them, and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Linear(3, 4)
        with torch.no_grad():
            self.branch.weight.copy_(torch.eye(4, 3))
            self.branch.bias.fill_(0.01)

    def forward(self, pixels: Tensor) -> Tensor:
        grid = nn.functional.avg_pool2d(pixels.permute(0, 3, 1, 2).float() / 255, 2)
        return nn.functional.normalize(self.branch(grid.mean((2, 3))), dim=1)


def write_tower(path: Path) -> None:
    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    write_onnx(
        Tower().eval(), [example], path, inputs=["pixels"], outputs=["embeddings"], dynamic=[["batch"]]
    )


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of colours that gives no cells. Its training is not known, so it has no card."""
    monkeypatch.setattr(cells_module, "write_card", lambda folder, config: None)
    monkeypatch.setattr(cells_module, "default_cache", lambda: tmp_path / "cache")
    folder = write_model(tmp_path / "model")
    write_tower(folder / "image.onnx")
    seal(folder)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> CaptionedPhotos:
    """Six red, green and blue photos each, with a caption of two words."""
    names = [(color, n) for n in range(6) for color in ("red", "lime", "blue")]
    photos = tuple(write_photo(tmp_path / "photos" / f"{color}{n}.png", color) for color, n in names)
    texts = tuple(f"a {'green' if color == 'lime' else color}" for color, _ in names)
    return CaptionedPhotos(photos, texts, np.arange(len(photos)))


@dataclass
class Notes(Silent):
    """Progress that keeps its lines."""

    lines: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.lines.append(message)


# --- a whole training -------------------------------------------------------------------------------


def test_a_model_with_cells_finds_colours(model: Path, corpus: CaptionedPhotos, tmp_path: Path) -> None:
    before = Encoder.load(model)
    vectors, fingerprint = before.encode_images(corpus.photos), before.fingerprint
    assert not before.has_cells
    with pytest.raises(ModelError, match="this model gives no cells"):
        before.encode_cells(corpus.photos)

    write_cells(before, corpus, corpus, seed=1, progress=SILENT, settings=SETTINGS)
    encoder = Encoder.load(model, verify=True)
    check_files(model, read_config(model))
    assert encoder.has_cells and encoder.encode_cells(corpus.photos[:2]).shape == (2, 4, 4, 4)
    # Photos are found as before: a library of the model needs no new indexing.
    assert encoder.fingerprint == fingerprint
    assert np.array_equal(encoder.encode_images(corpus.photos), vectors)

    photo = Image.new("RGB", (80, 40), "blue")
    photo.paste("red", (0, 0, 40, 40))
    photo.save(tmp_path / "both.png")
    red, blue, green = Locator(encoder).locate(tmp_path / "both.png", ["red", "blue", "green"]).phrases
    assert red.heat_map.scores.argmax() % 4 < 2 <= blue.heat_map.scores.argmax() % 4  # columns of 4
    assert red.regions and blue.regions and green.regions == ()


def test_a_second_run_replaces_the_cells_and_computes_no_grid_again(
    model: Path, corpus: CaptionedPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cells(Encoder.load(model), corpus, corpus, seed=1, progress=SILENT, settings=SETTINGS)
    first = Encoder.load(model).encode_cells(corpus.photos)
    composed = []
    monkeypatch.setattr(
        "twobranch.train.cells.examples.compose", lambda *a: composed.append(a) or compose(*a)
    )
    notes = Notes()
    write_cells(Encoder.load(model), corpus, corpus, seed=1, progress=notes, settings=SETTINGS)
    assert "resuming after epoch 10 of 10" in notes.lines
    assert len(composed) == 1  # one picture tells the shape of a grid
    assert np.array_equal(Encoder.load(model).encode_cells(corpus.photos), first)


# --- the tower's graph ------------------------------------------------------------------------------


def test_cells_come_and_go_without_a_change_of_the_vectors(tmp_path: Path) -> None:
    write_tower(tmp_path / "image.onnx")
    branch = CellBranch(3, 8, 4, dropout=0).eval()
    write_onnx(
        branch,
        [torch.zeros(2, 3, 4, 4)],
        tmp_path / "branch.onnx",
        inputs=["grid"],
        outputs=["cells"],
        dynamic=[["batch"]],
    )
    plain, added = onnx.load(tmp_path / "image.onnx"), onnx.load(tmp_path / "branch.onnx")
    both = with_cells(plain, added)
    onnx.checker.check_model(both)
    assert [output.name for output in both.graph.output] == ["embeddings", "cells"]
    assert [output.name for output in with_cells(both, added).graph.output] == ["embeddings", "cells"]
    again = without_cells(both)
    assert len(again.graph.node) == len(plain.graph.node)
    assert {tensor.name for tensor in again.graph.initializer} == {
        tensor.name for tensor in plain.graph.initializer
    }


def test_the_head_of_a_tower_continues_from_its_pooled_features(tmp_path: Path) -> None:
    import onnxruntime

    write_tower(tmp_path / "image.onnx")
    head = head_of(onnx.load(tmp_path / "image.onnx"))
    session = onnxruntime.InferenceSession(head.SerializeToString(), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    (rows,) = session.run(None, {taken.name: np.array([[1, 0, 0]], dtype=np.float32)})  # all red
    expected = np.array([1.01, 0.01, 0.01, 0.01])
    assert rows[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_a_tower_without_a_grid_is_refused() -> None:
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "none", [], []))
    with pytest.raises(ModelError, match="does not end in a mean over a grid"):
        grid_output(empty)


# --- the loss ---------------------------------------------------------------------------------------


def test_the_loss_of_two_cells_by_hand() -> None:
    # One picture of two cells, two texts, each of one cell. Scores at temperature 1: own 1, other 0.
    cells = torch.eye(2)[None]  # (1, 2, 2)
    own = torch.tensor([[[True, False]], [[False, True]]])
    places = Places(torch.tensor([0, 0]), own, torch.ones(2, 1, 2, dtype=torch.bool))
    loss = place_loss(cells, torch.eye(2), places, 1.0, 1.0)
    # Each of the three terms is log(e + 1) - 1, for both texts.
    assert loss.item() == pytest.approx(3 * (np.log(np.e + 1) - 1), abs=1e-5)


def test_a_tile_is_as_good_as_its_best_cell() -> None:
    # A tile of a matching cell and one of "sky": log(e^10 + e^0) is still 10. The other tile scores 0.
    cells = torch.tensor([[[1.0, 0], [0, 1], [0, 1]]])
    own = torch.tensor([[[True, True, False]]])
    places = Places(torch.tensor([0]), own, torch.ones(1, 1, 3, dtype=torch.bool))
    assert place_loss(cells, torch.tensor([[1.0, 0]]), places, 0.1, 1.0).item() < 0.001


def test_cells_that_may_show_the_text_are_no_negatives() -> None:
    cells = torch.tensor([[[1.0, 0], [1, 0]]])
    own = torch.tensor([[[True, False]]])
    all_cells = Places(torch.tensor([0]), own, torch.ones(1, 1, 2, dtype=torch.bool))
    own_only = Places(torch.tensor([0]), own, own)
    assert place_loss(cells, torch.tensor([[1.0, 0]]), all_cells, 1.0, 0.0).item() == pytest.approx(np.log(2))
    assert place_loss(cells, torch.tensor([[1.0, 0]]), own_only, 1.0, 1.0).item() == pytest.approx(0)


def test_photos_with_or_without_a_list_may_show_an_object() -> None:
    part = CaptionedPhotos(
        (Path("a"), Path("b"), Path("c")),
        ("one", "two", "three"),
        np.arange(3),
        objects=(frozenset({"cat"}), frozenset({"dog"}), None),
    )
    texts = Texts.of(part, lambda some: np.eye(len(some), dtype=np.float32))
    rows = np.array([0, 3, 4])  # the text "one", the names "cat" and "dog"
    assert texts.may_show(0, rows).tolist() == [False, True, False]
    assert texts.may_show(1, rows).tolist() == [False, False, True]
    assert texts.may_show(2, rows).tolist() == [False, True, True]  # not known


# --- mosaics ----------------------------------------------------------------------------------------


def test_tiles_cover_a_square_once() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 8):
        covered = np.zeros((320, 320), dtype=int)
        for left, top, right, bottom in uneven_tiles(n, 320, rng):
            covered[top:bottom, left:right] += 1
        assert (covered == 1).all()


def test_cells_belong_to_the_tile_that_fills_them() -> None:
    assert tile_of_cells(grid_tiles(2, 8), 8, (4, 4)).tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    # A third of 9 pixels lies across cells of 2.25: the middle ones have 3/4 of no tile.
    assert -1 in tile_of_cells(grid_tiles(3, 9), 9, (4, 4))
    whole, small = (0, 0, 8, 8), (2, 2, 6, 6)
    expected = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert tile_of_cells((whole, small), 8, (4, 4)).tolist() == expected  # the later tile lies on top


def test_a_mosaic_shows_its_photos(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"{color}.png", color) for color in ("red", "lime", "blue", "white")]
    pixels = compose(photos, grid_tiles(2, 8), 8)
    assert [pixels[y, x].tolist() for y in (1, 6) for x in (1, 6)] == [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
    ]


def test_training_mosaics_have_different_photos_and_are_repeatable() -> None:
    drawn = [training_mosaic(50, 320, np.random.default_rng(n)) for n in range(200)]
    assert drawn == [training_mosaic(50, 320, np.random.default_rng(n)) for n in range(200)]
    assert all(len(set(one.photos)) == len(one.photos) == len(one.tiles) for one in drawn)
    assert {len(one.tiles) for one in drawn} == set(range(2, 8)) | {9}


def test_a_peak_is_right_where_the_tile_is_seen() -> None:
    mosaic = Mosaic((0, 1), pasted_tiles(0.5, 8, np.random.default_rng(0)))
    left, top, *_ = mosaic.tiles[1]
    heat = np.zeros((8, 8))
    heat[top + 1, left + 1] = 1
    assert peak_is_right(heat, mosaic, 1, 8) and not peak_is_right(heat, mosaic, 0, 8)


# --- the scale --------------------------------------------------------------------------------------


def test_the_scale_is_the_logistic_that_drew_the_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 40_000)
    shown = rng.random(40_000) < 1 / (1 + np.exp(-12 * (scores - 0.5)))
    scale = fitted_scale(scores[shown], scores[~shown])
    assert scale.middle == pytest.approx(0.5, abs=0.01) and scale.slope == pytest.approx(12, rel=0.05)


def test_scores_that_never_overlap_have_a_finite_scale() -> None:
    scale = fitted_scale(np.array([0.8, 0.9]), np.array([0.1, 0.2]))
    assert 0.2 < scale.middle < 0.8 and scale.slope < 1000


def test_grids_that_were_cut_off_go_on(tmp_path: Path) -> None:
    asked: list[int] = []

    def picture(at: int) -> np.ndarray:
        asked.append(at)
        return np.full((4, 4, 3), at, dtype=np.uint8)

    def reader(pixels: np.ndarray) -> np.ndarray:
        return pixels.transpose(0, 3, 1, 2).astype(np.float32)

    path = tmp_path / "grids.f16"
    assert write_grids(path, 3, picture, reader, SILENT)[:, 0, 0, 0].tolist() == [0, 1, 2]
    path.with_suffix(".done").write_text("2")  # as if it had been stopped after two
    asked.clear()
    assert write_grids(path, 3, picture, reader, SILENT)[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert asked == [0, 2]  # the first tells the shape


def test_a_model_of_another_project_is_refused(tmp_path: Path) -> None:
    seal(write_model(tmp_path / "model"), source={"name": "CLIP"})
    none = CaptionedPhotos((), (), np.empty(0, dtype=np.int64))
    with pytest.raises(ModelError, match="cells can only be added to models whose image tower was trained"):
        add_cells(str(tmp_path / "model"), none, none, seed=1, progress=SILENT)
