"""What is refused for a gateway that can do little; what each gateway can do is in its contract."""

import pytest

from tests.contract.cases import ANNA, BO, CARL, DLR_URL, LEAVES_AT_S, TEXT, submission
from worker.errors import ConfigError
from worker.gateways.base import Capabilities
from worker.gateways.checks import check_dialect, check_submission, target
from worker.text.segments import Encoding

LITTLE = Capabilities(
    max_recipients=2,
    max_parts=1,
    encodings=frozenset({Encoding.GSM_7}),
    options=frozenset({"flash"}),
    targets=frozenset({"contact"}),
    max_characters={Encoding.GSM_7: len(TEXT)},
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"leaves_at_s": LEAVES_AT_S}, "until a time"),
        ({"texts": (TEXT,)}, "different texts"),
        ({"text": TEXT + "."}, f"more than {len(TEXT)} characters"),
        ({"text": "\u20ac" + TEXT[1:]}, f"more than {len(TEXT)} characters"),
        ({"encoding": Encoding.UCS_2}, "encoding ucs2"),
        ({"options": {"colour": 1, "flash": 1}}, r"option colour .*flash"),
        ({"sender": ""}, "sender is empty"),
        ({"sender": "TwelveLetter"}, "sender has more than 11 characters"),
        ({"sender": "+" + "1" * 16}, "sender has more than 15 digits"),
        ({"recipients": (ANNA, BO, CARL)}, "more than 2 recipients"),
        ({"recipients": (ANNA, ANNA)}, "number stands twice"),
        ({"recipients": ("group:7",)}, r"recipient group: .*numbers, contact"),
        ({"recipients": (f"{ANNA}:7",)}, "neither a number nor"),
        ({"recipients": ("contact:",)}, "recipient contact: needs"),
        ({"recipients": (ANNA, "contact:7")}, "recipient contact: must be the only one"),
    ],
)
def test_submission_beyond_the_capabilities_is_refused_by_name(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=f"gateway little: .*{named}") as raised:
        check_submission(submission(**changes), gateway="little", capabilities=LITTLE)

    assert not any(hidden in str(raised.value) for hidden in (TEXT, ANNA[1:], "1" * 16))


@pytest.mark.parametrize(
    "changes", [{}, {"recipients": (ANNA, BO)}, {"recipients": ("contact:7",)}, {"dlr_url": DLR_URL}]
)
def test_submission_within_the_capabilities_is_carried(changes: dict[str, object]) -> None:
    check_submission(submission(**changes), gateway="little", capabilities=LITTLE)


@pytest.mark.parametrize(
    ("recipient", "divided"),
    [
        (ANNA, ("", ANNA)),
        ("group:7", ("group", "7")),
        ("group:", ("group", "")),
        ("group:a:b", ("group", "a:b")),
    ],
)
def test_target_is_divided_at_its_first_colon(recipient: str, divided: tuple[str, str]) -> None:
    assert target(recipient) == divided


def test_dialect_is_read_in_lower_case_where_its_words_are_listed() -> None:
    read = check_dialect(
        {"codes": "NEW", "brand": "Acme", "year": 2016},
        gateway="little",
        known={"codes": frozenset({"new", "old"}), "brand": None, "year": frozenset({"2016"})},
    )

    assert read == {"codes": "new", "brand": "Acme", "year": "2016"}


def test_dialect_with_a_word_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="little: dialect codes must be one of new, old"):
        check_dialect({"codes": "newer"}, gateway="little", known={"codes": frozenset({"new", "old"})})
