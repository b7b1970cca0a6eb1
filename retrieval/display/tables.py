"""Results as plain text, for the command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twobranch.common.cpu import usable_cores
from twobranch.common.progress import one_line
from twobranch.embedding.model_folder import Variant, model_label

if TYPE_CHECKING:
    from twobranch.indexer.maintenance.doctor import Finding
    from twobranch.indexer.maintenance.vacuum import Freed
    from twobranch.indexer.update.library import IndexReport
    from twobranch.indexer.update.plan import Estimate
    from twobranch.indexer.update.run import Effort
    from twobranch.retrieval.duplicates.find import Duplicates
    from twobranch.retrieval.hit_places import HitPlaces
    from twobranch.retrieval.hits import Hit
    from twobranch.retrieval.where.locator import Edges, Located, PhraseMap

_SHOWN = 5  # photos without a vector that are listed
NOTHING_FITS = "nothing in this photo fits"


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Format rows as lines with aligned columns.

    The last column is not padded.
    """
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)), row[-1]])
        for row in cells
    )


def hit_table(hits: Sequence[Hit], *, captions: bool, places: Mapping[int, HitPlaces] | None = None) -> str:
    """Format hits as a table.

    Columns: rank, score with three decimals, confidence in percent with its tier, date, fields with words of
    the query, rating, caption with ``captions``, places in the photo if ``places`` has them by rank, and
    path. Confidence, date, fields and rating are left out if no hit has them. The path is followed by the
    place of the window that matches better than the whole photo, and by the number of near-duplicates under
    the hit, if any.
    """
    columns: dict[str, list[Any]] = {
        "rank": [hit.rank for hit in hits],
        "score": ["" if hit.score is None else f"{hit.score:.3f}" for hit in hits],
    }
    if any(hit.confidence is not None for hit in hits):
        columns["confidence"] = [_judged(hit) for hit in hits]
    if any(hit.date is not None for hit in hits):
        columns["date"] = [hit_day(hit) for hit in hits]
    if any(hit.matched for hit in hits):
        columns["matched"] = [", ".join(hit.matched) for hit in hits]
    if any(hit.rating or hit.favourite for hit in hits):
        columns["rating"] = [_marks(hit) for hit in hits]
    if captions:
        columns["caption"] = [hit.caption for hit in hits]
    if places:
        columns["where"] = [hit_places_text(places[hit.rank]) for hit in hits]
    alike = [f"  +{len(hit.alike)} alike" if hit.alike else "" for hit in hits]
    columns["path"] = [f"{hit.path or ''}{_place(hit)}{more}" for hit, more in zip(hits, alike, strict=True)]
    return table([list(columns), *zip(*columns.values(), strict=True)])


def _marks(hit: Hit) -> str:
    """Format the marks of a hit, as in "4 favourite"."""
    return " ".join([*([str(hit.rating)] if hit.rating else []), *["favourite"] * hit.favourite])


def _place(hit: Hit) -> str:
    """Format the place of a hit's window, as in "  (top left)"."""
    if hit.region is None or hit.width is None or hit.height is None:
        return ""
    from twobranch.retrieval.regions import place_name

    return f"  ({place_name(hit.region, hit.width, hit.height)})"


def _judged(hit: Hit) -> str:
    """Format a confidence, with its tier unless that is "rest"."""
    tier = "" if hit.tier in (None, "rest") else f" {hit.tier}"
    return f"{percent(hit.confidence)}{tier}"


def duplicates_text(found: Duplicates) -> str:
    """Format groups of near-duplicates, each with the kept photo first.

    The last line has the number and the size of the other photos.
    """
    photos = [(photo, photo is group.kept) for group in found.groups for photo in (group.kept, *group.others)]
    lines = table(
        (
            "keep" if kept else "",
            f"{photo.width} x {photo.height}",
            f"{photo.size / 1e6:.2f} MB",
            f"{photo.date:%Y-%m-%d %H:%M}",
            photo.path,
        )
        for photo, kept in photos
    ).split("\n")
    spaced = [f"\n{line}" if kept else line for line, (_, kept) in zip(lines, photos, strict=True)]
    counts = f"{counted(len(found.groups), 'group')}, {counted(len(found.others), 'photo')} to spare"
    return "\n".join([*spaced, "", f"{counts}, {found.spare_bytes / 1e6:.1f} MB"]).removeprefix("\n")


def counted(n: int, what: str) -> str:
    """Format a count, as in "1 photo" and "1,200 photos"."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def day(date: datetime | None) -> str:
    """Format a date as 2020-02-03; None gives an empty string."""
    return "" if date is None else date.date().isoformat()


def hit_day(hit: Hit) -> str:
    """Format the date of a hit.

    That of its file looks like "2020-02-03 (file)".
    """
    return f"{day(hit.date)} (file)" if hit.date_from == "file" else day(hit.date)


def percent(confidence: float | None) -> str:
    """Format a probability in whole percent, from "<1%" to "99%"."""
    if confidence is None:
        return ""
    return "<1%" if confidence < 0.01 else f"{min(99, round(100 * confidence))}%"


def hit_places_text(places: HitPlaces) -> str:
    """Format the best place of each phrase in a hit's photo.

    A single phrase is not named. Without places it is the reason why there are none.
    """
    if places.located is None:
        return places.reason
    texts = []
    for found in places.located.phrases:
        text = "nothing fits"
        if found.regions:
            best = found.regions[0]
            text = f"{box_text(best.box)}  {percent(best.confidence)}"
        texts.append(text if len(places.located.phrases) == 1 else f"{found.phrase}: {text}")
    return "; ".join(texts)


def places_found(found: PhraseMap) -> str:
    """Format the number of a phrase's places, with their confidences."""
    if not found.regions:
        return NOTHING_FITS
    sure = ", ".join(percent(region.confidence) for region in found.regions)
    return f"{counted(len(found.regions), 'place')}: {sure}"


def where_text(located: Located) -> str:
    """Format the places of each phrase in a photo, the best first.

    A phrase has a table of boxes with their scores and confidences, or the highest confidence of any part.
    """
    parts = []
    for found in located.phrases:
        if not found.regions:
            parts.append(one_line(f"{found.phrase}: {NOTHING_FITS} ({percent(found.confidence)} at most)"))
            continue
        rows = [(f"{one.score:.3f}", percent(one.confidence), box_text(one.box)) for one in found.regions]
        parts.append(f"{one_line(found.phrase)}:\n{table([('score', 'confidence', 'box'), *rows])}")
    return "\n".join(parts)


def box_text(box: Edges) -> str:
    """Format a box by its corners, as in "12,30 to 400,250".

    They are the upper left and the lower right one.
    """
    left, top, right, bottom = box
    return f"{left},{top} to {right},{bottom}"


def evaluation_table(result: dict[str, Any], ks: Sequence[int]) -> str:
    """Format the JSON data of ``eval --json`` as a table.

    Intervals are shown if the data has them.
    """
    rows: list[Sequence[Any]] = [("", *(f"R@{k}" for k in ks), "median rank", "mean rank")]
    for name in ("text_to_image", "image_to_text"):
        way = result[name]
        recalls = [f"{way[f'R@{k}']:.1f}{_interval(way.get('ci95', {}).get(f'R@{k}'))}" for k in ks]
        rows.append((name.replace("_", " "), *recalls, f"{way['median_rank']:g}", f"{way['mean_rank']:.1f}"))
    gallery = f"{result['n_images']:,} photos, {result['n_captions']:,} captions"
    return f"{table(rows)}\nrsum {result['rsum']:.1f}{_interval(result.get('rsum_ci95'))} over {gallery}"


def comparison_table(comparison: dict[str, Any], ks: Sequence[int]) -> str:
    """Format the JSON data of ``eval --json`` for several models.

    A block for each direction and one for rsum. The row below a model has its differences to the first one.
    """
    results, differences = comparison["models"], comparison["differences"]
    labels = [model_label(one["model"], Variant(one["tta"], one["int8"])) for one in results]
    columns = [f"R@{k}" for k in ks]
    rows: list[Sequence[Any]] = []
    for way in ("text_to_image", "image_to_text"):
        rows.append((way.replace("_", " "), *columns, "median rank", "mean rank"))
        for label, result, to_first in zip(labels, results, [None, *differences], strict=True):
            side = result[way]
            recalls = [f"{side[name]:.1f}{_interval(side['ci95'][name])}" for name in columns]
            rows.append((f"  {label}", *recalls, f"{side['median_rank']:g}", f"{side['mean_rank']:.1f}"))
            if to_first is not None:
                by = to_first[way]
                rows.append(
                    ("    difference", *(_difference(by[name], by["ci95"][name]) for name in columns), "", "")
                )
    sums: list[Sequence[Any]] = []
    for label, result, to_first in zip(labels, results, [None, *differences], strict=True):
        sums.append((f"  {label}", f"{result['rsum']:.1f}{_interval(result['rsum_ci95'])}"))
        if to_first is not None:
            sums.append(("    difference", _difference(to_first["rsum"], to_first["rsum_ci95"])))
    gallery = f"{results[0]['n_images']:,} photos, {results[0]['n_captions']:,} captions"
    rule = f"differences to {labels[0]}, with paired intervals of 95%, over {gallery}"
    return f"{table(rows)}\n{table([('rsum', ''), *sums])}\n{rule}"


