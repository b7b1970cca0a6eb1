"""What a library must hold, said with dictionaries: the oracle of ``test_stateful.py``.

It looks at the same disk and is told the same commands, and works out with sets and loops what `index`,
`forget` and `relocate` promise. Nothing in it is fast, batched, cached or stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes import FakeEncoder
from twobranch.common.errors import UserError


@dataclass(frozen=True)
class Photo:
    """A row: ``content`` is None for a file that cannot be read; ``models`` have a vector of it."""

    path: Path
    content: str | None
    models: frozenset[str] = frozenset()


@dataclass
class Plain:
    """The library over the folders below ``top``. Photos have ids in the order in which they came."""

    top: Path
    contents: dict[bytes, str]  # what may be in a readable file, by its bytes
    roots: set[Path] = field(default_factory=set)
    photos: dict[int, Photo] = field(default_factory=dict)
    named: set[Path] = field(default_factory=set)
    exclude: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    forgotten: set[Path] = field(default_factory=set)
    captions: dict[tuple[str, str], int | None] = field(default_factory=dict)  # (name, text): photo
    captions_read: int | None = None  # the time of the file that was read last
    captions_on_disk: dict[tuple[str, str], None] | None = None  # what is in it now
    active: str | None = None
    names_of_models: dict[str, str] = field(default_factory=dict)
    last_id: int = 0

    # --- what must be there -----------------------------------------------------------------------

    def held(self) -> dict[Path, tuple[str | None, frozenset[str]]]:
        """Path: content and models, of every photo of the library."""
        return {photo.path: (photo.content, photo.models) for photo in self.photos.values()}

    def ties(self) -> dict[tuple[str, str], Path | None]:
        """Caption: the photo it is tied to."""
        return {key: None if id is None else self.photos[id].path for key, id in self.captions.items()}

    def searchable(self) -> dict[Path, str]:
        """Path: content, of the photos a search may find."""
        return {
            photo.path: photo.content
            for photo in self.photos.values()
            if photo.content is not None and self.active in photo.models
        }

    # --- what is on the disk ----------------------------------------------------------------------

    def content(self, path: Path) -> str | None:
        return self.contents.get(path.read_bytes())

    def scan(self, root: Path, below: Path) -> list[Path]:
        """The photos a scan of ``below`` comes to, in its order: files by name, then folder after folder."""
        if below.suffix:
            return [below] if below.is_file() else []
        if not below.is_dir():
            return []
        found: list[Path] = []
        folders = [below]
        while folders:
            folder = folders.pop()
            entries = sorted(folder.iterdir(), key=lambda path: path.name)
            entries = [path for path in entries if not self.left_out(path, root)]
            found += [path for path in entries if path.suffix == ".png"]
            folders += [path for path in reversed(entries) if path.is_dir()]
        return found

    def left_out(self, path: Path, root: Path) -> bool:
        """Whether a scan passes over this path when it comes to it."""
        if path in self.forgotten:
            return True
        return any(
            path.name in globs
            for folder, globs in self.exclude.items()
            if folder in path.parents and (folder == root or root in folder.parents)
        )

    def left_out_on_the_way(self, path: Path, root: Path, below: Path) -> bool:
        ways = [way for way in (path, *path.parents) if below in way.parents]
        return any(self.left_out(way, root) for way in ways)

    # --- commands ---------------------------------------------------------------------------------

    def index(
        self,
        paths: Sequence[Path],
        encoder: FakeEncoder,
        exclude: Sequence[str] | None = None,
        captions: dict[tuple[str, str], None] | None = None,
        captions_time: int | None = None,
    ) -> None:
        """``captions``: those of the file, if the command names it; ``captions_time`` that of the file now,
        None where there is none. Raises ``UserError`` where the library should refuse; ``self`` is to be
        thrown away then."""
        targets = [path for path in dict.fromkeys(paths) if path.exists()]
        missing = [path for path in dict.fromkeys(paths) if not path.exists()]
        targets = [path for path in targets if not any(above in targets for above in path.parents)]
        gone: set[int] = set()
        for path in missing:
            ids = {id for id, photo in self.photos.items() if _in(photo.path, path)}
            if not ids and not any(_in(root, path) for root in self.roots):
                raise UserError("not found")
            if not path.parent.is_dir() or _is_empty(path.parent):
                raise UserError("may be unmounted")
            gone |= ids
        lost_roots = {root for root in self.roots if any(_in(root, path) for path in missing)}
        looked_at = targets if paths else [path for root in sorted(self.roots) for path in self._known(root)]
        if paths or exclude is not None:
            self._tell(looked_at, exclude)
            for path in missing:
                if any(_in(root, path) for root in lost_roots):
                    self._forget_choices(path)
        self._look(looked_at, encoder.fingerprint, gone)
        self._remove(gone)
        self.roots -= lost_roots
        # Captions: as a file is given, or, by a plain `index`, when the known one was written to.
        given = captions is not None
        if captions is None and not paths and self.captions_read not in (None, captions_time):
            captions = self.captions_on_disk
            if captions is not None:
                self.captions_read = captions_time
        if given:
            self.captions_read = captions_time
        if captions is not None:
            self.captions = {key: self.captions.get(key) for key in captions}
        self._tie(targets, given)
        self.active = encoder.fingerprint
        self.names_of_models[encoder.fingerprint] = encoder.name
        older = {
            fingerprint
            for fingerprint, name in self.names_of_models.items()
            if name == encoder.name and fingerprint != encoder.fingerprint
        }
        for fingerprint in older:
            del self.names_of_models[fingerprint]
        for id, photo in self.photos.items():
            self.photos[id] = replace(photo, models=photo.models - older)

    def forget(self, path: Path) -> None:
        """Raises ``UserError`` where the library has nothing of the path."""
        inside = {root for root in self.roots if _in(root, path)}
        ids = {id for id, photo in self.photos.items() if _in(photo.path, path)}
        if not inside and not ids:
            raise UserError("nothing of it")
        self._remove(ids)
        before = {root: self._targets(root) for root in self.roots}
        self._forget_choices(path)
        if any(root in path.parents for root in self.roots):
            self.forgotten.add(path)
        self.roots -= inside
        for root in list(self.roots):
            if before[root] != self._targets(root) == {root} and not self._in_root(root):
                self.roots.discard(root)  # nothing of it was named any more

    def relocate(self, old: Path, new: Path) -> None:
        """Raises ``UserError`` where no root lies at or below ``old``, or one would overlap with another."""
        moved = {root: new / root.relative_to(old) for root in self.roots if _in(root, old)}
        staying = self.roots - moved.keys()
        if not moved or any(_in(a, b) or _in(b, a) for a in moved.values() for b in staying):
            raise UserError("not to be moved")

        def name(path: Path) -> Path:
            return new / path.relative_to(old) if _in(path, old) else path

        for id, photo in self.photos.items():
            self.photos[id] = replace(photo, path=name(photo.path))
        self.roots = staying | set(moved.values())
        self.named = {name(path) for path in self.named}
        self.exclude = {name(path): globs for path, globs in self.exclude.items()}
        self.forgotten = {name(path) for path in self.forgotten}

    def copy(self) -> Plain:
        return deepcopy(self)

    # --- steps of `index` -------------------------------------------------------------------------

    def _tell(self, paths: Sequence[Path], exclude: Sequence[str] | None) -> None:
        named = {path for root in self.roots for path in self._targets(root)}
        for path in paths:
            if any(above in self.forgotten for above in path.parents):
                raise UserError("was forgotten")
            named.add(path)
            if exclude is not None and path.is_dir():
                self.exclude[path] = tuple(glob for glob in exclude if glob)
        self.named = named
        self.exclude = {path: globs for path, globs in self.exclude.items() if globs}
        self.forgotten -= set(paths)

    def _forget_choices(self, path: Path) -> None:
        self.named = {one for one in self.named if not _in(one, path)}
        self.exclude = {one: globs for one, globs in self.exclude.items() if not _in(one, path)}
        self.forgotten = {one for one in self.forgotten if not _in(one, path)}

    def _targets(self, root: Path) -> set[Path]:
        return {path for path in self.named if _in(path, root)} or {root}

    def _in_root(self, root: Path) -> dict[int, Photo]:
        return {id: photo for id, photo in self.photos.items() if _in(photo.path, root)}

    def _known(self, root: Path) -> Iterator[Path]:
        """What a plain `index` looks at in a root; what seems to be away is passed over."""
        if not root.is_dir():
            return
        for path in sorted(self._targets(root)):
            if self.left_out_on_the_way(path, root, root):
                continue
            away = (
                _is_empty(path)
                if path.is_dir()
                else not path.exists() and (not path.parent.is_dir() or _is_empty(path.parent))
            )
            if path != root and away and self._below(path):
                continue
            yield path

    def _below(self, path: Path) -> list[int]:
        return [id for id, photo in self.photos.items() if _in(photo.path, path)]

    def _look(self, targets: Iterable[Path], model: str, gone: set[int]) -> None:
        scopes: list[tuple[Path, Path]] = []
        for path in sorted(targets, key=lambda path: len(_folder(path).parts)):
            folder = _folder(path)
            root = next((root for root in self.roots if _in(folder, root)), None)
            if root is None:
                root = folder
                self.roots = {other for other in self.roots if not _in(other, folder)} | {folder}
            scopes.append((root, path))
        seen: dict[int, Path] = {}
        new: list[Path] = []
        for root, path in scopes:
            if self.left_out_on_the_way(path, root, root):
                continue
            found = self.scan(root, path)
            if path == root and not found and _is_empty(root):
                continue  # a mount point
            by_path = {photo.path: id for id, photo in self.photos.items()}
            for id in self._below(path):
                if self.photos[id].path in found:
                    seen[id] = self.photos[id].path
                else:
                    gone.add(id)
            new += [file for file in found if file not in by_path and file not in new]
        # Those that this model has not encoded are looked for wherever they are.
        lacking = [
            id
            for id, photo in self.photos.items()
            if photo.content is not None and model not in photo.models and id not in seen and id not in gone
        ]
        for id in [*seen, *(id for id in lacking if self.photos[id].path.is_file())]:
            photo = self.photos[id]
            self.photos[id] = self._read(photo, model)
        for path in new:
            photo = self._read(Photo(path, None), model)
            twins = (
                id
                for id, other in sorted(self.photos.items())
                if other.content is not None
                and other.content == photo.content
                and model in other.models
                and (id in gone or not other.path.exists())
            )
            if (moved := next(twins, None)) is not None:
                self.photos[moved] = replace(self.photos[moved], path=path)
                gone.discard(moved)
            else:
                self.last_id += 1
                self.photos[self.last_id] = photo

    def _read(self, photo: Photo, model: str) -> Photo:
        content = self.content(photo.path)
        if content is None:
            return Photo(photo.path, None)
        return Photo(
            photo.path, content, (photo.models if content == photo.content else frozenset()) | {model}
        )

    def _remove(self, ids: Iterable[int]) -> None:
        for id in ids:
            del self.photos[id]
        self.captions = {key: id if id in self.photos else None for key, id in self.captions.items()}

    def _tie(self, here: Sequence[Path], given: bool) -> None:
        for (name, text), tied in self.captions.items():
            if tied is not None and not given:
                continue
            ranks = {
                id: (any(_in(photo.path, path) for path in here), self._in_its_root(photo.path) == name)
                for id, photo in self.photos.items()
                if photo.path.name == name
            }
            best = [id for id in ranks if ranks[id] == max(ranks.values())]
            if best and tied not in best:
                self.captions[name, text] = best[0] if len(best) == 1 else None

    def _in_its_root(self, path: Path) -> str:
        (root,) = (root for root in self.roots if _in(path, root))
        return path.relative_to(root).as_posix()


def _in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent
