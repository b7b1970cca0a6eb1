"""Nothing is sent, and nothing is written but where the README says: packages under this program included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.server.serving import form
from tests.test_cli import ROOT
from tests.test_cli_serve import serve
from tests.test_imports import imported, modules, within
from tests.watched import SocketsInProc, strace, traced_sockets
from tests.wheelphotos import wheel_photo
from twobranch.common.paths import cache_folder, keep_matplotlib_in_cache

# ONNX Runtime asked for its maker's address 9 seconds after it was imported.
SECONDS = 20


@dataclass(frozen=True)
class Fresh:
    """A person who has never run anything: an empty home and an empty temporary folder."""

    place: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this process's: variables such as CI switch ONNX Runtime's telemetry off as well."""
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
        folders = {name: str(self.place / name.lower()) for name in ("HOME", "TMPDIR")}
        for folder in folders.values():
            Path(folder).mkdir(exist_ok=True)
        return {**kept, **folders}

    def run(self, *arguments: str | Path, **variables: str) -> None:
        command = [sys.executable, *map(str, arguments)]
        environment = {**self.environment, **variables}
        result = subprocess.run(command, cwd=self.place, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    def twobranch(self, *arguments: str | Path, **variables: str) -> None:
        self.run(ROOT / "cli.py", *arguments, **variables)

    def written(self, name: str) -> list[str]:
        """What is in ``home`` or ``tmpdir``, folders with a slash behind them."""
        folder = self.place / name
        paths = sorted(folder.rglob("*"))
        return [f"{path.relative_to(folder)}{'/' * path.is_dir()}" for path in paths]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """With three photos, and captions of them."""
    (tmp_path / "photos").mkdir()
    for name in ("coffee.png", "rocket.jpg", "astronaut.png"):
        shutil.copy(wheel_photo(name), tmp_path / "photos")
    (tmp_path / "captions.csv").write_text(
        "image,caption\ncoffee.png,a cup of coffee\nrocket.jpg,a rocket\nastronaut.png,a woman in a suit\n"
    )
    return Fresh(tmp_path)


# --- ONNX Runtime's telemetry is off before it is imported ---------------------------------------------


@pytest.mark.parametrize(("own", "expected"), [(None, "1"), ("", "1"), ("0", "0"), ("true", "true")])
@pytest.mark.parametrize(
    "way", ["twobranch", "twobranch.embedding.encoder", "twobranch.train", "benchmarks", "cli"]
)
def test_every_way_in_switches_telemetry_off(fresh: Fresh, way: str, own: str | None, expected: str) -> None:
    """A value of the user's own is left as it is."""
    variables = {"PYTHONPATH": str(ROOT)} | ({} if own is None else {"ORT_DISABLE_TELEMETRY": own})
    code = f"import {way}, os, sys; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    environment = {**fresh.environment, **variables}
    found = subprocess.check_output([sys.executable, "-c", code], env=environment, cwd=fresh.place, text=True)
    assert found.split() == [expected, "False"]


def test_no_module_imports_the_runtime_before_it_is_told() -> None:
    """Every module of the package is imported after its ``__init__``; benchmarks have to import it first."""
    assert "\nimport twobranch " in (ROOT / "benchmarks" / "__init__.py").read_text()
    with_it = {
        name for name, tree in modules() if any(within(one, ("onnxruntime",)) for one in imported(tree))
    }
    assert {"embedding.tower", "train.output.save"} <= with_it


def test_the_telemetry_that_a_user_asks_for_is_seen_here(fresh: Fresh) -> None:
    """What the tests below look for: if it were not seen here, they would say nothing."""
    fresh.twobranch("similarity", "photos/coffee.png", "a cup", ORT_DISABLE_TELEMETRY="0")
    written = fresh.written("home")
    if not written:
        import onnxruntime

        pytest.skip(f"ONNX Runtime {onnxruntime.__version__} has no telemetry here")
    assert any("onnxruntime" in path.lower() for path in written)


# --- files ----------------------------------------------------------------------------------------------


def test_only_the_library_and_the_cache_are_written(fresh: Fresh) -> None:
    for arguments in (
        ["index", "photos", "--captions", "captions.csv"],
        ["search", "a cup of coffee"],
        ["search", "./photos/rocket.jpg", "--thumbnails"],
        ["similarity", "photos", "a rocket"],
        ["duplicates"],
        ["status"],
        ["doctor"],
    ):
        fresh.twobranch(*arguments)
    code = "from twobranch.embedding.encoder import Encoder; Encoder.load('default').encode_texts(['a dog'])"
    fresh.run("-c", code, PYTHONPATH=str(ROOT))
    assert fresh.written("home") == fresh.written("tmpdir") == []
    fresh.twobranch("eval", "--plot", "recall.png")
    assert fresh.written("tmpdir") == []
    assert fresh.written("home")[:3] == [".cache/", ".cache/twobranch/", ".cache/twobranch/matplotlib/"]
    assert all(path.startswith(".cache/twobranch/matplotlib/") for path in fresh.written("home")[2:])
    assert sorted(path.name for path in fresh.place.iterdir()) == [
        ".twobranch",
        "captions.csv",
        "home",
        "photos",
        "recall.png",
        "tmpdir",
    ]


@pytest.mark.slow
def test_training_writes_the_model_and_the_cache(fresh: Fresh) -> None:
    lines = [
        f"{i}.jpg,a photo of {'red' if i % 2 else 'blue'},{'train' if i < 8 else 'dev'}" for i in range(12)
    ]
    (fresh.place / "many").mkdir()
    for i in range(12):
        shutil.copy(wheel_photo("rocket.jpg"), fresh.place / "many" / f"{i}.jpg")
    (fresh.place / "many.csv").write_text("\n".join(["image,caption,split", *lines]))
    preset = ("--preset", "seed", "--backbone", "efficientnet-lite0", "--epochs", "1")
    fresh.twobranch("train", "many.csv", "--images", "many", "--out", "model", *preset)
    in_home = fresh.written("home")
    assert in_home[:2] == [".cache/", ".cache/twobranch/"]
    parts = (".cache/twobranch/features/", ".cache/twobranch/matplotlib/")
    assert all(path.startswith(parts) for path in in_home[2:])
    # PyTorch makes an empty folder of this name when it is imported.
    assert [path for path in fresh.written("tmpdir") if not path.startswith("torchinductor_")] == []
    assert [path for path in fresh.written("tmpdir") if not path.endswith("/")] == []


def test_matplotlib_writes_where_a_user_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    keep_matplotlib_in_cache()
    assert os.environ["MPLCONFIGDIR"] == str(cache_folder("matplotlib"))
    monkeypatch.setenv("MPLCONFIGDIR", "/my/own")
    keep_matplotlib_in_cache()
    assert os.environ["MPLCONFIGDIR"] == "/my/own"


# --- sockets --------------------------------------------------------------------------------------------


def test_a_server_opens_nothing_but_its_own_socket(fresh: Fresh) -> None:
    fresh.twobranch("index", "photos")
    trace = fresh.place / "trace"
    under = strace(trace)
    if not (under or SocketsInProc.works()):
        pytest.skip("neither strace nor /proc/PID/net is here to tell what a process does with sockets")
    with serve(fresh.place / ".twobranch", environment=fresh.environment, under=under) as server:
        pid = server.process.pid
        with SocketsInProc(pid) as sockets:
            _use(server.port, monotonic() + SECONDS)
            code, _, errors = server.end()
    assert (code, errors) == (0, "")
    if SocketsInProc.works():
        assert sockets.looks > 10
        assert sockets.listening == [f"0100007F:{server.port:04X}"]
        assert sockets.beside(server.port) == []
    if under:
        calls = traced_sockets(trace, pid)
        # Once when it is made, and once by the event loop: the same descriptor.
        descriptors = {call.split(",")[0] for call in calls}
        assert len(descriptors) == 1 and descriptors.pop().startswith("listen("), calls
    assert fresh.written("home") == fresh.written("tmpdir") == []
    if not under:  # a name server that answers at once leaves nothing to see in /proc
        pytest.skip("nothing was open for long; to see what is open briefly strace is needed")


def _use(port: int | None, until: float) -> None:
    """All that makes a server work, at least until then."""
    import http.client

    header, body = form(wheel_photo("rocket.jpg").read_bytes())
    name, _, value = header.partition(": ")
    asked = 0
    while asked < 3 or monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for method, path, data, headers in (
            ("GET", "/", None, {}),
            ("GET", f"/api/search?q=a+rocket+{asked}", None, {}),
            ("POST", "/api/search", body, {name: value}),
            ("GET", "/api/photos/1/thumbnail", None, {}),
            ("GET", "/api/status", None, {}),
            ("POST", "/api/index", None, {}),
        ):
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            response.read()
            assert response.status in (200, 202, 409), (method, path, response.status)
        connection.close()
        asked += 1
        sleep(0.1)


@pytest.mark.parametrize("how", ["strace", "/proc"])
def test_a_socket_that_is_opened_is_seen(tmp_path: Path, how: str) -> None:
    """A datagram socket towards an address of this machine, as a question to a name server would have."""
    under: Sequence[str] = strace(tmp_path / "trace") if how == "strace" else ()
    if not (under if how == "strace" else SocketsInProc.works()):
        pytest.skip(f"{how} cannot be used here")
    code = (
        "import socket, sys\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "one.connect(('127.0.0.1', 9)); print('open', flush=True); sys.stdin.read()"
    )
    command = [*under, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "open\n"
        if how == "/proc":
            with SocketsInProc(process.pid) as sockets:
                deadline = monotonic() + 300
                while not sockets.seen and monotonic() < deadline:
                    sleep(0.01)
            assert [one.split()[2] for one in sockets.beside(0)] == ["0100007F:0009"]
        process.stdin.close()
    if how == "strace":
        names = [call.split("(")[0] for call in traced_sockets(tmp_path / "trace", process.pid)]
        assert names == ["socket", "connect"]
