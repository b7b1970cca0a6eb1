"""The page about the model, as a researcher uses it: evaluations, curves, and the explorer by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from tests.browser.serving import draw_photos, serving
from tests.fakes import FakeEncoder
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.evaluation.evaluate import evaluate
from twobranch.server.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

PHONE = {"width": 360, "height": 740}
# What a server that is reached by others sends with every page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def with_splits(captions: Path) -> Path:
    """The captions of walls are in the split test, the others in dev: 12 captions of 9 photos, 3 of 3."""
    head, *lines = captions.read_text(encoding="utf-8").splitlines()
    splits = [f"{line},{'test' if '-wall' in line else 'dev'}" for line in lines]
    captions.write_text("\n".join([f"{head},split", *splits]) + "\n", encoding="utf-8")
    return captions


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a library that was evaluated twice on dev, and once on test: change nothing."""
    place, encoder = tmp_path_factory.mktemp("evaluated"), FakeEncoder()
    captions = with_splits(draw_photos(place / "photos"))
    library = place / ".twobranch"
    update_library(library, [place / "photos"], encoder, captions=captions)
    for split, ks in (("dev", [1, 2, 3, 5]), ("test", [1, 3]), ("dev", [1, 2, 3, 5])):
        evaluate(Catalog.open(library), ks=ks, split=split, command=f"cli.py eval --split {split}")
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


@pytest.fixture
def unevaluated(tmp_path: Path) -> Iterator[str]:
    """A server over captioned photos that nobody has evaluated."""
    encoder, captions = FakeEncoder(), draw_photos(tmp_path / "photos")
    update_library(tmp_path / ".twobranch", [tmp_path / "photos"], encoder, captions=captions)
    with serving(Settings(tmp_path / ".twobranch"), lambda model: encoder) as url:
        yield url


