"""Every item of the checklist has a test that names it, or a line that says why not."""

from __future__ import annotations

import checklist


def test_every_item_is_proven_or_does_not_apply() -> None:
    """A line about a part of an item is no excuse for the rest."""
    proven, (whole, _) = checklist.tests(), checklist.not_applicable()
    assert [number for number in checklist.ITEMS if not proven[number] and number not in whole] == []


def test_lines_are_of_items_that_exist() -> None:
    whole, part = checklist.not_applicable()
    assert whole | part <= set(checklist.ITEMS)


def test_lines_name_tests_that_exist() -> None:
    folder = checklist.FOLDER.parent
    swift = "\n".join(path.read_text() for path in folder.glob("*Tests/*.swift"))
    missing = {name for name in checklist.named_there()
               if not ((checklist.FOLDER / name).exists() or f"struct {name}" in swift)}
    assert missing == set()


def test_the_index_is_what_the_tests_say() -> None:
    """`python Tests/Interop/checklist.py` writes it."""
    assert checklist.INDEX.read_text() == checklist.index()
