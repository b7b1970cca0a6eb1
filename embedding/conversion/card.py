"""The card of an added model."""

from __future__ import annotations

from pathlib import Path

from twobranch.embedding.model_folder import ModelConfig

_CARD = "MODEL_CARD.md"


def write_added_card(folder: Path, config: ModelConfig) -> None:
    """Write ``MODEL_CARD.md`` of a model that was converted, not trained here."""
    source, framing = config.source, config.framing
    facts = {
        "licence, as its makers state it": source.get("licence") or "not stated in its files",
        "photos": f"{config.image_size} x {config.image_size} pixels, {framing['fit']}, {framing['filter']}",
        "texts": f"up to {config.max_tokens} tokens",
        "vectors": f"{config.dim} numbers",
        **source.get("checks", {}),
    }
    rows = "".join(f"| {name} | {value} |\n" for name, value in facts.items())
    (folder / _CARD).write_text(
        f"# Model card: {source['name']}\n\n"
        f"Converted by `twobranch models add` from a model of another project ({source['layout']} layout).\n"
        "Its makers' card says what it was trained on and what it must not be used for.\n\n"
        f"| | |\n|---|---|\n{rows}",
        encoding="utf-8",
    )