def opened(page: Page, address: str) -> Page:
    """The page with all its parts there, under the policy of a server that others reach."""

    def guarded(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": POLICY})

    page.route(re.compile(r"\.html"), guarded)
    page.goto(address)
    page.locator("#exploring .card, #exploring .texts, #exploring .empty").first.wait_for()
    page.locator("#table").get_by_role("table").or_(page.locator("#table .empty")).wait_for()
    return page


def answer(url: str, path: str) -> Any:
    with urlopen(url + path) as response:
        return json.load(response)


def counted(page: Page, text: str) -> None:
    """Waits for the list to say how many queries it has."""
    page.locator(".side [role=status]").get_by_text(text, exact=True).wait_for()


def rows(page: Page) -> list[str]:
    """The splits of the evaluations, as they are sorted."""
    return page.locator("#table tbody tr td:nth-child(4)").all_inner_texts()


def test_evaluations_are_a_table_that_can_be_sorted(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    newest = answer(evaluated, "api/evaluations")["evaluations"][-1]
    first = page.locator("#table tbody tr").first.inner_text()
    for number in (newest["rsum"], newest["text_to_image"]["R@1"], newest["image_to_text"]["R@1"]):
        assert f"{number:.1f}" in first
    assert "agrees" in first or "differs" in first
    assert rows(page) == ["dev", "test", "dev"]  # the newest first
    page.get_by_role("button", name="Split").click()
    assert rows(page) == ["test", "dev", "dev"]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Split")
    page.get_by_role("button", name="Split").click()
    assert rows(page) == ["dev", "dev", "test"]
    page.go_back()
    page.go_back()
    assert rows(page) == ["dev", "test", "dev"]


def test_two_are_compared_and_drawn(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    assert page.locator("#curves .line").count() == 2  # one evaluation, two directions
    boxes = page.locator("#table").get_by_role("checkbox")
    boxes.nth(2).check()
    assert "e=1%2C3" in page.url
    assert page.locator("#curves .line").count() == page.locator("#curves .band").count() == 4
    names = page.locator("#curves .curves").first.locator(".label > title").all_text_contents()
    assert sorted(names) == ["fake · dev #1", "fake · dev #3"]
    # The same library, model and split: no number differs.
    differences = page.locator(".compare td:nth-child(4)").all_inner_texts()
    assert set(differences) == {"0.0"}
    assert page.locator("#comparison .trouble").count() == 0
    page.go_back()
    assert page.locator("#curves .line").count() == 2
    assert page.locator("#comparison table").count() == 0


def test_evaluations_of_other_photos_are_not_passed_off_as_comparable(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html?e=1,2")
    assert "not of the same photos" in page.locator("#comparison .trouble").inner_text()
    assert page.locator(".compare").get_by_text("better").count() == 0
    shared = page.locator(".compare").nth(1).locator("tbody th").all_inner_texts()
    assert shared == ["R@1", "R@3", "Median rank"]  # the K that both have


def test_curves_have_a_scale_a_description_and_a_table(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html?e=1")
    figure = page.get_by_role("img", name="Recall against K, Captions looking for their photo")
    recall = answer(evaluated, "api/evaluations")["evaluations"][0]["text_to_image"]
    assert f"from {recall['R@1']:.1f}% at K 1 to {recall['R@5']:.1f}% at K 5" in figure.text_content()
    dots = figure.locator("circle")

    def middle() -> float:
        """Where K = 2 is, between K = 1 and K = 5."""
        left, at, right = (float(dots.nth(number).get_attribute("cx") or "") for number in (0, 1, 3))
        return (at - left) / (right - left)

    assert middle() == pytest.approx(0.431, abs=0.001)  # log 2 / log 5
    page.get_by_text("Linear").click()
    assert middle() == pytest.approx(0.25)
    assert "k=linear" in page.url
    page.get_by_text("The numbers of the curves").click()
    shown = page.locator("#curves table").first.locator("td").first.inner_text()
    assert shown.startswith(f"{recall['R@1']:.1f} (")


def test_an_evaluation_is_run_from_the_page(page: Page, unevaluated: str) -> None:
    opened(page, unevaluated + "model.html")
    assert "No evaluation yet" in page.locator("#table").inner_text()
    page.get_by_role("button", name="Run").click()
    page.locator("#table tbody tr").wait_for()
    (stored,) = answer(unevaluated, "api/evaluations")["evaluations"]
    assert f"{stored['rsum']:.1f}" in page.locator("#table tbody tr").inner_text()
    assert page.locator("#curves .line").count() == 2


def test_the_explorer_by_keyboard(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    listed = answer(evaluated, "api/explorer?split=dev&sort=worst")["queries"]

    def shown() -> str:
        return page.locator(".asked").inner_text()

    def step(key: str, position: int) -> None:
        page.keyboard.press(key)
        page.get_by_text(f"{position} of 12").wait_for()
        page.locator(".asked", has_text=listed[position - 1]["text"]).wait_for()

    assert shown() == f"“{listed[0]['text']}”"  # the worst, as long as no other is chosen
    step("j", 2)
    step("j", 3)
    assert f"query={listed[2]['caption']}" in page.url
    step("k", 2)
    page.locator(".query-list a[aria-current]").focus()
    step("ArrowDown", 3)
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    step("ArrowUp", 2)
    # All steps until a pause are one entry: Back leads to where the walk began.
    page.go_back()
    page.get_by_text("1 of 12").wait_for()
    page.reload()
    page.go_forward()
    page.get_by_text("2 of 12").wait_for()


def test_letters_that_are_typed_are_no_steps(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    field = page.get_by_placeholder("Captions with a word")
    field.press_sequentially("kj")
    page.get_by_text("No query has these letters").wait_for()
    assert field.input_value() == "kj"
    page.go_back()
    counted(page, "12 queries")
    assert field.input_value() == ""


def test_the_truth_is_framed_beside_the_hits(page: Page, evaluated: str) -> None:
    query = answer(evaluated, "api/explorer?split=dev&contains=a+green+ball")["queries"][0]
    detail = answer(evaluated, f"api/explorer/text_to_image/{query['caption']}?split=dev")
    opened(page, f"{evaluated}model.html?query={query['caption']}")
    assert page.locator(".truth .is-true img").get_attribute("alt") == "Its photo: green-ball.jpg"
    cards = page.locator(".hits .card")
    assert cards.count() == len(detail["hits"]) == 9  # all photos of dev
    framed = [at for at in range(9) if "is-true" in (cards.nth(at).get_attribute("class") or "")]
    assert framed == [query["rank"] - 1]
    green = answer(evaluated, "api/explorer?split=dev&contains=a+green+ball")["queries"][0]["photo"]
    assert page.locator(".truth a").get_attribute("href") == f"./?photo={green}"
    page.wait_for_function("[...document.querySelectorAll('.card img')].every(img => img.naturalWidth > 0)")


def test_photos_that_look_for_a_caption(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    page.get_by_text("Photos → captions", exact=True).click()
    page.get_by_text("Its caption").wait_for()
    worst = answer(evaluated, "api/explorer?split=dev&direction=image_to_text")["queries"][0]
    detail = answer(evaluated, f"api/explorer/image_to_text/{worst['photo']}?split=dev")
    texts = page.locator(".texts").nth(1).locator("td:nth-child(2)").all_inner_texts()
    assert [text.removesuffix("true").strip() for text in texts] == [one["text"] for one in detail["truths"]]
    assert page.locator(".asked img").get_attribute("src") is not None


def test_a_bar_of_the_histogram_is_a_filter(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    bars = answer(evaluated, "api/explorer?split=dev")["histogram"]
    group = page.get_by_role("group", name="Queries by rank")
    assert group.get_by_role("button").count() == len(bars)
    first = group.get_by_role("button").first
    first.click()
    counted(page, f"{bars[0]['queries']} queries with rank 1")
    assert first.get_attribute("aria-pressed") == "true"
    assert set(page.locator(".query-list .rank").all_text_contents()) == {"rank 1"}
    page.go_back()
    counted(page, "12 queries")


def test_another_split_and_order(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    page.get_by_role("combobox", name="Split").select_option("test")
    counted(page, "3 queries")
    page.get_by_role("combobox", name="Order").select_option("caption")
    page.wait_for_url(re.compile("sort=caption"))
    listed = answer(evaluated, "api/explorer?split=test&sort=caption")["queries"]
    page.locator(".asked", has_text=listed[0]["text"]).wait_for()
    texts = page.locator(".query-list a > span:not(.rank)").all_inner_texts()
    assert texts == [query["text"] for query in listed]


def test_without_captions_it_says_what_to_do(page: Page, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    draw_photos(tmp_path / "photos")
    update_library(tmp_path / ".twobranch", [tmp_path / "photos"], encoder)
    with serving(Settings(tmp_path / ".twobranch"), lambda model: encoder) as url:
        opened(page, url + "model.html")
        assert "--captions FILE" in page.locator("#table").inner_text()
        assert "--captions FILE" in page.locator("#exploring").inner_text()
        assert page.get_by_role("button", name="Run").count() == 0


@pytest.mark.parametrize("page", [{"viewport": PHONE, "color_scheme": "dark"}], indirect=True)
@pytest.mark.parametrize("name", ["model.html?e=1,2", "model.html?direction=image_to_text", "api.html"])
def test_nothing_sticks_out_on_a_phone(page: Page, evaluated: str, name: str) -> None:
    if name == "api.html":
        page.goto(evaluated + name)
        page.locator("#models").wait_for()
    else:
        opened(page, evaluated + name)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_everybody_can_use_it(
    page: Page, evaluated: str, serious_findings: Callable[[Page], list[str]]
) -> None:
    opened(page, evaluated + "model.html?e=1,3")
    for summary in page.locator("summary").all():
        summary.click()
    assert serious_findings(page) == []
    opened(page, evaluated + "model.html?direction=image_to_text")
    assert serious_findings(page) == []


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_everybody_can_read_the_api(
    page: Page, evaluated: str, serious_findings: Callable[[Page], list[str]]
) -> None:
    page.goto(evaluated + "api.html")
    page.locator("#models").wait_for()
    for summary in page.locator(".try > summary").all()[:3]:
        summary.click()
    assert serious_findings(page) == []


def test_the_api_page_has_every_operation(page: Page, evaluated: str) -> None:
    page.goto(evaluated + "api.html")
    page.locator("#models").wait_for()
    api = answer(evaluated, "api/openapi.json")
    operations = [f"{method.upper()} {path}" for path, item in api["paths"].items() for method in item]
    shown = page.locator(".operations article h3:has(.method)").all_inner_texts()
    assert sorted(text.removesuffix("#").strip() for text in shown) == sorted(operations)
    listed = page.locator(".contents li a span:last-child").all_inner_texts()
    assert sorted(listed) == sorted(text.split(" ")[1].replace("/api/", "/") for text in operations)
    # What FastAPI would say of errors is not what this server answers.
    assert "HTTPValidationError" not in page.locator(".operations").inner_text()


def test_get_requests_can_be_tried(page: Page, evaluated: str) -> None:
    page.goto(evaluated + "api.html")
    operation = page.locator("#get-api-explorer")
    assert operation.locator(".curl").inner_text() == f"curl '{evaluated}api/explorer?split=dev'"
    operation.get_by_text("Try it").click()
    operation.get_by_label("split").fill("dev")
    operation.get_by_label("limit").fill("1")
    operation.get_by_role("button", name="Ask").click()
    operation.get_by_text("200 OK").wait_for()
    told = json.loads(operation.locator(".try pre").inner_text())
    assert told == answer(evaluated, "api/explorer?split=dev&limit=1")


def test_confidence_is_counted_when_it_is_asked_for(page: Page, evaluated: str) -> None:
    opened(page, evaluated + "model.html")
    page.get_by_text("Does confidence keep its word here?").click()
    page.get_by_text("has no confidence for such queries").wait_for()  # the folder of the model is not there
