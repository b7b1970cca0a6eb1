#!/usr/bin/env python3
"""The command line: parse arguments, call, print. See README.md for a tour of the commands."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

if any(find_spec(name) is None for name in ("typer", "faiss", "onnxruntime", "sqlalchemy", "tokenizers")):
    # Started as ./cli.py outside the environment that `make demo` made: go on inside it.
    _python = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
    if _python.is_file() and Path(sys.prefix) != _python.parent.parent:
        os.execv(_python, [str(_python), __file__, *sys.argv[1:]])
    sys.exit("error: twobranch is not installed for this Python; run `make demo` or `pip install .` first")

import typer

from embedding.errors import UserError
from embedding.progress import Console

app = typer.Typer(
    help="Search your photos with words, and your words with photos.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MOST_K = 1_000_000
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Gallery(str, Enum):
    """What is searched."""

    images = "images"
    captions = "captions"


class Device(str, Enum):
    """Where photos are encoded."""

    cpu = "cpu"
    cuda = "cuda"


class _Global:
    """The options before the command."""

    library: Path | None = None
    quiet: bool = False

    @classmethod
    def progress(cls) -> Console:
        return Console(quiet=cls.quiet)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command: a ``UserError`` becomes one line and exit 1, Ctrl-C exit 130; a reader that has
    seen enough (``… | head``) is no error."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
            raise typer.Exit(0) from None
        except OSError as error:  # a full disk, a folder that may not be written
            print(f"error: {error.filename or function.__name__}: {error.strerror or error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            kept = "; what was finished is kept, run the same command to go on"
            print("stopped" + kept * (function is index), file=sys.stderr)
            raise typer.Exit(130) from None

    return app.command(name=function.__name__.rstrip("_"))(run)


def _version(wanted: bool) -> None:
    if wanted:
        from embedding import __version__

        print(f"twobranch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    library: Annotated[
        Path | None,
        typer.Option(
            help="The library folder [default: the nearest .twobranch].", envvar="TWOBRANCH_LIBRARY"
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, only results and warnings.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    _Global.library = library
    _Global.quiet = quiet


@command
def index(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Folders of photos, or single photos.", metavar="PATH…")
    ] = None,
    captions: Annotated[Path | None, typer.Option(help="A caption file (or a folder of sidecars).")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Only this split of the caption file, photos and captions; names it if the file has none."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Shipped model or model folder [default: the library's own, else `default`]."),
    ] = None,
    tta: Annotated[
        bool | None,
        typer.Option(
            "--tta/--no-tta",
            help="A photo's vector is the mean over two views of it: better hits for half the speed "
            "[default: as the library is, at first --no-tta].",
        ),
    ] = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="Encode photos in arithmetic of 8 bits: faster, nearly the same hits; on processors "
            "with VNNI (most since 2020) [default: as the library is, at first --no-int8].",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Leave out what matches, such as 'raw/*' or '*.png'.", metavar="GLOB"),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where photos are encoded: cuda needs onnxruntime-gpu.")
    ] = Device.cpu,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that read and encode photos [default: one for each core]."),
    ] = None,
    memory: Annotated[
        int, typer.Option(min=100, help="Keep the whole program below about this.", metavar="MB")
    ] = 400,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Photos that a thread encodes at a time [default: the fastest, as measured]."
        ),
    ] = None,
    plan: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000_000,
            help="Index nothing; say what so many photos like those in PATH would take on this machine.",
            metavar="N",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the library up to date with these folders: only what changed is encoded."""
    from dataclasses import asdict

    from embedding.cores import usable_cores
    from embedding.encoder import Encoder
    from embedding.modelfolder import Variant, model_label
    from indexer.build import update_library
    from indexer.catalog import library_model
    from indexer.library import library_for_indexing
    from indexer.plan import plan as make_plan
    from indexer.run import Effort
    from retrieval.tables import index_text, plan_text

    library = library_for_indexing(_Global.library)
    known = library_model(library)
    was = Variant() if known is None else known.variant
    encoder = Encoder.load(
        model or (known.name if known else "default"),
        verify=True,
        tta=was.tta if tta is None else tta,
        int8=was.int8 if int8 is None else int8,
        device=device.value,
    )
    effort = Effort(workers or usable_cores(), memory, batch_size)
    if plan is not None:
        planned = make_plan(plan, library, paths or [], encoder, effort, _Global.progress())
        if as_json:
            _print_json(planned.as_json())
        else:
            print(plan_text(planned, effort))
        return
    if not paths:
        raise typer.BadParameter("name the folders of your photos", param_hint="PATH…")
    report = update_library(
        library,
        paths,
        encoder,
        captions=captions,
        split=split,
        exclude=exclude or [],
        effort=effort,
        progress=_Global.progress(),
    )
    if as_json:
        facts = {"library": str(library), "model": encoder.name, **asdict(encoder.variant)}
        _print_json({**report.as_json(), **facts})
        return
    print(index_text(report, model_label(encoder.name, encoder.variant), library))
    for failure in report.failed[:5]:
        print(f"failed: {failure.path}: {failure.reason}", file=sys.stderr)
    if len(report.failed) > 5:
        print(f"… and {len(report.failed) - 5:,} more: `status` lists them all", file=sys.stderr)


