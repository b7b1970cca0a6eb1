"""Model folders: ``config.json`` and the files it names, with checksums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from twobranch.common.atomic import replacing
from twobranch.common.errors import ModelError
from twobranch.common.paths import data_folder, expanded
from twobranch.embedding.cell_scale import CellScale
from twobranch.embedding.preparation import Framing, Tokens

FORMAT = 1
CONFIG = "config.json"
# The checksum of config.json, as sha256sum writes it. Through config.json it covers all other files. Older
# model folders have none.
CONFIG_CHECKSUM = "config.sha256"
IMAGE_TOWER = "image.onnx"
TEXT_TOWER = "text.onnx"
TOKENIZER = "tokenizer.json"
# The second text tower, for languages other than English, if the model has one.
TEXT_TOWER_LANGUAGES = "text-languages.onnx"
TOKENIZER_LANGUAGES = "tokenizer-languages.json"
IMAGE_TOWER_INT8 = "image-int8.onnx"  # the image tower quantised to 8 bits (train.output.quantise)
# Marks in fingerprints. The first is for means over `preprocess.TTA`; other views need another mark.
_VIEWS = "+mirrored-centre-0.85"
_INT8 = "+int8-"
RSUM_INT8 = "rsum_int8"  # a key of the dev metrics
CALIBRATION = "calibration.npz"  # from scores to probabilities, optional (retrieval.confidence)
SHIPPED_MODELS = Path(__file__).parent / "models"
MODELS_VARIABLE = "TWOBRANCH_MODELS"  # the environment variable that names another folder for added models

ADVICE = "copy the model folder again, or make the model anew"  # ends each message about a bad model file
# Far above any existing model, and low enough that nothing fills the memory before a tower is checked.
_MOST = {"image_size": 4096, "dim": 65_536, "max_tokens": 8192}
_LEAST_TOKENS = 3  # the two special tokens, and one piece of the sentence
_LONGEST_REASON = 300  # characters of a library's error message
# Entries that older models lack. They are left out where empty, which keeps the fingerprints of those models.
_ASIDE = ('"cells"', '"cost"', '"templates"')  # entries that a fingerprint leaves out
_LATER = ("languages", "cells", "framing", "tokens", "templates", "source", "cost")

TextKind = Literal["words", "wordpiece", "tokenizer"]


@dataclass(frozen=True)
class Variant:
    """The way a model encodes photos. Vectors of two variants are never compared."""

    tta: bool = False  # the mean over two views of a photo
    int8: bool = False  # the image tower quantised to 8 bits

    @classmethod
    def of_fingerprint(cls, fingerprint: str) -> Variant:
        """Return the variant of vectors with this fingerprint."""
        return cls(fingerprint.endswith(_VIEWS), _INT8 in fingerprint)

    @property
    def options(self) -> str:
        """The command-line options for the variant, to follow the model's name."""
        return " --int8" * self.int8 + " --tta" * self.tta


@dataclass(frozen=True)
class ModelConfig:
    """The contents of ``config.json``."""

    preset: str
    backbone: str
    image_size: int  # side of the square the image tower takes, in pixels
    dim: int  # of the embeddings
    # "words": SIF over word vectors; "wordpiece": a sentence encoder; "tokenizer": a converted model's own
    text_kind: TextKind
    max_tokens: int  # longer sentences are cut (not for "words")
    training: dict[str, Any]  # corpus, command, seed, versions: everything needed to repeat the training
    dev: dict[str, Any]  # metrics on the dev split, as `eval --json` prints them
    files: dict[str, str] = field(default_factory=dict)  # name -> sha256
    format: int = FORMAT
    languages: list[str] = field(default_factory=list)  # codes that the second text tower was trained on
    # Facts about the image tower's second output, if it has one (`train.output.cells`). `IMAGE_TOWER` is the
    # checksum of the tower without it, "scale" a `CellScale`.
    cells: dict[str, Any] = field(default_factory=dict)
    # Of converted models (embedding.conversion), empty for others:
    framing: dict[str, Any] = field(default_factory=dict)  # a `Framing`
    tokens: dict[str, Any] = field(default_factory=dict)  # a `Tokens`
    templates: list[str] = field(default_factory=list)  # sentences around a short query, with {} in its place
    source: dict[str, Any] = field(default_factory=dict)  # layout, name, licence, files with checksums
    cost: dict[str, Any] = field(default_factory=dict)  # speed and memory, as measured when it was added


