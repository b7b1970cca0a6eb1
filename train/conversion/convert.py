"""Conversion of models of transformers and open_clip to towers."""

from __future__ import annotations

from pathlib import Path

from twobranch.common.progress import Progress
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.conversion.layouts import layout_of
from twobranch.embedding.model_folder import CONFIG
from twobranch.train.conversion.multilingual_clip import MODEL_TYPE, read_multilingual_clip
from twobranch.train.conversion.open_clip_models import read_open_clip
from twobranch.train.conversion.source_files import read_table
from twobranch.train.conversion.source_model import SourceModel
from twobranch.train.conversion.towers import write_towers
from twobranch.train.conversion.transformers_models import read_transformers


def convert(source: Path, folder: Path, progress: Progress) -> Converted:
    """Write the towers and the tokenizer of a model into ``folder``.

    ``source`` is a folder of transformers or open_clip, with safetensors. Raises ``ModelError`` for a model
    that is damaged, of an unknown kind, or gives other vectors than PyTorch once it is converted.
    """
    layout = layout_of(source)
    progress.note("reading the model")
    return write_towers(folder, read_model(source), layout, progress)


def import_packages() -> None:
    """Import what conversion needs, to know that all is there. Raises ``ImportError``."""
    import open_clip
    import safetensors
    import transformers

    del open_clip, safetensors, transformers


def read_model(source: Path) -> SourceModel:
    """Read the model in a folder of transformers or open_clip. Raises ``ModelError``."""
    if layout_of(source) == "open_clip":
        return read_open_clip(source)
    if read_table(source / CONFIG).get("model_type") == MODEL_TYPE:
        return read_multilingual_clip(source)
    return read_transformers(source)
