"""Replacing files in one step, and what a power cut finds at each moment of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.waiting import PATIENCE
from twobranch.common.atomic import replacing


def test_the_old_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), replacing(path) as partial:
        partial.write_text("half")
        raise OSError("full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_two_threads_of_one_process_do_not_write_the_same_partial_file(tmp_path: Path) -> None:
    names = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def write() -> None:
        with replacing(tmp_path / "a") as partial:
            names.append(partial.name)
            both.wait()  # both are writing at this moment
            partial.touch()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is synced and renamed, in this order; a folder by its name and a slash."""
    done: list[tuple[str, str]] = []
    opened: dict[int, str] = {}
    real_open, real_sync, real_replace = os.open, os.fsync, Path.replace

    def open_(path: str | Path, flags: int, *rest: int) -> int:
        descriptor = real_open(path, flags, *rest)
        opened[descriptor] = Path(path).suffix or f"{Path(path).name}/"
        return descriptor

    def fsync(descriptor: int) -> None:
        real_sync(descriptor)
        done.append(("sync", opened[descriptor]))

    def replace(self: Path, target: Path) -> Path:
        done.append(("rename", self.suffix))
        return real_replace(self, target)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return done


def test_the_content_is_synced_before_the_name_and_the_name_after(
    tmp_path: Path, done: list[tuple[str, str]]
) -> None:
    with replacing(tmp_path / "a") as partial:
        partial.write_text("new")
    assert done == [("sync", ".part"), ("rename", ".part"), ("sync", f"{tmp_path.name}/")]


def test_what_need_not_survive_a_power_cut_waits_for_no_disk(
    tmp_path: Path, done: list[tuple[str, str]]
) -> None:
    with replacing(tmp_path / "a", durable=False) as partial:
        partial.write_text("new")
    assert done == [("rename", ".part")]
