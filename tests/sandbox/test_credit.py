import math
import time
from typing import Any

import pytest

from worker.sandbox.credit import Credit
from worker.sandbox.knobs import Knobs


@pytest.mark.parametrize(
    ("knobs", "left"),
    [
        ({}, math.inf),
        ({"credit": 10}, 7),
        ({"credit": 2}, 0),
        ({"credits": {"acme": 5}}, 2),
        ({"credit": 10, "credits": {"acme": 5}}, 2),
        ({"credit": 10, "credits": {"other": 5}}, 7),
        ({"credit": 10, "out_of_credit": True}, 0),
    ],
)
def test_what_is_left_is_what_the_account_has_less_what_it_spent(knobs: dict[str, Any], left: float) -> None:
    credit = Credit()
    credit.take("acme", 3)
    credit.take("other", 100)

    assert credit.left("acme", knobs=Knobs(**knobs)) == left


def test_what_is_charged_later_is_not_spent_yet() -> None:
    credit = Credit()
    credit.take("acme", 3, from_s=time.time() + 60)
    credit.take("acme", 1, from_s=time.time() - 60)

    assert credit.spent("acme") == 1


@pytest.mark.parametrize("from_s", [0.0, 4_000_000_000.0])
def test_what_is_given_back_was_never_spent(from_s: float) -> None:
    credit = Credit()
    credit.take("acme", 3, from_s=from_s)
    credit.give_back("acme", 3, from_s=from_s)

    assert credit.left("acme", knobs=Knobs(credit=10)) == 10
