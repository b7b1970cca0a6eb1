"""What is built from a checkout: one package, which works where nothing else of ours is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_imports import PARTS
from tests.wheelphotos import wheel_photo
from twobranch.embedding.model_folder import SHIPPED_MODELS

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """The standard output of a command that must succeed."""
    result = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of a copy of this checkout."""
    place = tmp_path_factory.mktemp("build")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(ROOT, place / "checkout", symlinks=True, ignore=ignored)
    code = "import setuptools.build_meta as b; b.build_wheel('..'); b.build_sdist('..')"
    run(sys.executable, "-c", code, cwd=place / "checkout")
    return place


def names_in(built: Path) -> Iterator[tuple[str, set[str]]]:
    """The names in the wheel, and those in the source distribution below its own folder."""
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        yield "wheel", set(archive.namelist())
    with tarfile.open(source) as archive:
        yield "sdist", {name.partition("/")[2] for name in archive.getnames()}


def test_a_wheel_has_one_package_and_all_of_it(built: Path) -> None:
    names = dict(names_in(built))["wheel"]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"twobranch"}
    modules = {
        f"twobranch/{path.relative_to(ROOT)}" for part in PARTS for path in (ROOT / part).rglob("*.py")
    }
    assert modules - names == set()
    model = {
        f"twobranch/embedding/models/default/{path.name}" for path in (SHIPPED_MODELS / "default").iterdir()
    }
    page = {
        f"twobranch/{path.relative_to(ROOT)}" for path in (ROOT / "server/page").rglob("*") if path.is_file()
    }
    assert (model | page | {"twobranch/py.typed"}) - names == set()


def test_a_source_distribution_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    run(sys.executable, "-c", "import setuptools.build_meta as b; b.build_wheel('..')", cwd=unpacked)
    again = dict(names_in_wheel(tmp_path))
    assert again == dict(names_in_wheel(built))


def names_in_wheel(folder: Path) -> Iterator[tuple[str, int]]:
    """The files in the one wheel of a folder, and the size of each, without the list of them."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        yield from (
            (info.filename, info.file_size) for info in archive.infolist() if "dist-info" not in info.filename
        )


def test_it_works_in_an_environment_of_its_own(built: Path, tmp_path: Path) -> None:
    """Without a network: the packages it needs are those of the environment that runs the tests."""
    venv.create(tmp_path / "env", with_pip=False)
    binaries = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    python = binaries / "python"
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet")
    run(*pip, wheel, cwd=tmp_path)
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    assert {path.name.partition("-")[0] for path in site.iterdir()} == {"twobranch"}
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    code = "from twobranch import Encoder, Hit, SearchEngine, UserError, __version__; print(__version__)"
    version = run(python, "-c", code, cwd=tmp_path)
    assert run(binaries / "twobranch", "--version", cwd=tmp_path) == f"twobranch {version}"
    assert run(python, "-m", "twobranch", "--version", cwd=tmp_path) == f"twobranch {version}"
    failed = subprocess.run([str(python), "-c", "import embedding"], cwd=tmp_path, capture_output=True)
    assert b"ModuleNotFoundError" in failed.stderr

    (tmp_path / "photos").mkdir()
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(wheel_photo(name), tmp_path / "photos")
    run(binaries / "twobranch", "index", "photos", cwd=tmp_path)
    found = json.loads(run(binaries / "twobranch", "search", "a cat", "--json", cwd=tmp_path))
    assert Path(found["hits"][0]["path"]).name == "chelsea.png"


def test_the_list_of_packages_is_complete() -> None:
    """setup.cfg names them one by one, since the folders lie beside each other."""
    listed = (ROOT / "setup.cfg").read_text().partition("\npackages =\n")[2].partition("\n[")[0].split()
    listed = [name for name in listed if name.startswith("twobranch")]
    folders = {path.parent.relative_to(ROOT) for part in PARTS for path in (ROOT / part).rglob("__init__.py")}
    assert set(listed) == {"twobranch"} | {f"twobranch.{'.'.join(folder.parts)}" for folder in folders}
