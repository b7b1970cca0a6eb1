"""Branches over a finished model in a model card and its notice."""

from __future__ import annotations

from typing import Any

from twobranch.embedding.model_folder import ModelConfig

OF_THE_MODEL = (
    "`base/` in this folder has the card, the notice and the licence that came with it, if any did."
)


def is_adapted(config: ModelConfig) -> bool:
    """Return True for a model whose branches are over another finished model."""
    return "base" in config.training


def adapted_towers(config: ModelConfig) -> str:
    """Return the table's rows on the towers and on the gain."""
    base = config.training["base"]
    towers = f"those of the model `{base['name']}` (fingerprint {base['fingerprint'][:12]}), unchanged"
    branches = "" if base["weight"] == 0 else ", and a trained branch behind each"
    return f"| both towers | {towers}{branches} |\n| dev rsum | {_gain(base)} |\n"


def adapted_origin(config: ModelConfig) -> str:
    """Return the part of the notice on the works under the branches."""
    base, source = config.training["base"], config.source
    licence = f" (licence: {source['licence']})" if source.get("licence") else ""
    return f"Both towers: the model {base['name']}{licence}, unchanged. {OF_THE_MODEL}"


def _gain(base: dict[str, Any]) -> str:
    before, after, weight = base["rsum_before"], base["rsum"], base["weight"]
    if weight == 0:
        return f"{before:.1f}; the captions brought nothing more, so no branches were kept: this is the model"
    if weight is None:
        return f"{before:.1f} of the model alone, {after:.1f} with the branches, which replace its vectors"
    return f"{before:.1f} of the model alone, {after:.1f} with {weight:g} of what the branches add to it"
