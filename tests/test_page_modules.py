"""The page's modules that need no browser, tested in Node (``tests/page``)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
JS = ROOT / "server/page/js"


def node() -> str:
    """The program; with the wheel it lies beside this Python."""
    found = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    if found is None:
        pytest.skip("no Node: it comes with the extra `test`")
    return found


def test_the_pure_modules() -> None:
    run = subprocess.run(
        [node(), "--test", "--test-reporter=tap"],
        cwd=ROOT / "tests/page",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# pass 0" not in run.stdout  # it found the tests


def test_a_page_asks_for_its_modules_at_once() -> None:
    """Each HTML file names all modules that its script imports, so that the browser need not discover them
    one after another."""
    for page in sorted((ROOT / "server/page").glob("*.html")):
        text = page.read_text()
        (entry,) = re.findall(r'<script type="module" src="([^"]+)"', text)
        wanted, left = set(), [page.parent / entry]
        while left:
            module = left.pop()
            for name in re.findall(r'^import .* from "([^"]+)";', module.read_text(), re.MULTILINE):
                path = (module.parent / name).resolve()
                if path not in wanted:
                    wanted.add(path)
                    left.append(path)
        named = set(re.findall(r'<link rel="modulepreload" href="([^"]+)"', text))
        assert named == {str(path.relative_to(page.parent)) for path in wanted}, page.name


# A module may import from its own room and from those before it; the entries, beside the rooms, from all.
ROOMS = ("api", "components", "state", "views")
IMPORT = re.compile(r'^(?:import|export) .* from "(\.[^"]+)";|import\("(\.[^"]+)"\)', re.MULTILINE)


def test_imports_of_the_page_point_down() -> None:
    for module in JS.rglob("*.js"):
        room = module.relative_to(JS).parts[0]
        for names in IMPORT.findall(module.read_text()) if room in ROOMS else ():
            target = (module.parent / "".join(names)).resolve()
            if target.is_relative_to(JS):
                other = target.relative_to(JS).parts[0]
                assert ROOMS.index(other) <= ROOMS.index(room), f"{module.relative_to(JS)} imports {other}"