def _difference(value: float, bounds: Sequence[float]) -> str:
    """Format a difference with its interval, as in "+3.2 (-0.5 to +6.9)"."""
    figures = [f"{round(one, 1) + 0.0:+.1f}" for one in (value, *bounds)]  # -0.04 is +0.0
    return f"{figures[0]} ({figures[1]} to {figures[2]})"


def fused_table(comparison: dict[str, Any], ks: Sequence[int], model: str = "") -> str:
    """Format text-to-image recall without and with words.

    ``comparison`` is the JSON data of ``eval --fused --json``. ``model`` is named if there are several.
    """
    head = "text to image" if not model else f"text to image, {model}"
    rows: list[Sequence[Any]] = [(head, *(f"R@{k}" for k in ks), "median rank", "mean rank")]
    for key, name in (("visual", "by pixels"), ("fused", "by pixels and words")):
        side = comparison[key]
        recalls = [f"{side[f'R@{k}']:.1f}" for k in ks]
        rows.append((name, *recalls, f"{side['median_rank']:g}", f"{side['mean_rank']:.1f}"))
    return table(rows)


def history_table(evaluations: Sequence[dict[str, Any]]) -> str:
    """Format earlier evaluations, one per line."""
    ways = {"text_to_image": "t2i", "image_to_text": "i2t"}
    ks = sorted({int(key[2:]) for row in evaluations for key in row["text_to_image"] if key.startswith("R@")})
    header = [f"{short} R@{k}" for short in ways.values() for k in ks]
    rows: list[Sequence[Any]] = [("date", "model", "split", "photos", *header, "rsum")]
    for row in evaluations:
        recalls = [row[way].get(f"R@{k}", "") for way in ways for k in ks]
        model = model_label(row["model"], Variant(row["tta"], row["int8"]))
        rows.append((row["date"], model, row["split"] or "", row["n_images"], *recalls, row["rsum"]))
    return table(rows)


def index_text(report: IndexReport, model: str, library: Path) -> str:
    """Format the result of ``index``."""
    changes = ("added", "updated", "moved", "removed", "unchanged")
    counts = ", ".join(f"{getattr(report, name):,} {name}" for name in changes)
    speed = f", {report.images_per_s:.1f} images/s" if report.images_per_s else ""
    lines = [
        f"{counts}, {len(report.failed):,} failed",
        f"{report.encoded:,} encoded with {model} in {report.seconds:.1f} s{speed}; library {library}",
    ]
    repeated = f", {report.captions_repeated:,} repeat others" if report.captions_repeated else ""
    if report.captions_added or report.captions_without_image or repeated:
        lines.insert(
            1,
            f"{report.captions_added:,} captions added{repeated}, "
            f"{report.captions_without_image:,} without a photo",
        )
    if report.skipped_links:
        first, n = report.skipped_links[0], len(report.skipped_links)
        links = "1 link to a folder" if n == 1 else f"{n:,} links to folders"
        lines.append(f"{links} not followed: {first}{' …' if n > 1 else ''}; name one as PATH to index it")
    return "\n".join(lines)


