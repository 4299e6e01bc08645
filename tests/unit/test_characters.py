from collections import Counter

from producer.cli.characters import character_sentences
from producer.findings import CostlyRow, Preview


def test_one_message_costs_more_and_one_sign_is_replaced_one_time() -> None:
    row = CostlyRow(line=2, characters=("я",), parts=2, parts_without=1)
    found = Preview(n_costly=1, parts_more=1, costly=[row], costly_characters=Counter("я"))
    found.replaced["\N{EN DASH}", "-"] = 1

    assert list(character_sentences(found)) == [
        "1 message costs 1 part more because of characters (--rows FILE lists all):",
        "  я U+044F CYRILLIC SMALL LETTER YA: 1 message, line 2",
        'Replaced 1 time: \N{EN DASH} U+2013 EN DASH by "-"',
    ]


def test_lines_that_are_not_shown_are_hinted_at() -> None:
    row = CostlyRow(line=2, characters=("я",), parts=2, parts_without=1)
    found = Preview(n_costly=3, parts_more=3, costly=[row], costly_characters=Counter({"я": 3}))

    assert list(character_sentences(found))[1].endswith("3 messages, line 2, ...")
