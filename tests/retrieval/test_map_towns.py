"""Names of towns on a map."""

from __future__ import annotations

from twobranch.retrieval.map_clusters import Bounds
from twobranch.retrieval.map_towns import towns_on_map

FRANCE = Bounds(42, -5, 51, 8)


def test_the_largest_towns_are_named_first_and_have_room() -> None:
    towns = towns_on_map(6, FRANCE)
    assert towns[0].name == "Paris"
    names = {town.name for town in towns}
    assert {"Marseille", "Toulouse", "Nantes"} <= names
    # At zoom 6 a degree is 45 pixels wide: Versailles, 0.2 degrees from Paris, has no room.
    assert "Versailles" not in names
    assert "Versailles" in {town.name for town in towns_on_map(12, Bounds(48.78, 2.05, 48.83, 2.2))}


def test_a_map_of_the_earth_has_no_towns() -> None:
    assert towns_on_map(3, FRANCE) == []
    assert towns_on_map(6, None) == []


def test_towns_across_the_antimeridian() -> None:
    names = {town.name for town in towns_on_map(7, Bounds(-20, 175, -15, 185))}
    assert {"Lautoka", "Labasa", "Tubou"} <= names  # Tubou lies east of it, at 178.8 degrees west
    assert towns_on_map(7, Bounds(-5, -150, 0, -145)) == []  # in the middle of the Pacific