def plan_text(plan: Estimate, effort: Effort) -> str:
    """Format the estimate for indexing a number of photos.

    It has the kind of index, times, disk space and memory.
    """
    there = "" if plan.memory_there is None else f", {_bytes(plan.memory_there)} of memory"
    if plan.lists is None:
        index, building = "exact: a query is compared with every vector", ""
    else:
        index = f"inverted lists: {plan.lists:,}; a query searches about {plan.probes} of them"
        building = f", then {_duration(plan.building_s)} to sort the vectors into lists"
    rows: list[Sequence[Any]] = [
        ("model", plan.rates.model),
        ("index", index),
        (
            "indexing",
            f"{_duration(plan.encoding_s)} at {plan.rates.photos:.1f} images/s ({effort.workers} threads; "
            f"measured on {plan.rates.sample}){building}",
        ),
        ("a query", f"{1000 * plan.query_s:.1f} ms in an open library"),
        (
            "disk",
            f"{_bytes(plan.catalog_bytes + plan.index_bytes)}: catalogue {_bytes(plan.catalog_bytes)}, "
            f"index {_bytes(plan.index_bytes)}; {_bytes(plan.disk_free)} are free",
        ),
        (
            "memory",
            f"indexing {_bytes(plan.indexing_memory)}"
            + (f", sorting into lists {_bytes(plan.building_memory)}" if plan.lists is not None else "")
            + f", a search {_bytes(plan.search_memory)}",
        ),
    ]
    title = f"{plan.photos:,} photos on this machine ({usable_cores()} cores{there})"
    short = [
        f"warning: not enough {what}: {_bytes(needed)} of {_bytes(have)}"
        for what, needed, have in (
            ("disk", plan.catalog_bytes + plan.index_bytes, plan.disk_free),
            ("memory to sort the vectors into lists", plan.building_memory, plan.memory_there),
        )
        if have is not None and needed > have
    ]
    return "\n".join([title, table(rows), *short])


def _bytes(n: int) -> str:
    """Format a size, rounded, in kB, MB, GB or TB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n / 1e6:.0f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def _duration(seconds: float) -> str:
    """Format a duration, rounded, in a suitable unit."""
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def status_text(facts: dict[str, Any]) -> str:
    """Format the JSON data of ``status --json``."""
    counts = ["photos", "searchable_photos", "captions", "captions_with_photo", "evaluations"]
    model = model_label(facts["model"] or "none", Variant(facts["tta"], facts["int8"]))
    if not facts["model_there"]:
        model += " (gone: put it back, or change to another one with `index --model NAME`)"
    rows: list[Sequence[Any]] = [("library", facts["library"]), ("model", model)]
    if facts["confidence_from"] == "background":
        rows.append(("confidence", "estimated from the photos: the model has no calibration"))
    rows += [("vectors", _vectors_text(one)) for one in facts["models"]]
    if facts["regions"]:
        rows.append(("regions", "windows of photos are searched too"))
    if facts["repeated_captions"]:
        counts.insert(3, "repeated_captions")
    rows += [(name.replace("_", " "), f"{facts[name]:,}") for name in counts]
    disk = facts["disk"]
    used = f"{_bytes(disk['total'])}: catalogue {_bytes(disk['catalogue'])}, index {_bytes(disk['index'])}"
    if disk["thumbnails"]:
        used += f", thumbnails {_bytes(disk['thumbnails'])}"
    last = facts["last_index"]
    ended = "never to its end" if last is None else f"{_local(last['ended'])} ({_changes(last)})"
    rows += [("disk", used), ("last index", ended)]
    if facts["changes"] is not None:
        rows.append(("up to date", _up_to_date(facts)))
    for folder in facts["folders"]:
        gone = "" if folder["reachable"] else ", not there now"
        rows.append(("folder", f"{folder['path']} ({folder['photos']:,} photos{gone})"))
    rows += [("forgotten", f"{path} (`index` of it takes it back)") for path in facts["forgotten"]]
    rows += [("excluded", f"{', '.join(one['globs'])} in {one['path']}") for one in facts["excluded"]]
    rows += [
        ("caption file", f"{file['path']} ({file['format']}, {file['captions']:,} captions)")
        for file in facts["caption_files"]
    ]
    rows += [("failed", file["failure"]) for file in facts["caption_files"] if file["failure"] is not None]
    rows += [("failed", f"{failure['path']}: {failure['reason']}") for failure in facts["failed"]]
    rows += [("no vector", path) for path in facts["without_vector"][:_SHOWN]]
    if len(facts["without_vector"]) > _SHOWN:
        rows.append(
            ("", f"… and {len(facts['without_vector']) - _SHOWN:,} more: `status --json` has them all")
        )
    return table(rows)


def _vectors_text(vectors: dict[str, Any]) -> str:
    """Format the numbers and bytes of a model's vectors."""
    label = model_label(vectors["model"], Variant(vectors["tta"], vectors["int8"]))
    counts = [counted(vectors["photos"], "photo"), counted(vectors["captions"], "caption")]
    if vectors["windows"]:
        counts.append(counted(vectors["windows"], "window"))
    facts = f"{', '.join(counts)}, {_bytes(vectors['bytes'])}"
    if vectors["active"]:
        return f"{label}, in use: {facts}"
    return f"{label}: {facts}; `forget --model {shlex.quote(label)}` drops them"


