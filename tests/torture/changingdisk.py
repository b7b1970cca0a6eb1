"""A disk on which photos, folders, drives and a caption file come, change, move and go."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.torture.plainmodels import COLORS, PNGS

BROKEN = "broken"
FOLDERS = ("one", "one/sub", "one/raw", "two", "two/sub")
NAMES = ("a.png", "b.png", "c.png")
FREE = ("three", "four")  # where folders are moved to

folders = st.sampled_from(FOLDERS + FREE)
files = st.builds("{}/{}".format, folders, st.sampled_from(NAMES))
contents = st.sampled_from([*COLORS, *COLORS, BROKEN])


def happens(**arguments: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """A rule for what happens to the disk; every other time a plain `index` follows."""

    def decorate(happen: Callable[..., None]) -> Any:
        @rule(index_after=st.booleans(), **arguments)
        def happen_and_index(self: Disk, index_after: bool, **values: Any) -> None:
            happen(self, **values)
            if index_after:
                self.index_again()

        return happen_and_index

    return decorate


class Disk(RuleBasedStateMachine):
    """The folder ``top`` of photos in a few colours, with captions of them in a file."""

    parent: Path

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(dir=self.parent))
        self.clock = itertools.count(1_600_000_000)
        self.caption_file = self.top / "captions.csv"
        self.written: dict[tuple[str, str], None] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.top)

    def index_again(self) -> None:
        """What a plain `index` does, if there is a library."""
        raise NotImplementedError

    def put(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.touched(path)

    def touched(self, path: Path) -> None:
        """Gives a file a time that none had before: clocks are coarser than this test is fast."""
        time = next(self.clock) * 10**9
        os.utime(path, ns=(time, time))

    def file(self, pick: int) -> Path | None:
        """One of the photo files."""
        found = sorted(path for path in self.top.rglob("*.png"))
        return found[pick % len(found)] if found else None

    @happens(path=files, content=contents)
    def write(self, path: str, content: str) -> None:
        self.put(self.top / path, PNGS.get(content, b"no picture"))

    @happens(colors=st.lists(st.sampled_from([*COLORS]), min_size=2, max_size=4), folder=folders)
    def fill(self, colors: list[str], folder: str) -> None:
        for name, color in zip(NAMES, colors, strict=False):
            self.put(self.top / folder / name, PNGS[color])

    @happens(pick=st.integers(0, 30))
    def touch(self, pick: int) -> None:
        if (path := self.file(pick)) is not None:
            self.touched(path)

    @happens(pick=st.integers(0, 30))
    def remove(self, pick: int) -> None:
        if (path := self.file(pick)) is not None:
            path.unlink()

    @happens(pick=st.integers(0, 30), to=files)
    def rename(self, pick: int, to: str) -> None:
        if (path := self.file(pick)) is not None:
            (self.top / to).parent.mkdir(parents=True, exist_ok=True)
            path.rename(self.top / to)

    @happens(pick=st.integers(0, 30), to=files)
    def copy(self, pick: int, to: str) -> None:
        path = self.file(pick)
        if path is not None and path != self.top / to:
            self.put(self.top / to, path.read_bytes())

    @happens(folder=folders)
    def remove_folder(self, folder: str) -> None:
        shutil.rmtree(self.top / folder, ignore_errors=True)

    @happens(folder=folders, to=folders)
    def rename_folder(self, folder: str, to: str) -> None:
        if (self.top / folder).is_dir() and not (self.top / to).exists() and not to.startswith(f"{folder}/"):
            (self.top / to).parent.mkdir(parents=True, exist_ok=True)
            (self.top / folder).rename(self.top / to)

    @happens(folder=folders, mount_point=st.booleans())
    def drive_goes(self, folder: str, mount_point: bool) -> None:
        away = self.top / ".away" / folder.replace("/", "-")
        if (self.top / folder).is_dir() and not away.exists():
            away.parent.mkdir(exist_ok=True)
            (self.top / folder).rename(away)
            if mount_point:
                (self.top / folder).mkdir()

    @happens(folder=folders)
    def drive_comes_back(self, folder: str) -> None:
        away, here = self.top / ".away" / folder.replace("/", "-"), self.top / folder
        if away.exists() and not (here.exists() and any(here.iterdir())):
            here.parent.mkdir(parents=True, exist_ok=True)
            away.rename(here)

    @happens(name=st.sampled_from(NAMES), text=st.sampled_from(["red", "a blue wall", "green"]))
    def caption(self, name: str, text: str) -> None:
        """Adds a caption, or takes away the one that is there."""
        if (name, text) in self.written and len(self.written) > 1:
            del self.written[name, text]
        else:
            self.written[name, text] = None
        self.write_captions(self.written)

    def write_captions(self, captions: dict[tuple[str, str], None]) -> None:
        self.written = captions
        lines = ["image,caption", *(f"{name},{text}" for name, text in captions)]
        self.caption_file.write_text("\n".join(lines) + "\n")
        self.touched(self.caption_file)
