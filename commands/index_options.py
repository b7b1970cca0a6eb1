"""Options of ``index``: its folders, captions, model, rules and limits."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE


class Device(str, Enum):
    """The device that encodes photos."""

    cpu = "cpu"
    cuda = "cuda"


Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Folders of photos, or single photos [default: all known folders].", metavar="PATH…"),
]
Captions = Annotated[Path | None, typer.Option(help="A caption file (or a folder of sidecars).")]
Split = Annotated[
    str | None,
    typer.Option(
        help="Use only this split of the caption file, photos and captions; without splits in the file, "
        "all of it gets this split."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(help="Name of a model, or its folder [default: the library's own, else `default`]."),
]
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta",
        help="Average two views of each photo: better hits at half the speed "
        "[default: as in the library, at first --no-tta].",
    ),
    SETTABLE,
]
Int8 = Annotated[
    bool | None,
    typer.Option(
        "--int8/--no-int8",
        help="Encode photos with 8-bit arithmetic: faster, nearly the same hits; on processors "
        "with VNNI (most since 2020) [default: as in the library, at first --no-int8].",
    ),
    SETTABLE,
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        help="Leave out matching files and folders, such as 'raw/*' or '*.png', now and in later runs over "
        "these folders; new globs replace the earlier ones, and --exclude '' clears them.",
        metavar="GLOB",
    ),
    SETTABLE,
]
IncludeHidden = Annotated[
    bool | None,
    typer.Option(
        "--include-hidden/--no-include-hidden",
        help="Index hidden files and folders too, now and in later runs over these folders "
        "[default: as before, at first --no-include-hidden].",
    ),
    SETTABLE,
]
Regions = Annotated[
    bool | None,
    typer.Option(
        "--regions/--no-regions",
        help="Encode windows of each photo too, to find small things; takes several times as long and as "
        "much space; --no-regions deletes them [default: as in the library, at first --no-regions].",
    ),
    SETTABLE,
]
DeviceOption = Annotated[
    Device, typer.Option(help="The device that encodes photos; cuda needs onnxruntime-gpu."), SETTABLE
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Threads that read and encode photos [default: one for each core]."),
    SETTABLE,
]
MemoryLimit = Annotated[
    int, typer.Option(min=100, help="Approximate memory limit of the program.", metavar="MB"), SETTABLE
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, help="Photos that a thread encodes at a time [default: the fastest, as measured]."),
    SETTABLE,
]
MaxMegapixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Refuse larger photos, by their header. Decoding takes up to 20 bytes a pixel; a photo "
        "beyond --memory is decoded alone. To make it permanent, set it in config.toml [default: 128].",
        metavar="N",
    ),
    SETTABLE,
]
Plan = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000_000,
        help="Index nothing; estimate time and space for N photos like those in PATH on this machine.",
        metavar="N",
    ),
]