def _local(moment: str) -> str:
    """Format an ISO time in the local time zone."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def _changes(counts: dict[str, Any]) -> str:
    """Format counts of changes, as in "3 added, 1 failed"."""
    parts = [f"{n:,} {name}" for name, n in counts.items() if isinstance(n, int) and n]
    return ", ".join(parts) or "nothing changed"


def _up_to_date(facts: dict[str, Any]) -> str:
    """Format the answer. A library of which nothing is known of some photos is not up to date."""
    changes = facts["changes"]
    counts = {name: changes[name] for name in ("new", "changed", "gone")}
    counts["of the caption files changed"] = changes["caption_files"]
    reasons = [f"{_changes(counts)}; run `index`"] if any(counts.values()) else []
    if changes["unreachable"] or not all(folder["reachable"] for folder in facts["folders"]):
        advice = "run `index` when their folders are back, or `forget` them"
        photos = f"{changes['unreachable']:,}" if changes["unreachable"] else "a folder"
        reasons.append(f"{photos} out of reach; {advice}")
    if facts["without_regions"]:
        reasons.append(f"{facts['without_regions']:,} photos without windows; run `index`")
    return f"no: {'; '.join(reasons)}" if reasons else "yes"


def vacuum_text(freed: Freed) -> str:
    """Format the result of ``vacuum``."""
    files = f", {len(freed.removed)} index files removed" if freed.removed else ""
    return f"{_bytes(freed.bytes)} freed; the library takes {_bytes(freed.after)}{files}"


def doctor_text(findings: Sequence[Finding]) -> str:
    """Format the findings of ``doctor``, one line per part.

    The next line has the repair that was done, or that is possible.
    """
    rows: list[Sequence[Any]] = []
    for one in findings:
        rows.append((one.part, "fine" if one.fine else "wrong" if one.done is None else "mended", one.found))
        if one.done is not None:
            rows.append(("", "", f"done: {one.done}"))
        elif one.repair is not None:
            rows.append(("", "", f"repair: {one.repair}"))
    return table(rows)


def models_table(facts: Sequence[dict[str, Any]]) -> str:
    """Format the JSON data of ``models --json``.

    A model whose folder is gone has only its name. Speed and memory have columns if any model knows them.
    """
    columns = {
        "name": "model",
        "preset": "preset",
        "backbone": "backbone",
        "rsum": "dev rsum",
        "text_to_image_R@1": "text to image R@1",
        "image_to_text_R@1": "image to text R@1",
        "corpus": "trained on",
    }
    costs = [_cost_cells(row["cost"] or {}) for row in facts]
    shown = [name for name in _COSTS if any(cells[name] for cells in costs)]
    rows = [
        [*_model_cells(row, columns), *(cells[name] for name in shown)]
        for row, cells in zip(facts, costs, strict=True)
    ]
    return table([[*columns.values(), *shown], *rows])


def _model_cells(row: dict[str, Any], columns: Iterable[str]) -> list[Any]:
    """Return the cells of a model's facts.

    Facts that a converted model lacks are empty; a lost model has all but its name "gone".
    """
    missing = "gone" if row["folder"] is None else ""
    return [missing if row[key] is None else row[key] for key in columns]


# Columns of a `ModelCost`: the part and the figure in it.
_COSTS = {
    "images/s": ("image", "photos_per_s"),
    "index MB": ("image", "memory_mb"),
    "query ms": ("text", "query_ms"),
    "query MB": ("text", "memory_mb"),
}


def _cost_cells(cost: dict[str, Any]) -> dict[str, str]:
    """Return the text of each column of ``_COSTS``, "" where unknown. Figures in 8 bits follow the others."""
    cells = {}
    for column, (part, figure) in _COSTS.items():
        plain, int8 = ((cost.get(name) or {}).get(figure) for name in (part, f"{part}_int8"))
        cells[column] = "" if plain is None else f"{plain:g}"
        if int8 is not None:
            cells[column] += f", int8 {int8:g}"
    return cells


def _interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f" ({bounds[0]:.1f}-{bounds[1]:.1f})"