def added_models() -> Path:
    """Return the folder of the models that ``models add`` made. It may not exist."""
    named = os.environ.get(MODELS_VARIABLE)
    return expanded(named).absolute() if named else data_folder("models")


def known_names() -> list[str]:
    """Return the names of the shipped and the added models, sorted."""
    folders = {path.parent.name for home in _homes() for path in home.glob(f"*/{CONFIG}")}
    return sorted(name for name in folders if not name.startswith("."))  # those are unfinished


def _homes() -> Iterator[Path]:
    """Return the folders whose models have names. The first has precedence."""
    yield SHIPPED_MODELS
    yield added_models()


def resolve_model(name_or_dir: str | Path) -> Path:
    """Return the folder of a model, given its name or path.

    Names are those of shipped and added models. Raises ``ModelError`` if there is none.
    """
    for home in _homes():
        named = home / str(name_or_dir)
        if named.parent == home and (named / CONFIG).is_file():
            return named
    folder = expanded(name_or_dir)
    if (folder / CONFIG).is_file():
        return folder.resolve()
    names = ", ".join(known_names()) or "none"
    fact = f"no {CONFIG} in it" if folder.is_dir() else "no such model"
    raise ModelError(
        f"{name_or_dir}: {fact}; give a folder that `train` wrote, or a model from `models` ({names})"
    )


def model_name(folder: Path) -> str:
    """Return the model's display name. It is its name if it has one, or the folder's full path."""
    return folder.name if folder.parent in _homes() else str(folder)


def model_label(name: str, variant: Variant) -> str:
    """Return the model's name and the options of its variant."""
    return name + variant.options


def split_label(label: str) -> tuple[str, Variant]:
    """Return the name and the variant of a label."""
    variants = (Variant(tta, int8) for tta in (True, False) for int8 in (True, False))
    variant = next(variant for variant in variants if label.endswith(variant.options))
    return label.removesuffix(variant.options), variant


def read_config(folder: Path) -> ModelConfig:
    """Read a folder's configuration. Raises ``ModelError`` when it is damaged or of an unknown format."""
    path = folder / CONFIG
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["format"]
    except FileNotFoundError:
        raise ModelError(f"{path}: missing; this is not a model folder that `train` finished") from None
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise ModelError(f"{path}: damaged ({error}); copy the model folder again") from None
    if version != FORMAT:
        raise ModelError(f"{path}: model format {version}, this program knows {FORMAT}; update twobranch")
    try:
        config = ModelConfig(**data)
        _check_values(config)
        _config_text(config).encode()  # the fingerprint is computed from it
    except (TypeError, UnicodeError, RecursionError) as error:
        raise ModelError(f"{path}: damaged ({error}); copy the model folder again") from None
    return config


