"""Names of added models, and their removal. Needs no extra."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import SHIPPED_MODELS, added_models

ADDING = ".adding"  # ends the name of an unfinished folder
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Origin:
    """The origin of a model, for its card and configuration."""

    name: str  # as its makers call it: a repository, or an architecture and a tag
    licence: str | None = None


def new_folder(name: str) -> Path:
    """Return the folder for a model that is to be added.

    Raises ``ModelError`` for a name that cannot be used or is taken.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name!r:.110}: not a name for a model; give one of letters, digits, '.', '_' and '-' "
            "with --name"
        )
    if (SHIPPED_MODELS / name).exists():
        raise ModelError(f"{name}: the name of a shipped model; choose another with --name")
    folder = added_models() / name
    if folder.exists():
        raise ModelError(
            f"{folder}: there is a model of this name; choose another with --name, "
            f"or remove it with `twobranch models remove {name}`"
        )
    return folder


def remove_model(name: str) -> Path:
    """Delete an added model, and return its folder.

    Raises ``ModelError`` for a name that was not added, and for a folder that cannot be deleted.
    """
    folder = added_models() / name
    if not _NAME.fullmatch(name) or not folder.is_dir():
        raise ModelError(f"{name}: no added model has this name; `twobranch models` lists them")
    aside = folder.with_name(f".{name}{ADDING}")  # deleted by a later addition if this is killed
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
            shutil.rmtree(aside)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be deleted ({error.strerror or error})") from None
    return folder
