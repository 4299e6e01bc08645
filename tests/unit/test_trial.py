import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.gateways import GATEWAYS
from worker.providers import Account, account_named
from worker.settings import Settings
from worker.text.segments import Encoding
from worker.trial import Trial

OURS = (
    ("cpsms", "reference"),
    ("cpsms", "dlr_url"),
    ("cpsms", "timestamp"),
    ("smsend", "order_id"),
    ("smsend", "truncate"),
    ("smsend", "encoding"),
    ("textmarketer", "custom"),
    ("textmarketer", "schedule"),
    ("txty_v4", "callback"),
    ("txty_v6", "custom_reference"),
)


def account(gateway: str, **more: object) -> Account:
    provider = {"gateway": gateway, "username": "acme", "secret": "env:KEY", **more}
    return account_named(Settings.model_validate({"providers": {"acme": provider}}), "acme")


def trial(gateway: str, **options: object) -> Trial:
    return account(gateway).trial(sender="ACME", options=options)


@pytest.mark.parametrize(("gateway", "option"), [each for each in OURS if each[0] in GATEWAYS])
def test_what_bulksend_writes_itself_is_no_option(gateway: str, option: str) -> None:
    with pytest.raises(
        ConfigError, match=f"gateway {gateway}: option {option} is written by Bulksend itself"
    ):
        trial(gateway, **{option: "1"})


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_option_that_nobody_knows_is_refused_by_name(gateway: str) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        trial(gateway, nonsense="1")


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_options_of_the_settings_are_tried_when_these_are_read(gateway: str) -> None:
    with pytest.raises(ConfigError, match=r"providers\.acme: .*nonsense"):
        account(gateway, options={"nonsense": "1"})


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_order_without_options_can_be_carried(gateway: str) -> None:
    found = trial(gateway).objection("+4520304050", text="Hello", encoding=Encoding.GSM_7)

    assert found is None


def test_a_schedule_is_tried_too() -> None:
    found = account("cpsms").trial(sender="ACME", options={}, leaves_at_s=4_102_444_800.0)

    assert found.objection("+4520304050", text="Hello", encoding=Encoding.GSM_7) is None


@pytest.mark.parametrize(
    ("recipient", "text", "encoding", "says"),
    [
        ("contact:7", "Hello", Encoding.GSM_7, "recipient contact: cannot be sent to"),
        ("group:club", "Hello", Encoding.GSM_7, "number of a group"),
        ("group:007", "Hello", Encoding.GSM_7, "without zeros before it"),
        ("+4520304050", "Привет\x0c", Encoding.UCS_2, "U+000C"),
    ],
)
def test_what_the_gateway_cannot_carry_is_said(
    recipient: str, text: str, encoding: Encoding, says: str
) -> None:
    found = trial("cpsms").objection(recipient, text=text, encoding=encoding)

    assert says in str(found)


@pytest.mark.parametrize(
    ("options", "text", "says"),
    [
        ({"max_fragments": "2"}, "x" * 307, "option max_fragments"),
        ({"message_type": "LL"}, "\u20ac" * 81, "message_type LL"),
        ({}, "x" * 930 + "\u20ac" * 70, "more than 1000 characters"),
    ],
    ids=["parts", "low quality", "septets"],
)
def test_a_text_that_is_longer_than_it_looks_is_found_beforehand(
    options: dict[str, object], text: str, says: str
) -> None:
    ours = trial("smsend", **options)

    assert says in str(ours.objection("+4520304050", text=text, encoding=Encoding.GSM_7))
    assert ours.objection("+4520304050", text="x" * 160, encoding=Encoding.GSM_7) is None


LIMITS = [
    (name, encoding, most)
    for name, gateway in GATEWAYS.items()
    for encoding, most in gateway.capabilities.max_characters.items()
]


@pytest.mark.parametrize(("gateway", "encoding", "most"), LIMITS)
def test_a_text_is_as_long_as_the_gateway_takes_it(gateway: str, encoding: Encoding, most: int) -> None:
    letter = {Encoding.GSM_7: "a", Encoding.UCS_2: "я"}[encoding]
    ours = trial(gateway)

    assert ours.objection("+4520304050", text=letter * most, encoding=encoding) is None
    assert f"more than {most} characters" in str(
        ours.objection("+4520304050", text=letter * (most + 1), encoding=encoding)
    )


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_encoding_is_carried_or_named(gateway: str) -> None:
    found = trial(gateway).objection("+4520304050", text="Привет", encoding=Encoding.UCS_2)

    is_carried = Encoding.UCS_2 in GATEWAYS[gateway].capabilities.encodings
    assert is_carried is (found is None)
    assert is_carried or "encoding ucs2 is not carried" in str(found)


def test_one_text_after_the_other_is_judged_by_itself() -> None:
    ours = trial("cpsms")
    texts = [("Hello", Encoding.GSM_7), ("Привет\x0c", Encoding.UCS_2), ("Hello", Encoding.GSM_7)]

    found = [ours.objection("+4520304050", text=text, encoding=encoding) for text, encoding in texts]

    assert [each is None for each in found] == [True, False, True]


PLAIN_OPTIONS = [
    *((gateway, {}) for gateway in GATEWAYS),
    ("cpsms", {"encoding": "ISO-8859-1", "flash": "true"}),
    ("smsend", {"message_type": "LL"}),
    ("smsend", {"max_fragments": "2"}),
]

texts = st.lists(
    st.tuples(
        st.text("aZ09 .,:;!?()'/+-\u00e6\u00c5\u00df%${}\u20ac\u0444\n\x0c", min_size=1), st.integers(1, 400)
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize(("gateway", "options"), PLAIN_OPTIONS)
@settings(max_examples=40, deadline=None)
@given(written=texts, encoding=st.sampled_from(Encoding))
def test_a_text_is_judged_as_if_it_were_the_first(
    gateway: str, options: dict[str, object], written: list[tuple[str, int]], encoding: Encoding
) -> None:
    ours = trial(gateway, **options)
    for piece, times in written:
        text = (piece * times)[:700]

        found = ours.objection("+4520304050", text=text, encoding=encoding)

        assert found == trial(gateway, **options).objection("+4520304050", text=text, encoding=encoding)
