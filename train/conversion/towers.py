"""Writing the halves of a model as towers and a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twobranch.common.errors import ModelError
from twobranch.common.progress import Progress
from twobranch.embedding.conversion.compress import (
    SAMPLE_TEXTS,
    compress_towers,
    least_cosine,
    sample_pixels,
    unit_rows,
)
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.conversion.layouts import Layout
from twobranch.embedding.model_folder import IMAGE_TOWER, TEXT_TOWER, TOKENIZER, first_line
from twobranch.embedding.text_inputs import TokensInput
from twobranch.train.conversion.source_model import ImageTower, SourceModel, TextTower
from twobranch.train.output.export import write_onnx

EXPORT_COSINE = 0.9999  # least cosine of a vector of an exported tower with PyTorch's
_EXAMPLE_TOKENS = 9  # any number that is no other size in the network


def write_towers(folder: Path, model: SourceModel, layout: Layout, progress: Progress) -> Converted:
    """Write both towers and the tokenizer into ``folder``.

    Each tower is compared with PyTorch, then compressed. Raises ``ModelError`` for a tower that cannot
    be exported or gives other vectors.
    """
    text = model.text
    text.tokenizer.save(str(folder / TOKENIZER))
    texts = TokensInput(folder / TOKENIZER, text.max_tokens, text.tokens)
    images = {"pixels": sample_pixels(model.image.size)}
    progress.note("exporting the image tower")
    cosines = {IMAGE_TOWER: _write(ImageTower(model.image), images, folder / IMAGE_TOWER, [["batch"]])}
    progress.note("exporting the text tower")
    axes = ["batch"] if text.tokens.padded else ["batch", "length"]
    sentences = texts.inputs(SAMPLE_TEXTS)
    cosines[TEXT_TOWER] = _write(TextTower(text), sentences, folder / TEXT_TOWER, [axes, axes])
    checks = {f"cosine of {name} with PyTorch": f"{cosine:.6f}" for name, cosine in cosines.items()}
    progress.note("compressing the towers")
    return Converted(
        layout=layout,
        image_size=model.image.size,
        framing=model.image.framing,
        tokens=text.tokens,
        max_tokens=text.max_tokens,
        architecture=model.architecture,
        checks=checks | compress_towers(folder, model.image.size, texts),
    )


def _write(
    tower: nn.Module, inputs: Mapping[str, NDArray[Any]], path: Path, dynamic: Sequence[Sequence[str]]
) -> float:
    """Write one tower.

    Returns the least cosine of its vectors with PyTorch's. Raises ``ModelError``.
    """
    with torch.no_grad():
        tensors = [torch.from_numpy(array) for array in inputs.values()]
        try:
            expected = tower(*tensors).numpy()
            write_onnx(
                tower,
                [_example(one, axes) for one, axes in zip(tensors, dynamic, strict=True)],
                path,
                inputs=list(inputs),
                outputs=["rows"],
                dynamic=dynamic,
            )
        except OSError:  # a full disk
            raise
        except Exception as error:  # of the network or the exporter, which has many
            raise ModelError(
                f"{path.name}: this architecture cannot be exported ({first_line(error)}); add another model"
            ) from None
    cosine = least_cosine(expected, unit_rows(path, inputs))
    if not cosine >= EXPORT_COSINE:  # also for NaN
        raise ModelError(
            f"{path.name}: the exported tower gives other vectors than PyTorch (cosine {cosine:.4f}, the "
            f"least allowed is {EXPORT_COSINE}); the model is not added"
        )
    return cosine


def _example(tensor: Tensor, axes: Sequence[str]) -> Tensor:
    """Return two rows of an input, of ``_EXAMPLE_TOKENS`` where their length varies.

    Sizes of 1 would be taken as fixed.
    """
    rows = tensor[:2]
    return rows if len(axes) == 1 else rows.repeat(1, _EXAMPLE_TOKENS)[:, :_EXAMPLE_TOKENS]
