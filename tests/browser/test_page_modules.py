"""What the page computes, each module asked by itself in the browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page


@pytest.fixture
def module(page: Page, served: str) -> Any:
    """``module(name, expression, given)``: an expression of ``m``, a module of the page, and of ``x``."""
    page.goto(f"{served}api.html")

    def ask(name: str, expression: str, given: Any = None) -> Any:
        return page.evaluate(f"x => import('./js/{name}.js').then(m => {expression})", given)

    return ask


def test_rows_fill_the_width(module: Any) -> None:
    # Four squares at 100 and three gaps of 4 are 412 wide: in 420 they are (420 - 12) / 4 = 102 high, which
    # is nearer to 100 than the 80.8 of five.
    first, second = module("justified", "m.justify([1, 1, 1, 1, 1, 2], 420, 100, 4)")
    assert [(box["at"], box["x"], box["width"]) for box in first["boxes"]] == [
        (0, 0, 102),
        (1, 106, 102),
        (2, 212, 102),
        (3, 318, 102),
    ]
    assert first["height"] == 102
    # The last row is not stretched: as high as was wanted, and as wide as that makes it.
    assert [(box["at"], box["x"], box["width"]) for box in second["boxes"]] == [(4, 0, 100), (5, 104, 200)]
    assert second["height"] == 100


def test_a_row_that_would_change_is_kept_back(module: Any) -> None:
    rows = module("justified", "m.justify([1, 1, 1, 1, 1, 2], 420, 100, 4, true)")
    assert [len(row["boxes"]) for row in rows] == [4]


@pytest.mark.parametrize("width", [300, 777, 1883])
def test_no_edge_is_ragged(module: Any, width: int) -> None:
    ratios = [0.5 + number * 7 % 11 / 4 for number in range(60)]
    rows = module("justified", "m.justify(x[0], x[1], 180, 4)", [ratios, width])
    shown = [box["at"] for row in rows for box in row["boxes"]]
    assert shown == list(range(60))
    for row in rows[:-1]:
        last = row["boxes"][-1]
        assert last["x"] + last["width"] == width
        for left, right in zip(row["boxes"], row["boxes"][1:], strict=False):
            assert right["x"] - left["x"] - left["width"] in (3, 4, 5)  # the gap, in whole pixels


def test_a_panorama_is_cropped_and_an_unknown_shape_guessed(module: Any) -> None:
    assert module(
        "justified", "[m.ratio(9000, 1000), m.ratio(100, 900), m.ratio(null, null), m.ratio(4, 2)]"
    ) == [
        3,
        0.5,
        1.5,
        2,
    ]


ADDRESS = "?q=a+cat&in=captions&picture=ab&after=2023&sort=date&photo=7&like=1&like=2&camera=Pixel+7"


def test_an_address_holds_the_state(module: Any) -> None:
    state = module("state", "m.read(x)", ADDRESS)
    assert (state["q"], state["like"], state["camera"], state["shape"]) == (
        "a cat",
        ["1", "2"],
        ["Pixel 7"],
        "",
    )
    assert module("state", "m.address(m.read(x))", ADDRESS) == ADDRESS
    assert module("state", "m.address(m.read('?nonsense=1&q='))") == "."
    # The server is asked for all of it but the photo that is looked at.
    assert module("state", "String(m.question(m.read(x), 50))", ADDRESS) == (
        ADDRESS[1:].replace("&photo=7", "") + "&top=50"
    )
    assert module("state", "String(m.filtersOf(m.read(x)))", ADDRESS) == "after=2023&camera=Pixel+7"


@pytest.mark.parametrize(
    ("value", "before", "name"),
    [
        ("2023", "2024", "2023"),
        ("0999", "1000", "0999"),
        ("2023-06", "2023-07", "June 2023"),
        ("2023-12", "2024-01", "December 2023"),
        ("2024-02-28", "2024-02-29", "2024-02-28"),
        ("2023-12-31", "2024-01-01", "2023-12-31"),
    ],
)
def test_spans_of_time(module: Any, value: str, before: str, name: str) -> None:
    assert module("words", "m.spanOf(x)", value) == {"after": value, "before": before}
    assert module("words", "m.spanName(x[0], x[1])", [value, before]) == name


def test_other_spans_are_said_by_their_days(module: Any) -> None:
    # Both ends are shown as days that belong to it; the filter's end does not.
    assert module("words", "m.spanName('2023-06', '2023-08')") == "2023-06-01 to 2023-07-31"
    assert module("words", "m.spanName('2023', '')") == "since 2023"
    assert module("words", "m.spanName('', '2024')") == "until 2023-12-31"


def test_dates_of_an_address_may_be_anything(module: Any) -> None:
    assert module(
        "words", "[m.firstDay('2023-06-30 18:00'), m.lastDay('2023-6'), m.dayAfter('2024-02-28')]"
    ) == [
        "2023-06-30",
        "2023-05-31",
        "2024-02-29",
    ]
    assert module("words", "[m.firstDay('soon'), m.firstDay('')]") == ["", ""]
    assert module("words", "m.spanName('soon', '2024')") == "soon to 2023-12-31"
    assert module("words", "m.spanName('2023-06-30 18:00', 'later')") == "2023-06-30 to later"


def test_boxes_stay_inside_the_photo(module: Any) -> None:
    assert module("frames", "m.between({x: 90, y: -5}, {x: 20.4, y: 70}, 80, 60)") == [20, 0, 80, 60]
    assert module("frames", "m.moved([10, 10, 30, 30], -15, 45, 80, 60)") == [0, 40, 20, 60]
    assert module("frames", "m.resized([10, 10, 30, 30], -30, 40, 80, 60, 8)") == [10, 10, 18, 60]
    assert module("frames", "m.grown([78, 0, 80, 60], 80, 60, 8)") == [72, 0, 80, 60]
    assert module("frames", "m.middle(81, 60)") == [20, 15, 61, 45]


def test_a_box_is_of_the_first_photo_that_is_liked(module: Any) -> None:
    assert module("state", "m.read('?like=7&like=9&box=1,2,30,40').box") == "1,2,30,40"
    assert module("state", "m.read('?q=red&box=1,2,30,40').box") == ""
    whole = module("state", "m.judged(m.read('?like=7&box=1,2,30,40'), 'like', 'unlike', '7')")
    assert whole == {"like": ["7"], "unlike": [], "box": ""}  # all of the photo, not only that part
    assert module("state", "m.judged(m.read('?like=7&box=1,2,30,40'), 'like', 'unlike', '9')") == {
        "like": ["7", "9"],
        "unlike": [],
    }
    state = {"q": "", "picture": "", "like": ["7"], "unlike": [], "box": "1,2,30,40"}
    assert module("given", "m.withoutLast(x)", state) == {"like": [], "box": "", "unlike": []}
