"""Errors that a user can cause and mend; everything else is a bug and keeps its traceback."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """What went wrong, in one line a user can act on: the fact, the file, the next command.

    Only ``cli.py`` catches it, prints the line on stderr and exits 1.
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
    """A model folder that is missing, damaged or of a version this program does not know."""


class LibraryError(UserError):
    """A library folder that is missing, empty, damaged or newer than this program."""


class LibraryBusyError(LibraryError):
    """A library that somebody else is indexing."""


class CaptionFileError(UserError):
    """A caption file or split list that cannot be read as any known format."""
