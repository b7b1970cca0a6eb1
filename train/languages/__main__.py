"""``python -m twobranch.train.languages MODEL …``: add a text tower for other languages."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.common.progress import Console
from twobranch.embedding.model_folder import TEXT_TOWER_LANGUAGES
from twobranch.train.features import default_cache
from twobranch.train.languages.loop import LanguagePreset
from twobranch.train.languages.run import LanguageOptions, add_languages
from twobranch.train.run import CorpusPlace


def _captions(value: str) -> tuple[Path, str]:
    language, _, path = value.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"{value}: is not LANGUAGE=FILE")
    return Path(path), language


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the model and what it was trained on, which ``language_options`` reads."""
    parser.add_argument("model", help="shipped model or model folder")
    parser.add_argument("--captions", type=Path, required=True, action="append", help="its caption files")
    parser.add_argument("--images", type=Path, required=True, action="append", help="the photos of each")
    parser.add_argument("--texts", type=_captions, action="append", default=[], metavar="LANGUAGE=FILE")
    parser.add_argument("--parallel", type=Path, help="a table with flickr_id, en and a column a language")
    parser.add_argument("--epochs", type=int, default=LanguagePreset.epochs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=default_cache())


def language_options(options: argparse.Namespace) -> LanguageOptions:
    """Return the options chosen on the command line."""
    return LanguageOptions(
        options.model,
        tuple(map(CorpusPlace, options.captions, options.images)),
        dict(options.texts),
        options.parallel,
        replace(LanguagePreset(), epochs=options.epochs),
        options.seed,
        options.cache,
        _command(options),
    )


def _command(options: argparse.Namespace) -> str:
    """Return the command that trains this tower.

    Its paths begin at the folder of the data.
    """
    words = ["python -m twobranch.train.languages MODEL"]
    for captions, images in zip(options.captions, options.images, strict=True):
        words.append(f"--captions {_short(captions)} --images {_short(images)}")
    words += [f"--texts {language}={_short(path)}" for path, language in options.texts]
    words += [f"--parallel {_short(options.parallel)}"] if options.parallel else []
    return " ".join(words)


def _short(path: Path) -> str:
    """The path without what is only true of this machine."""
    return "/".join(path.parts[-2:])


def main() -> None:
    """Train the tower and print its path."""
    parser = argparse.ArgumentParser(
        prog="python -m twobranch.train.languages", description=add_languages.__doc__
    )
    add_arguments(parser)
    try:
        folder = add_languages(language_options(parser.parse_args()), Console())
    except UserError as error:
        parser.exit(1, f"error: {error}\n")
    print(folder / TEXT_TOWER_LANGUAGES)


if __name__ == "__main__":
    main()