def _check_values(config: ModelConfig) -> None:
    """Raise ``TypeError`` for a configuration value of the wrong type or size."""
    for kind, names in {
        str: ("preset", "backbone", "text_kind"),
        int: ("image_size", "dim", "max_tokens"),
        dict: ("training", "dev", "files", "cells", "framing", "tokens", "source", "cost"),
    }.items():
        for name in names:
            value = getattr(config, name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise TypeError(f"{name} is {value!r:.40}")
    if config.text_kind not in get_args(TextKind):
        kinds = " or ".join(get_args(TextKind))
        raise TypeError(f"text_kind is {config.text_kind!r:.40} rather than {kinds}")
    least = {"image_size": 1, "dim": 1, "max_tokens": 0 if config.text_kind == "words" else _LEAST_TOKENS}
    for name, most in _MOST.items():
        if not least[name] <= getattr(config, name) <= most:
            raise TypeError(f"{name} is {getattr(config, name)!r:.40}, not from {least[name]} to {most:,}")
    if config.languages and config.text_kind != "wordpiece":
        raise TypeError(f"languages beside a text tower of kind {config.text_kind}")
    for name in ("languages", "templates"):
        value = getattr(config, name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise TypeError(f"{name} is {value!r:.40}")
    Framing.of(config.framing)
    Tokens.of(config.tokens)
    _check_contents(config)


def _check_contents(config: ModelConfig) -> None:
    """Raise ``TypeError`` for a wrong value in one of the tables."""
    recalls = [config.dev.get(name, {}) for name in ("text_to_image", "image_to_text")]
    if not all(isinstance(recall, dict) for recall in recalls):
        raise TypeError("a recall in dev is not a table")
    for figure in (config.dev.get("rsum", 0), *(recall.get("R@1", 0) for recall in recalls)):
        if not isinstance(figure, (int, float)):
            raise TypeError(f"a figure in dev is {figure!r:.40}")
    for part in ("image", "image_int8", "text"):
        costs = config.cost.get(part) or {}
        # A memory that could not be measured is None.
        if not isinstance(costs, dict) or not all(
            isinstance(one, (int, float, type(None))) for one in costs.values()
        ):
            raise TypeError(f"the cost of {part} is {costs!r:.40}")
    checksums = [*config.files.values(), *([config.cells.get(IMAGE_TOWER)] if config.cells else [])]
    if not all(isinstance(digest, str) for digest in checksums):
        raise TypeError("a checksum is not text")
    if config.cells:
        try:
            CellScale.of(config.cells["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise TypeError(f"cells has no scale ({error})") from None


def write_config(folder: Path, config: ModelConfig) -> None:
    """Write ``config.json`` and its checksum.

    Call this after all other files are written: a folder with a ``config.json`` is complete.
    """
    text = _config_text(config)
    digest = hashlib.sha256(text.encode()).hexdigest()
    for name, content in ((CONFIG_CHECKSUM, f"{digest}  {CONFIG}\n"), (CONFIG, text)):
        with replacing(folder / name) as partial:
            partial.write_text(content, encoding="utf-8", newline="\n")


def _config_text(config: ModelConfig) -> str:
    fields = asdict(config)
    for name in _LATER:
        if not fields[name]:
            del fields[name]
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def fingerprint(folder: Path, variant: Variant = Variant()) -> str:
    """Return the identity of a model's vectors.

    It is the sha256 of the configuration, which holds the checksums of the model's files, then the checksum
    of the int8 tower (if used), then the mark of the views that are averaged (if any).

    The first part leaves out the calibration, the int8 tower, the cells, the templates of queries and the
    measured cost, which the vectors in a library do not depend on: it stays valid when those are made again.
    """
    text = (folder / CONFIG).read_bytes()
    if not any(name.encode() in text for name in (CALIBRATION, IMAGE_TOWER_INT8, *_ASIDE)):
        weights, int8 = hashlib.sha256(text).hexdigest(), "none"
    else:
        config = read_config(folder)
        int8 = config.files.get(IMAGE_TOWER_INT8, "none")[:16]
        files = {
            name: digest
            for name, digest in config.files.items()
            if name not in (CALIBRATION, IMAGE_TOWER_INT8)
        }
        if config.cells:
            files[IMAGE_TOWER] = config.cells[IMAGE_TOWER]
        dev = {name: figure for name, figure in config.dev.items() if name != RSUM_INT8}
        plain = replace(config, files=files, dev=dev, cells={}, cost={}, templates=[])
        weights = hashlib.sha256(_config_text(plain).encode()).hexdigest()
    return weights + (_INT8 + int8) * variant.int8 + _VIEWS * variant.tta


def weights_of(fingerprint: str) -> str:
    """Return the part of a fingerprint that identifies the weights.

    Texts have the same vectors in all variants.
    """
    return fingerprint.partition("+")[0]


def check_files(folder: Path, config: ModelConfig) -> None:
    """Raise ``ModelError`` for the first missing or changed file.

    Reads all files, so only `index` and `doctor` call it. A search compares only the fingerprint of
    ``config.json`` with the library's.
    """
    checksum = folder / CONFIG_CHECKSUM
    if checksum.is_file() and checksum.read_bytes()[:64] != sha256_file(folder / CONFIG).encode():
        raise ModelError(f"{folder / CONFIG}: not the file this model was saved with; copy the folder again")
    for name, expected in config.files.items():
        path = folder / name
        if Path(name).name != name:
            raise ModelError(f"{folder / CONFIG}: names a file outside the model folder: {name}")
        if not path.is_file():
            raise ModelError(f"{path}: missing from the model folder; copy the folder again")
        if sha256_file(path) != expected:
            raise ModelError(f"{path}: not the file this model was saved with; copy the folder again")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, cut to a limit."""
    return (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]


def sha256_file(path: Path) -> str:
    """Return the file's sha256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
