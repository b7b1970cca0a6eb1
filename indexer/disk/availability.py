"""Gone for good, or only out of reach: no photo leaves the library because its drive is away.

A drive that is away leaves its mount point empty, or takes it along; an error of any other kind says nothing
about what was there. All of these ask the disk, and none raises ``OSError`` unless it says so.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twobranch.common.paths import is_folder

# Where systems make a folder for each drive and take it away with the drive.
DRIVES = re.compile(r"/mnt|/Volumes|/media(/[^/]+)?|/run/media/[^/]+")


def is_there(path: Path) -> bool:
    """False for a file or folder that is missing; what is out of reach is not gone."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def can_be_listed(folder: Path) -> bool:
    """True for a folder that we can look into."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False


def leads_anywhere(path: Path) -> bool:
    """False for a link to nothing, as one to a drive that is away."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def is_same_folder(folder: Path, before: os.stat_result) -> bool:
    """False for a folder that went since ``before``, or was the mount point of a drive that went."""
    try:
        now = os.stat(folder)
    except OSError:
        return False
    return (now.st_dev, now.st_ino) == (before.st_dev, before.st_ino)


def is_empty(folder: Path) -> bool:
    """True for a folder with nothing at all in it. Raises ``OSError`` for one that cannot be listed."""
    return not any(folder.iterdir())


def may_be_mount_point(folder: Path) -> bool:
    """True for a folder that is empty, or cannot be listed any more: a drive that went leaves it so."""
    try:
        return is_empty(folder)
    except OSError:
        return True


def may_be_unmounted(path: Path) -> bool:
    """True for a missing path that may be away with its drive: so may its folder, or that is left empty."""
    return bool(DRIVES.fullmatch(path.parent.as_posix())) or may_be_mount_point(path.parent)


def may_be_away(path: Path) -> bool:
    """True for a path that is empty, or missing with all about it: so it looks when its drive is away."""
    try:
        return is_empty(path) if is_folder(path) else not is_there(path) and may_be_unmounted(path)
    except OSError:  # not to be listed: a scan says so
        return False


def is_deleted(path: Path, root: Path) -> bool:
    """True for a path in a root that is missing while the root is there and not an empty mount point."""
    return not is_there(path) and not may_be_mount_point(root)


def drives_away(drives: frozenset[str], mounted: frozenset[str], filled: frozenset[str]) -> frozenset[str]:
    """The folders out of ``drives`` whose drive is away.

    ``drives`` had a drive with photos mounted when they were last scanned; ``mounted`` have one now, and
    ``filled`` are not empty.
    """
    return drives - mounted - filled
