"""The command line in processes of its own, with a fake encoder: started quickly, to be killed at will.

A process that has imported everything waits for orders and forks one that carries out each, so that nobody
waits for imports, and hundreds of kills fit into a test. What runs is ``cli.main`` with its arguments, exit
code and all; only the model is made up, and as fast or slow as a test wants it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import FakeEncoder
from tests.torture.points import Points, die, fail_full, watch_writes
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent
ENCODED = "encoded.log"  # in the folder that a command runs in: a line for each photo and text encoded
POINTS = "points.log"
TRANSACTION = 4  # photos that are committed together
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Order:
    """A command to be run in ``cwd``."""

    argv: tuple[str, ...]
    cwd: str
    slow: float = 0.0  # seconds that a photo takes
    at: int | None = None  # the point at which it dies, or fails
    action: str | None = None  # "die", or "full": the disk is, as far as this process can tell
    large: int | None = None  # vectors from which on a gallery has inverted lists
    patience: float | None = None  # seconds to wait for a lock
    fingerprint: str = "fake-1"  # of the model


class LoggingEncoder(FakeEncoder):
    """Writes down what it encodes before it answers, so that a kill does not hide it."""

    def __init__(self, log: Path, slow: float, fingerprint: str) -> None:
        super().__init__(fingerprint=fingerprint)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._slow = slow

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = super().encode_views(pixels)
        for vector in vectors:
            os.write(self._log, f"{vector.tobytes().hex()}\n".encode())
            time.sleep(self._slow)
        return vectors

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        for text in texts:
            os.write(self._log, f"{text}\n".encode())
        return super().encode_texts(texts, language)


@dataclass(frozen=True)
class Ended:
    """How a command ended; a negative code is the signal that ended it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def complaint(self) -> str:
        """The one line that a command which exits 1 must show."""
        assert self.code == 1, (self.code, self.out, self.err)
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and "Traceback" not in self.err, self.err
        return errors[0]

    def check(self, code: int = 0) -> Ended:
        # A Ctrl-C that comes while Python calls a weak reference's function is printed, and not raised.
        err = self.err.partition("Exception ignored in: <function _collection_gced")[0]
        assert self.code == code and "Traceback" not in err, (self.code, self.out, self.err)
        return self


class Started:
    """A command that is running."""

    def __init__(self, zygote: Zygote, pid: int, files: Path) -> None:
        self._zygote = zygote
        self._files = files
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, times: int = 1) -> None:
        """As Ctrl-C does, which may be pressed more than once; and waits for the end."""
        left = iter(range(times))

        def has_ended() -> bool:
            if self.running() and next(left, None) is not None:
                os.kill(self.pid, signal.SIGINT)
            return not self.running()

        wait_for(has_ended, "Ctrl-C ends nothing")

    def running(self) -> bool:
        return self._zygote.ask({"running": self.pid}) is None

    def said(self) -> str:
        """What is on its stderr so far."""
        return self._files.with_suffix(".err").read_text()

    def wait(self) -> Ended:
        code = int(self._zygote.ask({"wait": self.pid}))
        out, err = (self._files.with_suffix(f".{name}").read_text() for name in ("out", "err"))
        return Ended(code, out, err)


class Zygote:
    """Starts commands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        environment = {name: value for name, value in os.environ.items() if name != "TWOBRANCH_LIBRARY"}
        # As many processes as there are cores are enough to have in one another's way.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def start(self, *argv: str | Path, cwd: Path, **how: Any) -> Started:
        """Begins a command; ``how`` as in ``Order``."""
        self._started += 1
        files = self._folder / f"{self._started}.run"
        for suffix in (".out", ".err"):  # it may be killed before it opens them
            files.with_suffix(suffix).touch()
        order = Order(tuple(map(str, argv)), str(cwd), **how)
        return Started(self, int(self.ask({"start": asdict(order), "files": str(files)})), files)

    def run(self, *argv: str | Path, cwd: Path, **how: Any) -> Ended:
        """Runs a command to its end."""
        return self.start(*argv, cwd=cwd, **how).wait()

    def ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork, which this system does not have")
    with Zygote(tmp_path_factory.mktemp("zygote")) as one:
        yield one


# --- inside the process that forks --------------------------------------------------------------------


def _serve() -> None:
    _import_everything()
    ended: dict[int, int] = {}
    started: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        answer = None
        if "start" in question:
            answer = os.fork()
            if answer == 0:
                _carry_out(Order(**question["start"]), Path(question["files"]))
            started.add(answer)
            ended.pop(answer, None)  # another process, long ago, had the same number
        elif "wait" in question:
            pid = question["wait"]
            if pid not in ended:
                ended[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            answer = ended[pid]
        else:
            answer = ended.get(question["running"])
            if answer is None:
                pid, status = os.waitpid(question["running"], os.WNOHANG)
                if pid:
                    answer = ended[pid] = os.waitstatus_to_exitcode(status)
        print(json.dumps(answer), flush=True)
    for pid in started - ended.keys():  # what a test that failed left
        os.kill(pid, signal.SIGKILL)


def _import_everything() -> None:
    ours = (
        "commands.main commands.index commands.watch embedding.encoder indexer.update.library "
        "indexer.maintenance.relocate indexer.update.plan indexer.maintenance.vacuum indexer.update.watch "
        "retrieval.engine retrieval.display.status retrieval.display.tables"
    )
    for name in ("faiss", *(f"twobranch.{module}" for module in ours.split())):
        import_module(name)


def _carry_out(order: Order, files: Path) -> None:
    """Does not return."""
    code = 70
    try:
        for descriptor, name in ((1, "out"), (2, "err")):
            file = os.open(files.with_suffix(f".{name}"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, descriptor)
        os.chdir(order.cwd)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which what runs in the background ignores
        _prepare(order)
        points = Points(order.at, die if order.action == "die" else fail_full)
        if order.action is not None:
            watch_writes(points)
        from twobranch.commands.main import main

        sys.argv = ["twobranch", *order.argv]
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        if order.action is not None:
            Path(POINTS).write_text(str(points.count))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _prepare(order: Order) -> None:
    import twobranch.indexer.catalog.lock
    import twobranch.indexer.update.run
    import twobranch.indexer.vectors.index
    from twobranch.embedding.encoder import Encoder

    encoder = LoggingEncoder(Path(ENCODED), order.slow, order.fingerprint)
    Encoder.load = lambda *_, **__: encoder  # type: ignore[assignment]
    twobranch.indexer.update.run.Effort = partial(
        twobranch.indexer.update.run.Effort, transaction=TRANSACTION
    )  # type: ignore[misc,assignment]
    if order.large is not None:
        twobranch.indexer.vectors.index.LARGE = order.large
    if order.patience is not None:
        twobranch.indexer.catalog.lock.PATIENCE = order.patience


if __name__ == "__main__":
    _serve()
