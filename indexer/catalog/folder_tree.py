"""The folders of a library as a tree, with their filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePath

from twobranch.indexer.catalog.filters import literal
from twobranch.indexer.disk.names import folded, path_key


@dataclass(frozen=True)
class Folder:
    """A folder with photos in it or further in."""

    value: str  # of the filter `path`, for this folder alone
    photos: int
    name: str  # the last part of its path
    below: str  # its path below the indexed folder; "" for that folder itself
    depth: int  # 0 at the top
    parent: int | None  # its place among the folders; None at the top


@dataclass(frozen=True)
class _Node:
    """A folder by its whole path, without the others."""

    whole: str
    below: str
    photos: int


def folder_tree(
    tally: Mapping[tuple[int, str], int],
    roots: Mapping[int, str],
    *,
    every: Iterable[tuple[int, str]] | None = None,
    with_roots: bool = True,
    most: int | None = None,
) -> tuple[Folder, ...]:
    """Arrange folders as a tree, by name.

    ``tally`` has the photos directly in each folder, by the id of the indexed folder and the path below it,
    and ``roots`` the paths of indexed folders. A folder is followed by those in it, and its photos include
    theirs. ``every`` are all folders of the library, if the tally has only some. The tops are the indexed
    folders, or without ``with_roots`` those in them. Of more than ``most`` the largest are kept, which leaves
    no folder without its parent.
    """
    nodes = _nodes(tally, roots)
    ends = _ends(nodes if every is None else _nodes(dict.fromkeys(every, 0), roots))
    # The root of a disk has no name that the filter could take.
    kept = [key for key, node in nodes.items() if key and (node.below or with_roots)]
    largest = sorted(kept, key=lambda key: (-nodes[key].photos, key.count("/"), key))
    ordered = sorted(largest[:most], key=lambda key: path_key(f"{nodes[key].whole}/"))
    found: list[Folder] = []
    places: dict[str, int] = {}
    for key in ordered:
        node = nodes[key]
        parent = places.get(key.rpartition("/")[0])
        name = PurePath(node.whole).name
        # The filter finds every folder whose path ends with it.
        short = node.below or name
        value = short if ends[folded(short)] == 1 else node.whole
        depth = 0 if parent is None else found[parent].depth + 1
        places[key] = len(found)
        found.append(Folder(literal(value), node.photos, name, node.below, depth, parent))
    return tuple(found)


def _nodes(tally: Mapping[tuple[int, str], int], roots: Mapping[int, str]) -> dict[str, _Node]:
    """Return the folders by whole path, as the filter compares paths.

    Names that the filter holds for equal are one folder.
    """
    photos: Counter[str] = Counter()
    first: dict[str, tuple[str, str]] = {}
    for (root, folder), n in tally.items():
        above = PurePath(roots[root]).as_posix().rstrip("/")
        steps = ["", *(accumulate(folder.split("/"), "{}/{}".format) if folder else ())]
        keys = []
        for step in steps:
            whole = f"{above}/{step}" if step else above or "/"
            keys.append(folded(whole).rstrip("/"))
            first.setdefault(keys[-1], (whole, step))
        photos.update(dict.fromkeys(keys, n))
    return {key: _Node(*first[key], n) for key, n in photos.items()}


def _ends(nodes: Iterable[str]) -> Counter[str]:
    """Count folders by each end of their paths.

    Those above the indexed ones count as well.
    """
    every = {key[:at] for key in nodes for at in (*_slashes(key), len(key)) if at}
    return Counter(key[at + 1 :] for key in every for at in _slashes(key))


def _slashes(path: str) -> Iterator[int]:
    return (at for at, letter in enumerate(path) if letter == "/")
