"""Several models evaluated side by side, on photos that can be ranked by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from tests.indexing import in_batches
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.tables import comparison_table
from twobranch.retrieval.evaluation.comparison import comparison_json
from twobranch.retrieval.evaluation.evaluate import evaluate, evaluate_models, history, history_json
from twobranch.retrieval.evaluation.fused import compare_fused


class ColourBlind(FakeEncoder):
    """Takes red for green and green for red."""

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().encode_pixels(pixels[..., [1, 0, 2]])


SEEING, BLIND = FakeEncoder("seeing", "1"), ColourBlind("blind", "2")


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "captions.csv"
    path.write_text(
        "image,caption,split\n"
        "red.png,red,test\nred.png,blue,test\n"
        "green.png,green,test\ngreen.png,green green,test\n"
        "blue.png,blue,dev\n"
    )
    return path


@pytest.fixture
def catalog(library: Path, photos: Path, captions: Path) -> Catalog:
    """red, green and blue, indexed with the blind model, then with the seeing one."""
    update_library(library, [photos], BLIND, captions=captions)
    update_library(library, [photos], SEEING)
    return Catalog.open(library)


def test_two_models_by_hand(catalog: Catalog) -> None:
    seeing, blind = evaluate_models(catalog, ["seeing", "blind"], ks=[1, 2], split=None, command="test")
    assert seeing.text_ranks.tolist() == [1, 3, 1, 1, 1]  # as in test_evaluate
    # In the order "red", both "blue", "green", "green green". For the blind model the red photo is (0, 1, 0)
    # and the green one (1, 0, 0). "red" scores 0 with red.png and blue.png, 1 with green.png: rank 3. So does
    # "green", the other way round. "blue" is right for blue.png alone.
    assert blind.text_ranks.tolist() == [3, 3, 1, 3, 3]
    # blue.png ties with the "blue" of red.png: 2. Of green.png both captions score 0, as the two "blue";
    # "red" scores 1: rank 4. Of red.png both score 0; both of green.png score 1, the other "blue" 0: rank 4.
    assert blind.image_ranks.tolist() == [2, 4, 4]
    assert (seeing.n_images, seeing.n_captions) == (blind.n_images, blind.n_captions) == (3, 5)

    facts = comparison_json([seeing, blind], [1, 2])
    assert [one["model"] for one in facts["models"]] == ["seeing", "blind"]
    assert facts["models"][0] == seeing.as_json()
    (difference,) = facts["differences"]
    assert (difference["model"], difference["to"]) == ("blind", "seeing")
    # Text to image R@1: 20 - 80. Image to text: 0 - 66.67. R@5 and R@10 are 100, so the rsums differ by both.
    assert difference["text_to_image"]["R@1"] == -60
    assert difference["image_to_text"]["R@1"] == -66.67
    assert difference["rsum"] == -126.67
    low, high = difference["rsum_ci95"]
    assert -200 <= low < -126.67 < high <= 0


def test_the_table_has_each_difference_below_its_model(catalog: Catalog) -> None:
    results = evaluate_models(catalog, ["seeing", "blind"], ks=[1], split=None, command="test")
    lines = comparison_table(comparison_json(results, [1]), [1]).splitlines()
    assert [line.split("  ")[0] or line.split()[0] for line in lines] == [
        *("text to image", "seeing", "blind", "difference"),
        *("image to text", "seeing", "blind", "difference"),
        *("rsum", "seeing", "blind", "difference"),
        "differences to seeing, with paired intervals of 95%, over 3 photos, 5 captions",
    ]
    assert lines[3].split()[1] == "-60.0"


def test_each_model_is_stored(catalog: Catalog) -> None:
    evaluate_models(catalog, ["blind", "seeing"], ks=[1], split="test", command="cli.py eval")
    rows = [history_json(row) for row in history(catalog)]
    assert [(row["model"], row["split"], row["command"]) for row in rows] == [
        ("blind", "test", "cli.py eval"),
        ("seeing", "test", "cli.py eval"),
    ]


def test_one_name_is_a_model_of_its_own_and_none_is_that_of_searches(catalog: Catalog) -> None:
    (blind,) = evaluate_models(catalog, ["blind"], ks=[1], split=None, command="test")
    assert (blind.model, blind.metrics.text_to_image.recall[1]) == ("blind", 20)
    assert evaluate(catalog, ks=[1], split=None, command="test").model == "seeing"


def test_what_a_model_lacks_is_left_out_for_all(library: Path, photos: Path, catalog: Catalog) -> None:
    write_photo(photos / "new.png", "yellow")
    captions = photos.parent / "more.csv"
    captions.write_text("image,caption\nnew.png,red green\n")
    update_library(library, [photos], SEEING, captions=captions)  # the blind model is only kept
    progress = RecordedProgress()
    both = evaluate_models(
        catalog, ["seeing", "blind"], ks=[1], split=None, command="test", progress=progress
    )
    assert [(one.n_images, one.n_captions) for one in both] == [(3, 5), (3, 5)]
    assert progress.notes == [
        "blind lacks 1 of the 6 captions, or their photos; they are left out for all models; "
        "`index --model blind` completes it"
    ]
    assert evaluate(catalog, ks=[1], split=None, command="test").n_captions == 6


def test_a_model_without_vectors_is_one_clear_line(catalog: Catalog) -> None:
    with pytest.raises(UserError) as error:
        evaluate_models(catalog, ["seeing", "clip"], ks=[1], split=None, command="test")
    assert str(error.value) == (
        "clip: the library has no vectors of this model (it has those of blind, seeing); "
        "encode its photos with `index --model clip`"
    )
    assert history(catalog) == []


def test_a_model_whose_first_run_was_interrupted(library: Path, photos: Path, catalog: Catalog) -> None:
    with pytest.raises(KeyboardInterrupt):  # before its captions
        update_library(library, [photos], FakeEncoder("third", "3", interrupt_after=2), effort=in_batches(1))
    with pytest.raises(UserError, match="complete those of third with `index --model third`"):
        evaluate_models(catalog, ["seeing", "third"], ks=[1], split=None, command="test")


def test_a_model_named_twice(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="blind: this model is named twice"):
        evaluate_models(catalog, ["blind", "seeing", "blind"], ks=[1], split=None, command="test")


def test_copies_of_a_photo_are_one_for_both_models(
    library: Path, photos: Path, captions: Path, catalog: Catalog
) -> None:
    (photos / "copy.png").write_bytes((photos / "red.png").read_bytes())
    captions.write_text(captions.read_text() + "copy.png,red,test\n")
    for encoder in (BLIND, SEEING):
        update_library(library, [photos], encoder, captions=captions)
    for result in evaluate_models(catalog, ["seeing", "blind"], ks=[1], split=None, command="test"):
        assert (result.n_images, result.n_captions) == (3, 5)


def test_words_beside_the_photos_of_each_model(catalog: Catalog) -> None:
    seeing, blind = compare_fused(catalog, ["seeing", "blind"], ks=[1], split=None)
    assert (seeing["visual"]["R@1"], blind["visual"]["R@1"]) == (80, 20)
    assert compare_fused(catalog, (), ks=[1], split=None) == [seeing]
