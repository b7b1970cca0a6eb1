"""Export of towers as ONNX files, which indexing and searching run."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from twobranch.embedding.conversion.storage import forget_source


def write_onnx(
    module: nn.Module,
    example: Sequence[Tensor],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: Sequence[Sequence[str]],
) -> None:
    """Write ``module`` as one ONNX file.

    ``dynamic`` names, per input, the leading axes that vary.
    """
    shapes = tuple({axis: torch.export.Dim(name) for axis, name in enumerate(names)} for names in dynamic)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(example),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            optimize=True,
            verbose=False,
        )
        assert program is not None
        model = program.model_proto
    forget_source(model)
    onnx.save(model, path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's output.

    It prints its stages and warns about its own internals.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