@command
def search(
    query: Annotated[list[str], typer.Argument(help="A sentence, or a path to a photo.", metavar="QUERY…")],
    top: Annotated[int, typer.Option("--top", "-k", "-t", min=1, help="How many hits.")] = 10,
    within: Annotated[Gallery, typer.Option("--in", help="What to search.")] = Gallery.images,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out hits that match with a lower probability than this.", metavar="P"
        ),
    ] = 0.0,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Look at every vector, even among 200,000 photos or more."),
    ] = False,
    as_json: Json = False,
    paths: Annotated[bool, typer.Option("--paths", "-f", help="Print bare paths, for xargs.")] = False,
) -> None:
    """Find photos (or captions) by words or by a photo."""
    import time

    from retrieval.engine import SearchEngine
    from retrieval.query import TextQuery, parse_query
    from retrieval.tables import hit_table

    parsed = parse_query(query)
    with SearchEngine.open(_Global.library, exact=exact) as engine:
        for word in engine.unknown_words(parsed):
            print(f"warning: the model does not know {word!r}", file=sys.stderr)
        started = time.perf_counter()
        hits = engine.search(parsed, top, within.value, min_confidence)
        took_ms = (time.perf_counter() - started) * 1000
        if not len(engine.index(within.value)):
            option = "" if within is Gallery.images else " --captions FILE"
            print(f"nothing to search: no {within.value} indexed; run `index PATH{option}`", file=sys.stderr)
        well = engine.matches_well(parsed, hits, within.value)
    if as_json:
        _print_json(
            {
                "query": parsed.text if isinstance(parsed, TextQuery) else str(parsed.path),
                "in": within.value,
                "matches_well": well,
                "hits": [hit.as_json() for hit in hits],
                "took_ms": round(took_ms, 1),
            }
        )
        return
    if well is False:  # a remark, not a result: bare paths and tables stay what they are
        print("nothing here matches well", file=sys.stderr, flush=True)
    if paths:
        for path in dict.fromkeys(hit.path for hit in hits if hit.path is not None):
            print(path)
    elif hits:
        print(hit_table(hits, captions=within is Gallery.captions))


def _ks(text: str) -> list[int]:
    """``1,5,10`` as numbers."""
    try:
        ks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ks = []
    if not ks or ks[0] < 1 or ks[-1] > MOST_K:
        raise typer.BadParameter(f"{text!r} is not a list of numbers from 1 to {MOST_K:,}, such as 1,5,10")
    return ks


