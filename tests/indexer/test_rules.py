from __future__ import annotations

from twobranch.indexer.disk.rules import EVERYTHING, Rules, is_hidden, is_hidden_below


def test_hidden_names() -> None:
    assert all(map(is_hidden, (".a.jpg", ".cache", "@eaDir", "node_modules")))
    assert not any(map(is_hidden, ("a.jpg", "a.b", "")))


def test_a_folder_that_is_named_may_be_hidden_itself() -> None:
    assert is_hidden_below("a/.h/b.jpg", "") and is_hidden_below("a/.h/b.jpg", "a")
    assert not is_hidden_below("a/.h/b.jpg", "a/.h") and not is_hidden_below(".a.jpg", ".a.jpg")


def test_the_deepest_folder_decides_on_hidden_files() -> None:
    rules = Rules(hidden={"": True, "a": False})
    assert rules.lead_to(".h/b.jpg", "") and not rules.lead_to("a/.h/b.jpg", "")
    assert not EVERYTHING.lead_to(".h/b.jpg", "") and EVERYTHING.lead_to(".h/b.jpg", ".h")
    for generated in ("@eaDir/b.jpg", ".twobranch/b.jpg"):
        assert not rules.lead_to(generated, "")


def test_a_glob_matches_from_the_root_from_its_folder_and_by_name() -> None:
    for glob in ("a/raw", "raw", "r*/", "a/*"):
        assert Rules(exclude={"": [glob]}).exclude_on_the_way("a/raw/b.jpg", "")
    assert Rules(exclude={"a": ["raw"]}).exclude_on_the_way("a/raw/b.jpg", "")
    assert not Rules(exclude={"a": ["raw"]}).exclude_on_the_way("b/raw/b.jpg", "")
    # Only the way down from what is looked at counts.
    assert not Rules(exclude={"": ["raw"]}).exclude_on_the_way("raw/b.jpg", "raw")


def test_what_was_forgotten_is_left_out_and_is_not_hidden() -> None:
    rules = Rules(forgotten=frozenset({"a/b"}))
    assert rules.leave_out("a/b") and rules.exclude_on_the_way("a/b/c.jpg", "")
    assert not rules.leave_out("a/bc")
