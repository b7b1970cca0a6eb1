"""The explorer shows each query with the rank that naive ranking gives it, and the numbers of ``eval``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.evaluation import explorer as explorer_module
from twobranch.retrieval.evaluation.evaluate import direction_json, evaluate
from twobranch.retrieval.evaluation.explorer import Bar, Explorer, histogram
from twobranch.server.api.explorer import QueryDetail, QueryList, Splits
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

N_DEV = 12
DIRECTIONS = ("text_to_image", "image_to_text")


@dataclass(frozen=True)
class Corpus:
    """Photos of random colours, two captions of each; the captions of many photos have equal vectors."""

    photos: dict[str, tuple[int, int, int]]
    captions: list[tuple[str, str, str]]  # photo, text, split


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    rng = np.random.default_rng(7)
    photos = {f"{n:02}.png": tuple(rng.integers(0, 256, 3).tolist()) for n in range(N_DEV + 3)}
    words = ["red", "green", "blue", "red green", "blue red", "a cat"]
    captions = [
        (name, f"{words[rng.integers(len(words))]} {number}", "dev" if int(name[:2]) < N_DEV else "test")
        for name in photos
        for number in (1, 2)
    ]
    return Corpus(photos, captions)


@pytest.fixture
def indexed(library: Path, tmp_path: Path, encoder: FakeEncoder, corpus: Corpus) -> Path:
    for name, color in corpus.photos.items():
        write_photo(tmp_path / "photos" / name, color)
    write_photo(tmp_path / "photos" / "without-caption.png", "red")
    file = tmp_path / "captions.csv"
    lines = [f"{name},{text},{split}" for name, text, split in corpus.captions]
    file.write_text("\n".join(["image,caption,split", *lines]) + "\n")
    update_library(library, [tmp_path / "photos"], encoder, captions=file)
    return library


@pytest.fixture
def client(indexed: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(indexed), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def queries(client: TestClient, **parameters: Any) -> dict[str, Any]:
    """The list, which is as the OpenAPI description says."""
    response = client.get("/api/explorer", params={"split": "dev", "limit": 500, **parameters})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert QueryList.model_validate(answer).model_dump(mode="json", by_alias=True) == answer
    return answer


def detail(client: TestClient, direction: str, query: int) -> dict[str, Any]:
    """One query, which is as the OpenAPI description says."""
    response = client.get(f"/api/explorer/{direction}/{query}", params={"split": "dev"})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert QueryDetail.model_validate(answer).model_dump(mode="json", by_alias=True) == answer
    return answer


@dataclass(frozen=True)
class Naive:
    """All scores of the dev split, one product at a time in float64."""

    texts: list[str]
    names: list[str]  # of the captions' photos
    photos: list[str]
    scores: NDArray[np.float32]  # (C, I)

    def ranks(self, direction: str) -> dict[str, int]:
        """Caption text, or name of a photo, to rank."""
        positive = np.array(self.names)[:, None] == np.array(self.photos)
        scores, keys = self.scores, [f"{n} {t}" for n, t in zip(self.names, self.texts, strict=True)]
        if direction == "image_to_text":
            positive, scores, keys = positive.T, scores.T, self.photos
        return {
            key: 1 + int(((row >= row[true].max()) & ~true).sum())
            for key, row, true in zip(keys, scores, positive, strict=True)
        }


@pytest.fixture
def naive(indexed: Path, corpus: Corpus, tmp_path: Path) -> Naive:
    fake = FakeEncoder()
    dev = [(name, text) for name, text, split in corpus.captions if split == "dev"]
    photos = sorted({name for name, _ in dev})
    images = fake.encode_images([tmp_path / "photos" / name for name in photos]).astype(np.float64)
    texts = fake.encode_texts([text for _, text in dev]).astype(np.float64)
    scores = np.array([[np.multiply(t, i).sum() for i in images] for t in texts], dtype=np.float32)
    return Naive([text for _, text in dev], [name for name, _ in dev], photos, scores)


def key_of(query: dict[str, Any]) -> str:
    name = Path(query["path"]).name
    return name if query["text"] is None else f"{name} {query['text']}"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_query_has_its_naive_rank(client: TestClient, naive: Naive, direction: str) -> None:
    answer = queries(client, direction=direction)
    assert {key_of(query): query["rank"] for query in answer["queries"]} == naive.ranks(direction)
    assert answer["total"] == {"text_to_image": 2 * N_DEV, "image_to_text": N_DEV}[direction]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_numbers_are_those_of_eval(client: TestClient, indexed: Path, direction: str) -> None:
    answer = queries(client, direction=direction)
    result = evaluate(Catalog.open(indexed), ks=[1, 5, 10], split="dev", command="test")
    # The exact ranks: many captions here are equal, and the index's float32 breaks some of these ties.
    assert answer["recall"] == direction_json(getattr(result.exact, direction))
    assert (answer["model"], answer["split"], answer["containing"]) == ("fake", "dev", None)


def test_where_the_index_agrees_the_numbers_are_those_that_eval_prints(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption\nred.png,red\ngreen.png,a green thing\nblue.png,green\n")
    update_library(library, [photos], encoder, captions=captions)
    result = evaluate(Catalog.open(library), ks=[1, 5, 10], split=None, command="test")
    assert result.agrees
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        for direction in DIRECTIONS:
            assert queries(client, split="", direction=direction)["recall"] == result.as_json()[direction]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_hits_and_truths_of_every_query(client: TestClient, naive: Naive, direction: str) -> None:
    for query in queries(client, direction=direction)["queries"]:
        id_ = query["caption"] if direction == "text_to_image" else query["photo"]
        found = detail(client, direction, id_)
        assert found["query"] == query
        row = (
            naive.scores[
                [f"{n} {t}" for n, t in zip(naive.names, naive.texts, strict=True)].index(key_of(query))
            ]
            if direction == "text_to_image"
            else naive.scores[:, naive.photos.index(key_of(query))]
        )
        hits, truths = found["hits"], found["truths"]
        # The ten best scores, in order; the first is the best of the query.
        best = sorted(row.tolist(), reverse=True)[:10]
        assert [hit["score"] for hit in hits] == pytest.approx(best, abs=1e-6)
        assert hits[0]["score"] == query["best_score"]
        # The first that is true has the query's rank; among the hits it is where it says.
        assert (truths[0]["rank"], truths[0]["score"]) == (query["rank"], query["truth_score"])
        assert [hit for hit in hits if hit["true"]] == [truth for truth in truths if truth["rank"] <= 10]
        assert all(truth["photo"] == query["photo"] for truth in truths)
        assert len(truths) == (1 if direction == "text_to_image" else 2)
        assert [hit["rank"] for hit in hits] == list(range(1, 11))
        assert all(hit["above"] >= 0 for hit in hits if hit["rank"] < query["rank"])
        assert found["gallery"] == len(row)


def test_orders(client: TestClient) -> None:
    worst = [query["rank"] for query in queries(client, sort="worst")["queries"]]
    assert worst == sorted(worst, reverse=True)
    best = [query["rank"] for query in queries(client, sort="best")["queries"]]
    assert best == sorted(best)
    ids = [query["caption"] for query in queries(client, sort="caption")["queries"]]
    assert ids == sorted(ids)
    closest = queries(client, sort="closest")["queries"]
    gaps = [query["best_score"] - query["truth_score"] for query in closest if query["rank"] > 1]
    assert gaps == pytest.approx(sorted(gaps), abs=2e-6)
    assert [query["rank"] > 1 for query in closest] == [True] * len(gaps) + [False] * (
        len(closest) - len(gaps)
    )


def test_products_that_are_off_in_the_last_digit_do_not_contradict_the_ranks(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = explorer_module._best_wrong
    for error in (1e-6, -1e-6):

        def off(*arguments: Any, error: float = error) -> Any:
            return tuple(wrong + np.float32(error) for wrong in real(*arguments))

        monkeypatch.setattr("twobranch.retrieval.evaluation.explorer._best_wrong", off)
        explorer = Explorer(indexed)
        for outcome in explorer.explore("dev").outcomes.values():
            assert ((outcome.truth > outcome.wrong) == (outcome.ranks == 1)).all()
        explorer.close()


def test_pages(client: TestClient) -> None:
    whole = queries(client)["queries"]
    assert queries(client, offset=5, limit=4)["queries"] == whole[5:9]
    assert queries(client, offset=1000)["queries"] == []


def test_words(client: TestClient, naive: Naive) -> None:
    answer = queries(client, contains="CAT")
    assert {query["text"][:5] for query in answer["queries"]} == {"a cat"}
    ranks = [rank for key, rank in naive.ranks("text_to_image").items() if "cat" in key]
    assert answer["containing"] == {
        "queries": len(ranks),
        "R@1": round(100 * np.mean(np.array(ranks) <= 1), 2),
        "R@5": round(100 * np.mean(np.array(ranks) <= 5), 2),
        "R@10": round(100 * np.mean(np.array(ranks) <= 10), 2),
        "median_rank": np.median(ranks),
    }
    assert answer["recall"] == queries(client)["recall"]  # of all queries, whatever the words
    photos = {query["photo"] for query in answer["queries"]}
    by_photo = queries(client, contains="cat", direction="image_to_text")["queries"]
    assert {query["photo"] for query in by_photo} == photos
    nothing = queries(client, contains="zebra")
    assert (nothing["total"], nothing["queries"], nothing["containing"]) == (0, [], None)


def test_ranks_in_bars(client: TestClient) -> None:
    answer = queries(client)
    for bar in answer["histogram"]:
        some = queries(client, from_rank=bar["first"], to_rank=bar["last"])
        assert some["total"] == bar["queries"] == len(some["queries"])
        assert some["histogram"] == answer["histogram"]  # of all, so that another bar can be chosen
    assert sum(bar["queries"] for bar in answer["histogram"]) == answer["total"]


def test_a_histogram_by_hand() -> None:
    # One is first, two second, one fourth, none from 6 on: the gallery ends within the bar of 6 to 10.
    bars = [Bar(1, 1, 1), Bar(2, 2, 2), Bar(3, 5, 1), Bar(6, 7, 0)]
    assert histogram(np.array([1, 2, 2, 4]), 7) == bars
    # 1, 2, 5, 10, 20, 50 and the gallery itself
    ends = [bar.last for bar in histogram(np.array([1]), 60)]
    assert ends == [1, 2, 5, 10, 20, 50, 60]


def test_splits(client: TestClient) -> None:
    answer = client.get("/api/explorer/splits").json()
    assert Splits.model_validate(answer).model_dump() == answer
    assert answer["splits"] == [
        {"name": "test", "captions": 6, "photos": 3},
        {"name": "dev", "captions": 24, "photos": 12},
    ]
    everything = client.get("/api/explorer").json()
    assert (everything["total"], everything["split"]) == (30, None)
    assert client.get("/api/explorer", params={"split": "val"}).json()["split"] == "dev"


def test_ranks_are_computed_once_for_the_same_vectors(
    indexed: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    real = explorer_module.ranks_both_ways

    def counting(*arguments: Any) -> Any:
        computed.append(len(arguments[0]))
        return real(*arguments)

    monkeypatch.setattr("twobranch.retrieval.evaluation.explorer.ranks_both_ways", counting)
    explorer = Explorer(indexed)
    first = explorer.explore("dev")
    assert explorer.explore("val") is first
    assert computed == [24]
    evaluate(Catalog.open(indexed), ks=[1], split="dev", command="test")  # commits, but to other tables
    assert explorer.explore("dev") is first
    assert computed == [24]
    write_photo(tmp_path / "photos" / "00.png", "red")  # another photo under the name of one of the split
    update_library(indexed, [tmp_path / "photos"], encoder)
    assert explorer.explore("dev") is not first
    assert computed == [24, 24]
    explorer.close()


def test_what_is_not_there(client: TestClient) -> None:
    response = client.get("/api/explorer/text_to_image/9999", params={"split": "dev"})
    assert (response.status_code, "no caption 9999" in response.json()["error"]) == (404, True)
    response = client.get("/api/explorer", params={"split": "nope"})
    assert response.status_code == 400
    assert "there are: dev (24 captions), test (6 captions)" in response.json()["error"]
    assert client.get("/api/explorer", params={"sort": "random"}).status_code == 422
    assert client.get("/api/explorer/sideways/1").status_code == 422


def test_a_query_of_another_split_is_not_in_this_one(client: TestClient, indexed: Path) -> None:
    answer = client.get("/api/explorer", params={"split": "test"}).json()
    other = answer["queries"][0]["caption"]
    assert client.get(f"/api/explorer/text_to_image/{other}", params={"split": "dev"}).status_code == 404


def test_a_split_of_one_photo_has_nothing_wrong_to_find(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photo(tmp_path / "photos" / "red.png", "red")
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption\nred.png,red\nred.png,a cat\n")
    update_library(library, [tmp_path / "photos"], encoder, captions=captions)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        for query in queries(client, split="")["queries"]:
            assert (query["rank"], query["best_score"]) == (1, query["truth_score"])


@pytest.mark.parametrize("parameters", [{"offset": 10**30}, {"from_rank": 10**30}, {"to_rank": 10**30}])
def test_numbers_beyond_all_bounds(client: TestClient, parameters: dict[str, int]) -> None:
    shown = queries(client, **parameters)["queries"]
    assert len(shown) == (2 * N_DEV if "to_rank" in parameters else 0)
    assert client.get(f"/api/explorer/text_to_image/{10**30}").status_code == 404


@pytest.mark.parametrize("photos_too", [False, True])
def test_a_library_without_captions(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder, photos_too: bool
) -> None:
    (tmp_path / "empty").mkdir()
    update_library(library, [photos if photos_too else tmp_path / "empty"], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        assert client.get("/api/explorer/splits").json() == {"splits": []}
        response = client.get("/api/explorer")
        assert (response.status_code, "--captions FILE" in response.json()["error"]) == (400, True)
