"""Errors that a user can cause and fix. Everything else is a bug and keeps its traceback."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """An error that a user can fix, described in one line.

    The line states the fact, the file and the next command. The command line prints it on stderr and exits 1.
    """


class ImageError(UserError):
    """A photo that cannot be read. ``reason`` is the short text that ``status`` lists."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LargeImageError(ImageError):
    """A photo of more pixels than may be decoded."""

    def __init__(self, path: Path | str, reason: str, pixels: int) -> None:
        super().__init__(path, reason)
        self.pixels = pixels


class ModelError(UserError):
    """A missing, damaged or unknown model folder."""


class LibraryError(UserError):
    """A missing, empty, damaged or newer library folder."""


class LibraryBusyError(LibraryError):
    """A library that another process is indexing."""


class CaptionFileError(UserError):
    """A caption file or split list of no known format."""
