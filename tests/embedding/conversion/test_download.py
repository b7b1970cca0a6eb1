"""Downloads from a hub that runs here: what is chosen, resumed, checked, and said without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from twobranch.common.errors import ModelError
from twobranch.common.progress import SILENT
from twobranch.embedding.conversion.download import fetch, look_up, wanted_files

pytest.importorskip("huggingface_hub")

NAME = "some-people/ViT-B-32__openai"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b"{}",
    "README.md": b"# A model",
    "visual/model.onnx": bytes(range(256)) * 4000,  # 1 MB
    "visual/preprocess_cfg.json": b"{}",
    "textual/model.onnx": b"text" * 1000,
    "textual/tokenizer.json": b"{}",
    "textual/fp16/model.onnx": b"half",
    "pytorch_model.bin": b"a pickle",
}
LARGE = ("visual/model.onnx", "textual/model.onnx")


class Hub:
    """The requests that a hub got, and how it answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []  # path and Range
        self.licence = "mit"
        self.damage: str | None = None  # the file that is sent otherwise than it is
        self.cut: str | None = None  # the file whose connection ends in the middle, once


class Handler(BaseHTTPRequestHandler):
    """The part of the Hugging Face API that downloads use."""

    def __init__(self, hub: Hub, *arguments: object) -> None:
        self.hub = hub
        super().__init__(*arguments)  # type: ignore[arg-type]

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.hub.requests.append((self.path, self.headers.get("Range")))
        path = self.path.split("?")[0]
        if path == f"/api/models/{NAME}" or path.startswith(f"/api/models/{NAME}/revision/"):
            self.send(json.dumps(self.info()).encode(), {"Content-Type": "application/json"}, with_body)
            return
        start = f"/{NAME}/resolve/{COMMIT}/"
        name = path.removeprefix(start)
        if not path.startswith(start) or name not in FILES:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = FILES[name]
        headers = {"ETag": f'"{digest(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if self.hub.damage == name:
            content = content[:-1] + b"!"
        self.send(content, headers, with_body, cut=self.hub.cut == name)

    def info(self) -> dict[str, object]:
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": "0"}
            | (
                {"lfs": {"sha256": digest(content), "size": len(content), "pointerSize": 1}}
                if name in LARGE
                else {}
            )
            for name, content in FILES.items()
        ]
        return {"id": NAME, "sha": COMMIT, "siblings": siblings, "cardData": {"license": self.hub.licence}}

    def send(self, content: bytes, headers: dict[str, str], with_body: bool, *, cut: bool = False) -> None:
        wanted = self.headers.get("Range")
        first = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        if not with_body:
            return
        if cut:
            self.hub.cut = None
            self.wfile.write(content[first : len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content[first:])


def lfs(name: str, content: bytes) -> dict[str, object]:
    """What the hub says of a large file besides."""
    facts = {"sha256": digest(content), "size": len(content), "pointerSize": 1}
    return {"lfs": facts} if name in LARGE else {}


def use_hub(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let huggingface_hub, which reads its environment when it is imported, ask this address."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, hub))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    use_hub(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield hub
    server.shutdown()
    server.server_close()


def test_size_and_licence_are_known_before_anything_is_fetched(hub: Hub) -> None:
    repository = look_up(NAME)
    assert repository.licence == "mit"
    assert repository.size == 256 * 4000 + 4000 + 3 * 2
    assert all("/resolve/" not in path for path, _ in hub.requests)


def test_files_are_fetched_and_pickles_are_not(hub: Hub) -> None:
    folder = fetch(look_up(NAME), SILENT)
    there = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    wanted = set(FILES) - {"README.md", "textual/fp16/model.onnx", "pytorch_model.bin"}
    assert there == {name: FILES[name] for name in wanted}


def test_a_second_run_fetches_only_what_is_missing(hub: Hub) -> None:
    folder = fetch(look_up(NAME), SILENT)
    (folder / "textual/model.onnx").unlink()
    hub.requests.clear()
    fetch(look_up(NAME), SILENT)
    assert (folder / "textual/model.onnx").read_bytes() == FILES["textual/model.onnx"]


def test_a_damaged_file_is_refused_and_not_kept(hub: Hub) -> None:
    hub.damage = "visual/model.onnx"
    with pytest.raises(ModelError, match=r"model\.onnx: damaged by the download; run the same command"):
        fetch(look_up(NAME), SILENT)
    hub.damage = None
    folder = fetch(look_up(NAME), SILENT)
    assert (folder / "visual/model.onnx").read_bytes() == FILES["visual/model.onnx"]


def test_an_unknown_repository_is_one_line(hub: Hub) -> None:
    with pytest.raises(ModelError, match="no/such: neither a folder here nor a public model on") as raised:
        look_up("no/such")
    assert "\n" not in str(raised.value)


def test_without_a_network_the_line_names_the_files_and_where_to_put_them(
    monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    repository = look_up(NAME)
    use_hub(monkeypatch, "http://127.0.0.1:9")  # the discard port: nothing listens
    with pytest.raises(ModelError, match=r"cannot be downloaded .* put them into a folder here") as raised:
        fetch(repository, SILENT)
    assert "visual/model.onnx, visual/preprocess_cfg.json" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["model.bin", "config.json"], []),
        (["model.safetensors"], []),
        (
            ["config.json", "model.safetensors", "vocab.txt", "flax.msgpack"],
            ["config.json", "model.safetensors", "vocab.txt"],
        ),
        (
            ["open_clip_config.json", "open_clip_model.safetensors", "model.safetensors", "merges.txt"],
            ["merges.txt", "open_clip_config.json", "open_clip_model.safetensors"],
        ),
        (["visual/model.onnx", "config.json", "model.bin"], []),
    ],
)
def test_files_are_chosen_by_layout(names: list[str], wanted: list[str]) -> None:
    assert sorted(wanted_files(names)) == wanted
