"""Disks that are small, that may not be written to, and that vanish: mounted, which only root may do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*arguments: str | Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("mounts disks as Linux does")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Takes a disk away, whoever is at work on it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, kb: int) -> Iterator[None]:
    """A disk of so many kB at ``folder``; ``enlarge`` makes it larger."""
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kb}k", "tmpfs", folder)
    try:
        yield
    finally:
        unmount(folder)


def enlarge(folder: Path) -> None:
    _mount("-o", "remount,size=64m", folder)


def plug_in(disk: Path, folder: Path, *, read_only: bool = False) -> None:
    """The contents of ``disk`` appear at ``folder``, until ``unmount``."""
    folder.mkdir(exist_ok=True)
    _mount("--bind", disk, folder)
    if read_only:
        _mount("-o", "remount,bind,ro", folder)
