"""Download of models from Hugging Face, for ``models add`` alone.

Interrupted downloads go on where they stopped. Every large file is compared with its checksum. Only ONNX,
safetensors and text files are fetched, never pickles.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from twobranch.common.errors import ModelError
from twobranch.common.extras import install_command
from twobranch.common.paths import cache_folder
from twobranch.common.progress import Progress, showing
from twobranch.embedding.conversion.layouts import OPEN_CLIP_CONFIG, TEXTUAL, VISUAL
from twobranch.embedding.model_folder import CONFIG, first_line, sha256_file

_TEXT = (".json", ".txt", ".model")  # configurations and vocabularies
_WEIGHTS = (".safetensors",)
_ONNX = (".onnx", ".data", ".onnx_data")  # towers, and weights in files of their own
_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository."""

    name: str  # its path there
    size: int  # bytes
    sha256: str | None  # of large files


@dataclass(frozen=True)
class Repository:
    """The files of a model that would be downloaded."""

    name: str
    revision: str  # the commit
    licence: str | None
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def look_up(name: str) -> Repository:
    """Ask Hugging Face for the files of a repository.

    Raises ``ModelError`` when it cannot be reached, has no such repository, or that has no model in a known
    layout.
    """
    hub = _hub(name)
    with _hub_errors(name):
        info = hub.HfApi().model_info(name, files_metadata=True)
    siblings = [
        RemoteFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None)
        for one in info.siblings or []
    ]
    wanted = set(wanted_files([file.name for file in siblings]))
    if not wanted:
        raise ModelError(
            f"{name}: has no model that can be added; it needs {VISUAL} and {TEXTUAL}, or safetensors with "
            f"{OPEN_CLIP_CONFIG} or {CONFIG}"
        )
    card = info.card_data
    licence = (card.get("license_name") or card.get("license")) if card else None
    files = tuple(file for file in siblings if file.name in wanted)
    return Repository(name, info.sha or "main", licence, files)


def wanted_files(names: Sequence[str]) -> list[str]:
    """Choose the files of a model among those of a repository.

    There are none if its layout is not known."""
    there = set(names)
    paths = [PurePosixPath(name) for name in names]
    if {VISUAL, TEXTUAL} <= there:
        chosen = [
            path
            for path in paths
            if len(path.parts) == 2
            and path.parts[0] in ("visual", "textual")
            and path.suffix in (*_ONNX, *_TEXT)
        ]
        return [str(path) for path in chosen] + [CONFIG] * (CONFIG in there)
    top = [path for path in paths if len(path.parts) == 1]
    weights = [path for path in top if path.suffix in _WEIGHTS]
    if not weights or not {CONFIG, OPEN_CLIP_CONFIG} & there:
        return []
    if OPEN_CLIP_CONFIG in there:  # the same weights may be there for transformers as well
        weights = [path for path in weights if path.name.startswith("open_clip")] or weights
    return [str(path) for path in (*weights, *(path for path in top if path.suffix in _TEXT))]


def fetch(repository: Repository, progress: Progress) -> Path:
    """Download the files of a repository into our cache folder. Returns their folder.

    Files that are complete are not fetched again. Raises ``ModelError`` when the network fails, and for a
    file that differs from its checksum.
    """
    hub = _hub(repository.name)
    folder = cache_folder("downloads") / repository.name.replace("/", "--")
    with showing(progress, "MB", repository.size // 10**6), _hub_errors(repository.name, repository.files):
        for file in repository.files:
            hub.hf_hub_download(
                repository.name,
                file.name,
                revision=repository.revision,
                local_dir=folder,
                tqdm_class=_bar(progress),
            )
    for file in repository.files:
        path = folder / file.name
        if file.sha256 is not None and sha256_file(path) != file.sha256:
            path.unlink()
            raise ModelError(f"{path}: damaged by the download; run the same command to fetch it again")
    return folder


def _bar(progress: Progress) -> type[Any]:
    """Return a tqdm class that reports to ``progress``, in megabytes."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        """Counts bytes, and shows nothing itself."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            kwargs["disable"] = True
            self._bytes = 0
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> None:
            before = self._bytes // 10**6
            self._bytes += int(n or 0)
            if self._bytes // 10**6 > before:
                progress.advance(self._bytes // 10**6 - before)

    return Bar


def _hub(name: str) -> Any:
    """Import huggingface_hub, with its telemetry off. Raises ``ModelError`` where it is not installed."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        import huggingface_hub
    except ImportError:
        raise ModelError(
            f"{name}: no such folder; to download a model of this name, install an extra: "
            f"{install_command('models')}"
        ) from None
    return huggingface_hub


@contextmanager
def _hub_errors(name: str, files: Sequence[RemoteFile] = ()) -> Iterator[None]:
    """Turn errors of the hub and the network into ``ModelError``.

    Its message says how to do without a network."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ModelError(
            f"{name}: neither a folder here nor a public model on {_HUB}; give a folder, or a name like "
            "immich-app/ViT-B-32__openai"
        ) from None
    except ModelError:
        raise
    except Exception as error:  # of several HTTP libraries, without a public base
        listed = ", ".join(file.name for file in files) or (
            f"{CONFIG}, visual/ and textual/ of an Immich export, or {CONFIG}, the tokenizer's files and the "
            "*.safetensors of another"
        )
        raise ModelError(
            f"{name}: cannot be downloaded ({first_line(error)}); run the same command again when there is a "
            f"network, or fetch the files of {_HUB}/{name} elsewhere ({listed}), put them into a folder here "
            "as they lie there, and add that folder"
        ) from None