@command
def eval_(
    recall: Annotated[str, typer.Option(help="The K of Recall@K, comma-separated.")] = "1,5,10",
    split: Annotated[str | None, typer.Option(help="Only the pairs of this split.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Show earlier evaluations instead.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw recall against K into this PNG.", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recall@K both ways over the indexed photos and their captions; kept in the library."""
    from indexer.catalog import Catalog
    from indexer.library import find_library
    from retrieval import evaluate
    from retrieval.tables import evaluation_table, history_table

    ks = _ks(recall)
    catalog = Catalog.open(find_library(_Global.library))
    if history:
        rows = [evaluate.history_json(row) for row in evaluate.history(catalog)]
        if as_json:
            _print_json(rows)
        elif rows:
            print(history_table(rows))
        else:
            print("no evaluation yet; run `eval`", file=sys.stderr)
        return
    arguments = shlex.join(["cli.py", *sys.argv[1:]])
    result = evaluate.evaluate(catalog, ks=ks, split=split, command=arguments, progress=_Global.progress())
    if plot is not None:
        from retrieval.plots import draw_recall

        try:
            draw_recall(result, plot)
        except (OSError, ValueError) as error:
            raise UserError(f"{plot}: cannot be written ({error}); the evaluation itself is stored") from None
    if not result.agrees:
        print(
            "note: searching the index differs from exact search; recall is that of the index",
            file=sys.stderr,
        )
    if as_json:
        _print_json(result.as_json())
    else:
        print(evaluation_table(result.as_json(), ks))


@command
def similarity(
    arguments: Annotated[
        list[str], typer.Argument(help="Photos, folders and sentences in any mix.", metavar="PATH_OR_TEXT…")
    ],
    model: Annotated[str, typer.Option(help="Shipped model or model folder.")] = "default",
    as_json: Json = False,
) -> None:
    """Cosine of every photo with every sentence; no index needed."""
    from embedding.encoder import Encoder
    from retrieval.similarity import similarity as compare
    from retrieval.similarity import sort_arguments
    from retrieval.tables import table

    photos, sentences = sort_arguments(arguments)
    result = compare(Encoder.load(model), photos, sentences, _Global.progress())
    for failure in result.failed:
        print(f"failed: {failure}", file=sys.stderr)
    if as_json:
        _print_json(result.as_json())
        return
    for column, sentence in enumerate(result.sentences):
        print(f"{sentence}:")
        scores = result.scores[:, column]
        print(table([f"{scores[i]:.3f}", result.images[i]] for i in (-scores).argsort(kind="stable")))


@command
def train(
    captions: Annotated[Path, typer.Argument(help="A caption file, or a folder of sidecars.")],
    images: Annotated[Path, typer.Option(help="The folder the captions' photos are in.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    preset: Annotated[str, typer.Option(help="The recipe: default, seed or paper.")] = "default",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's number.")] = None,
    backbone: Annotated[
        str, typer.Option(help="efficientnet-lite0, -lite1, -lite2 or resnet50.")
    ] = "efficientnet-lite2",
    weights: Annotated[Path | None, typer.Option(help="Backbone weights, instead of its package's.")] = None,
    word_vectors: Annotated[
        Path | None, typer.Option(help="word2vec or GloVe file, instead of GloVe 6B 50d (seed, paper).")
    ] = None,
    train_list: Annotated[Path | None, typer.Option(help="Names of the training photos, one a line.")] = None,
    dev_list: Annotated[Path | None, typer.Option(help="Names of the dev photos, one a line.")] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Where features are kept [default: the cache folder].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model on captioned photos (needs the extra: pip install 'twobranch[train]')."""
    from dataclasses import replace

    from retrieval.tables import evaluation_table

    try:
        from train.features import default_cache
        from train.presets import PRESETS
        from train.run import TrainOptions
        from train.run import train as run
    except ModuleNotFoundError as error:
        here = Path(__file__).resolve().parent
        source = here if (here / "setup.cfg").is_file() else "twobranch"
        raise UserError(
            f"training needs the package {error.name}; install it with: "
            f"{sys.executable} -m pip install '{source}[train]'"
        ) from None
    if preset not in PRESETS:
        raise typer.BadParameter(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    recipe = PRESETS[preset] if epochs is None else replace(PRESETS[preset], epochs=epochs)
    lists = {name: path for name, path in (("train", train_list), ("dev", dev_list)) if path is not None}
    report = run(
        TrainOptions(
            captions=captions,
            images=images,
            out=out,
            preset=recipe,
            backbone=backbone,
            weights=weights,
            word_vectors=word_vectors,
            split_lists=lists or None,
            seed=seed,
            resume=resume,
            cache=cache or default_cache(),
            command=shlex.join(
                ["cli.py", *(argument for argument in sys.argv[1:] if argument != "--resume")]
            ),
        ),
        _Global.progress(),
    )
    if as_json:
        _print_json(report.as_json())
        return
    print(f"{report.epochs} epochs in {report.seconds:.0f} s, the best is no. {report.best_epoch}; dev:")
    print(evaluation_table(report.dev, [1, 5, 10]))
    print(f"model {report.out}; use it with: cli.py index PHOTOS --model {report.out}")


@command
def status(as_json: Json = False) -> None:
    """What is indexed, with which model, and what failed and why."""
    from indexer.library import find_library
    from retrieval.status import library_status
    from retrieval.tables import status_text

    facts = library_status(find_library(_Global.library))
    if as_json:
        _print_json(facts)
        return
    print(status_text(facts))


@command
def models(as_json: Json = False) -> None:
    """The models at hand, with their quality on their own dev split."""
    from retrieval.status import known_models
    from retrieval.tables import models_table

    facts = known_models(_Global.library)
    if as_json:
        _print_json(facts)
        return
    print(models_table(facts))


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with --library and --quiet moved to the front, so that they may stand anywhere."""
    first: list[str] = []
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            return [*first, *rest, argument, *remaining]
        if argument == "--library" and remaining:
            first += [argument, remaining.pop(0)]
        elif argument in ("--quiet", "-q") or argument.startswith("--library="):
            first.append(argument)
        else:
            rest.append(argument)
    return [*first, *rest]


def main() -> None:
    """The console command ``twobranch``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names need not be UTF-8, nor need the terminal be able to show them.
            utf_8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf_8 else "backslashreplace")
    app(_globals_first(sys.argv[1:]))


if __name__ == "__main__":
    main()
