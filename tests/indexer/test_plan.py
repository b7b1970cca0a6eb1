"""What a number of photos takes: arithmetic by hand, and a measurement of real photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeEncoder
from twobranch.common.errors import UserError
from twobranch.embedding.preprocess import REGIONS
from twobranch.indexer.update.plan import Rates, extrapolate, measure, plan
from twobranch.indexer.update.run import Effort
from twobranch.retrieval.display.tables import plan_text

# A machine that indexes 50 photos a second, and compares 1 GB of vectors or a million codes.
RATES = Rates(model="tiny", photos=50, sample="a test", multiplications=1e11, exact_bytes=1e9, codes=1e6)


def test_a_small_library_is_searched_exactly(tmp_path: Path) -> None:
    planned = extrapolate(100_000, 512, RATES, Effort(1, memory_mb=400), tmp_path)
    assert (planned.lists, planned.probes, planned.building_s) == (None, None, 0)
    assert planned.encoding_s == 100_000 / 50
    assert planned.index_bytes == 100_000 * (4 * 512 + 8)
    assert planned.catalog_bytes == 100_000 * (4 * 512 + 500)
    assert planned.query_s == pytest.approx(100_000 * 4 * 512 / 1e9)
    assert planned.indexing_memory == 400_000_000


def test_a_large_library_gets_inverted_lists(tmp_path: Path) -> None:
    planned = extrapolate(1_000_000, 512, RATES, Effort(1), tmp_path)
    # 2 * sqrt(1,000,000) = 2,000; the nearest power of two is 2,048. 0.7 * sqrt(2,048) = 31.7.
    assert (planned.lists, planned.probes) == (2048, 32)
    assert planned.index_bytes == 1_000_000 * (512 + 8) + 2048 * 2048
    # Each vector, and each of 40 * 2,048 training vectors ten times, is compared with 2,048 centres.
    assert planned.building_s == pytest.approx(2 * 512 * 2048 * (1_000_000 + 10 * 40 * 2048) / 1e11)
    # 32 of 2,048 lists, and the 2,048 centres.
    assert planned.query_s == pytest.approx(1_000_000 / 64 / 1e6 + 2048 * 2048 / 1e9)


def test_indexing_is_measured_on_the_photos_that_are_named(photos: Path, library: Path) -> None:
    before = sorted(photos.rglob("*"))
    encoder = FakeEncoder()
    rates = measure([photos], encoder, Effort(1))
    assert encoder.encoded_images == 3
    assert rates.sample == "3 of these photos"
    assert rates.model == "fake"
    assert min(rates.photos, rates.multiplications, rates.exact_bytes, rates.codes) > 0
    assert sorted(photos.rglob("*")) == before
    assert not library.exists()


def test_without_a_folder_photos_are_made_up(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    assert measure([], encoder, Effort(1)).sample == "generated photos, 12 megapixels"
    assert encoder.encoded_images == 48  # each counts as another photo


def test_a_home_folder_may_be_written_as_a_tilde(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos.parent))
    assert measure([Path("~/photos")], FakeEncoder(), Effort(1)).sample == "3 of these photos"


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no photos in .*empty"):
        plan(10, tmp_path, [tmp_path / "empty"], FakeEncoder())
    (tmp_path / "empty" / "a.jpg").write_text("no photo")
    with pytest.raises(UserError, match=r"none of 1 photos can be read; .*a\.jpg: not an image"):
        plan(10, tmp_path, [tmp_path / "empty"], FakeEncoder())


def test_a_plan_says_what_is_too_much_for_the_machine(tmp_path: Path) -> None:
    effort = Effort(1)
    text = plan_text(extrapolate(10**12, 512, RATES, effort, tmp_path), effort)
    assert "warning: not enough disk: 3068.0 TB of " in text
    assert "warning: not enough memory to sort the vectors into lists: " in text
    assert "model     tiny" in text
    assert "231481.5 days at 50.0 images/s" in text
    assert "warning" not in plan_text(extrapolate(1000, 512, RATES, effort, tmp_path), effort)


def test_windows_of_photos_are_part_of_a_plan(tmp_path: Path) -> None:
    """Ten thousand photos and nine windows of each are 100,000 vectors: ten times the bytes of an index."""
    without = extrapolate(10_000, 512, RATES, Effort(1), tmp_path)
    planned = extrapolate(10_000, 512, RATES, Effort(1), tmp_path, windows=9)
    assert planned.index_bytes == 10 * without.index_bytes
    assert planned.query_s == pytest.approx(10 * without.query_s)
    assert planned.catalog_bytes > 9 * without.catalog_bytes


def test_a_plan_measures_with_windows(photos: Path, library: Path) -> None:
    encoder = FakeEncoder()
    plan(10, library, [photos], encoder, regions=True)
    assert encoder.encoded_windows == 3 * len(REGIONS)
