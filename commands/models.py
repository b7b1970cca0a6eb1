"""``models``: the models at hand; adding and removing those of other projects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.shared import Json, Options, app, print_json, reporting_errors
from twobranch.common.errors import ModelError

if TYPE_CHECKING:
    from twobranch.common.progress import Console
    from twobranch.embedding.conversion.adding import Convert
    from twobranch.embedding.conversion.layouts import Layout
    from twobranch.embedding.conversion.names import Origin

_REPOSITORY = re.compile(r"\w[\w.-]*(/[\w.-]+)?/?", re.ASCII)  # or an architecture and a tag of open_clip

models = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(models, name="models")


@models.callback()
@reporting_errors
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """List the models; add those of other projects (CLIP, SigLIP).

    Each is listed with its quality on its own dev split and, where it was measured, its speed.

    \b
    Examples:
      twobranch models --json
      twobranch models add ~/Downloads/ViT-B-32__openai
      twobranch models add immich-app/ViT-B-16-SigLIP2__webli
    """
    if context.invoked_subcommand is not None:
        return
    from twobranch.retrieval.display.status import known_models
    from twobranch.retrieval.display.tables import models_table

    facts = known_models(Options.of(context).library)
    if as_json:
        print_json(facts)
        return
    print(models_table(facts))


@models.command()
@reporting_errors
def add(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Folder, Hugging Face repository, or open_clip ARCHITECTURE/TAG.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name for the model [default: that of its folder or repository].")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Convert a model of another project into a model folder.

    Immich's exports need the extra `models`; folders of transformers and checkpoints of open_clip need the
    extra `train`. Size and licence are shown before anything is downloaded. The model is kept in your data
    folder, or in the one that TWOBRANCH_MODELS names, until `models remove`.

    \b
    Examples:
      twobranch models add ~/Downloads/ViT-B-32__openai --name openai
      twobranch models add immich-app/ViT-B-16-SigLIP2__webli
      twobranch models add ViT-B-32-256/datacomp_s34b_b86k
      twobranch index --model openai
    """
    from twobranch.embedding.conversion.layouts import layout_of
    from twobranch.embedding.conversion.licences import is_restricted, stated_licence
    from twobranch.embedding.conversion.names import Origin, new_folder
    from twobranch.embedding.cost import record_cost

    with _needing("models"):
        from twobranch.embedding.conversion.adding import add_model
    progress = Options.of(context).progress()
    local = _folder(source)
    target = new_folder(_default_name(source, local) if name is None else name)
    if local is not None:
        folder, origin = local, Origin(local.name, stated_licence(local))
        if origin.licence is not None and is_restricted(origin.licence):
            progress.warn(f"its licence is {origin.licence}; read it: it may forbid your use")
    else:
        folder, origin = _download(source, yes, progress)
    encoder = add_model(folder, target, origin, _converter(layout_of(folder)), progress)
    if local is None:
        _delete(folder)
    progress.note("measuring its speed for some seconds")
    cost = record_cost(encoder.folder)
    if as_json:
        facts = {"name": encoder.name, "folder": str(encoder.folder), "dim": encoder.dim}
        print_json({**facts, "cost": cost.as_json()})
        return
    print(f"added {encoder.name}: {encoder.dim} numbers a vector, in {encoder.folder}")
    print(f"speed: {cost.in_words()}")
    print(f"use it with: twobranch index --model {encoder.name}")


@models.command()
@reporting_errors
def remove(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Name of an added model.")]
) -> None:
    """Delete an added model. Vectors in libraries are kept, but cannot be searched with words without it.

    \b
    Example:
      twobranch models remove openai
    """
    from twobranch.embedding.conversion.names import remove_model

    print(f"removed {remove_model(name)}")


def _folder(source: str) -> Path | None:
    """Return the folder of a source, or None for a repository's name.

    A path never becomes a request to the network. Raises ``ModelError`` for one that is no folder.
    """
    from twobranch.common.paths import expanded

    local = expanded(source)
    if source and local.is_dir():
        return local.resolve()
    if source and (local.exists() or local.is_symlink()):
        raise ModelError(f"{source}: not a folder; give the folder of the model")
    if not _REPOSITORY.fullmatch(source):
        raise ModelError(
            f"{source or repr(source)}: no such folder; give one that is there, or a name on Hugging Face "
            "like immich-app/ViT-B-32__openai"
        )
    return None


def _default_name(source: str, local: Path | None) -> str:
    """Return the name of a model that was given none."""
    if local is not None:
        return local.name
    organisation, _, rest = source.rstrip("/").partition("/")
    return f"{organisation}-{rest}" if _is_architecture(organisation) else rest or organisation


def _is_architecture(name: str) -> bool:
    """Return True for the name of an architecture of open_clip.

    It is not imported, which takes seconds."""
    from importlib.util import find_spec

    spec = find_spec("open_clip")
    places = spec.submodule_search_locations if spec is not None else None
    return any(Path(place, "model_configs", f"{name}.json").is_file() for place in places or ())


def _download(source: str, yes: bool, progress: Console) -> tuple[Path, Origin]:
    """Fetch a model from Hugging Face after showing its size and licence."""
    from twobranch.embedding.conversion.download import fetch, look_up
    from twobranch.embedding.conversion.licences import is_restricted
    from twobranch.embedding.conversion.names import Origin

    repository = look_up(_repository(source))
    licence = repository.licence or "not stated"
    warning = "; read it: it may forbid your use" if is_restricted(repository.licence) else ""
    facts = f"{repository.name}: {repository.size / 1e6:,.0f} MB, licence {licence}{warning}"
    if not yes and not typer.confirm(f"{facts}. Download?", err=True):
        raise ModelError(f"{source}: not downloaded; nothing was changed")
    progress.note(facts)
    return fetch(repository, progress), Origin(source, licence)


def _repository(source: str) -> str:
    """Return the repository of a model; open_clip's checkpoints have other names. Raises ``ModelError``."""
    if not _is_architecture(source.partition("/")[0]):
        return source
    from twobranch.train.conversion.open_clip_models import repository_of

    return repository_of(source) or source


def _converter(layout: Layout) -> Convert:
    """Return the function that converts a layout. Raises ``ModelError`` where its packages are missing."""
    from twobranch.embedding.conversion.layouts import WITH_TORCH

    if layout in WITH_TORCH:
        with _needing("train"):
            from twobranch.train.conversion.convert import convert, import_packages

            import_packages()
        return convert
    from twobranch.embedding.conversion.immich import convert_immich

    return convert_immich


@contextmanager
def _needing(extra: str) -> Iterator[None]:
    """Turn a missing package into a ``ModelError`` that names its extra."""
    from twobranch.common.extras import install_command

    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"`models add` needs an extra ({error.name} is missing); install it with: "
            f"{install_command(extra)}"
        ) from None


def _delete(folder: Path) -> None:
    """Delete a finished download."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
