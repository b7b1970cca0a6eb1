"""Tell deleted photos from photos on a disconnected drive.

No photo leaves the library because its drive is disconnected. Such a drive leaves its mount point empty, or
the mount point disappears too. Any other error says nothing about the files. All functions here read the
disk, and none raises ``OSError`` unless it says so.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twobranch.common.paths import is_folder

# Folders in which systems create a mount point for each drive and remove it with the drive.
DRIVES = re.compile(r"/mnt|/Volumes|/media(/[^/]+)?|/run/media/[^/]+")


def is_there(path: Path) -> bool:
    """Return False for a missing file or folder. A path that cannot be reached counts as present."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def can_be_listed(folder: Path) -> bool:
    """Return True for a folder that can be listed."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False


def leads_anywhere(path: Path) -> bool:
    """Return False for a broken link. A link to a disconnected drive is one."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def is_same_folder(folder: Path, before: os.stat_result) -> bool:
    """Return True if the folder is still the one seen before.

    ``before`` is its earlier status. False if the folder disappeared or its drive was disconnected.
    """
    try:
        now = os.stat(folder)
    except OSError:
        return False
    return (now.st_dev, now.st_ino) == (before.st_dev, before.st_ino)


def is_empty(folder: Path) -> bool:
    """Return True for a folder with no entries. Raises ``OSError`` for one that cannot be listed."""
    return not any(folder.iterdir())


def may_be_mount_point(folder: Path) -> bool:
    """Return True for a folder that is empty or cannot be listed.

    A disconnected drive leaves its mount point so.
    """
    try:
        return is_empty(folder)
    except OSError:
        return True


def may_be_unmounted(path: Path) -> bool:
    """Return True if a missing path may be on a disconnected drive.

    Its folder is then one that holds mount points, or may be an empty mount point.
    """
    return bool(DRIVES.fullmatch(path.parent.as_posix())) or may_be_mount_point(path.parent)


def may_be_away(path: Path) -> bool:
    """Return True for a path whose drive may be disconnected.

    Such a path is an empty folder, or is missing and its folder may be a mount point.
    """
    try:
        return is_empty(path) if is_folder(path) else not is_there(path) and may_be_unmounted(path)
    except OSError:  # the folder cannot be listed; a scan reports it
        return False


def is_deleted(path: Path, root: Path) -> bool:
    """Return True for a missing path whose root is present. The root must not be an empty mount point."""
    return not is_there(path) and not may_be_mount_point(root)


def drives_away(drives: frozenset[str], mounted: frozenset[str], filled: frozenset[str]) -> frozenset[str]:
    """Return the folders out of ``drives`` whose drive is disconnected.

    ``drives`` are folders where a drive with photos was mounted at the last scan; ``mounted`` are those where
    one is mounted now, and ``filled`` those that are not empty.
    """
    return drives - mounted - filled
