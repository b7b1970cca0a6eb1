"""The files of another project's model: configurations and safetensors."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twobranch.common.errors import ModelError, UserError
from twobranch.embedding.model_folder import first_line

_WEIGHTS = ".safetensors"
_LAYER = re.compile(r"\.\d+\.")  # in a tensor's name
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


def read_table(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ``ModelError``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; copy the whole model folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({first_line(error)}); copy the file again") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: not a JSON object; copy the file again")
    return data


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder, sorted. Raises ``ModelError`` if there are none."""
    found = sorted(folder.glob(f"*{_WEIGHTS}"))
    if found:
        return found
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise ModelError(
            f"{folder / pickles[0]}: a pickle, which can run code when it is read, so it is never loaded; "
            f"fetch or convert the weights as {_WEIGHTS}"
        )
    raise ModelError(f"{folder}: no *{_WEIGHTS} file, so no weights; copy the whole model folder")


def tensor_shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes of all tensors, without the tensors. Raises ``ModelError``."""
    from safetensors import safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as tensors:
                shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 (not a dict)
        except Exception as error:  # of safetensors, without a public base
            raise ModelError(f"{path}: cannot be read ({first_line(error)}); copy the file again") from None
    return shapes


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn errors of other libraries into ``ModelError``, and keep them quiet.

    They log warnings about their own defaults, and draw progress bars.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with Path(os.devnull).open("w") as sink, contextlib.redirect_stderr(sink):
            yield
    except UserError:
        raise
    # Each library has exceptions of its own for wrong configurations, missing files and other shapes.
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"{folder}: the model cannot be read ({reason}); copy the whole folder again"
        ) from None
    finally:
        logging.disable(level)


def check_tensors(
    folder: Path, missing: Sequence[str], misshapen: Sequence[str], unknown: Sequence[str]
) -> None:
    """Raise ``ModelError`` for weights that are not those of the network.

    ``missing`` are tensors that only the network has, ``unknown`` those that only the weights have; among
    these only layers matter, since old checkpoints have buffers and heads that no tower uses.
    """
    without_layer = [name for name in unknown if _LAYER.search(name)]
    for names, fact in (
        (misshapen, "the configuration has another size for"),
        (missing, "the weights lack"),
        (without_layer, "the configuration has no layer for"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(
                f"{folder}: {fact} {min(names)}{more}; weights and configuration are not of one model: copy "
                "the whole folder again"
            )
