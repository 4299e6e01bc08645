import pytest

from worker.errors import InputError
from worker.text.targets import kind_of, parse

BOTH = frozenset({"group", "contact"})


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("group:7", "group:7"),
        (" Group : 7 ", "group:7"),
        ("CONTACT:anna b", "contact:anna b"),
        ("group:a:b", "group:a:b"),
    ],
)
def test_a_group_or_contact_is_read_with_the_name_that_the_gateway_gave_it(raw: str, found: str) -> None:
    assert parse(raw, known=BOTH) == found


@pytest.mark.parametrize("raw", ["+4520304050", "20 30 40 50", "group", "groups:7", "", "tel:+4520304050"])
def test_everything_else_is_none(raw: str) -> None:
    assert parse(raw, known=BOTH) is None


@pytest.mark.parametrize("raw", ["group:", "group:  ", "group:\x07", "group:" + 101 * "7"])
def test_a_name_that_is_none_is_refused(raw: str) -> None:
    with pytest.raises(InputError, match="as in group:7") as refused:
        parse(raw, known=BOTH)

    assert refused.value.code == "target_invalid"


@pytest.mark.parametrize(
    ("known", "says"),
    [(frozenset[str](), "it takes numbers$"), (frozenset({"group"}), "numbers and group:ID")],
)
def test_what_the_gateway_does_not_keep_is_refused_with_what_it_takes(
    known: frozenset[str], says: str
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        parse("contact:secret", known=known)

    assert refused.value.code == "target_unknown"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("recipient", "kind"), [("group:7", "group"), ("contact:7", "contact"), ("+45", "")])
def test_the_kind_is_known_by_what_stands_before_the_colon(recipient: str, kind: str) -> None:
    assert kind_of(recipient) == kind
