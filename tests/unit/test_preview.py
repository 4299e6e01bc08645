from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from producer.cli.costs import Most, most_words, require_within
from producer.preview import Order, Preview, preview
from producer.wording import Characters, Languages
from worker.errors import ConfigError, InputError
from worker.gateways.base import Capabilities
from worker.ledger.drafts import NewMessage
from worker.providers import Account, account_named
from worker.settings import Settings
from worker.states import Lane
from worker.text.segments import Encoding

FILE = "msisdn,first_name\n+4520000001,Ann\n+4520000002,Bo\n"


def account(name: str, price: str | dict[str, str] | None = "0.35 DKK", **more: object) -> Account:
    provider = {"gateway": "cpsms", "username": name, "secret": "env:KEY", "price": price, **more}
    return account_named(Settings.model_validate({"providers": {name: provider}}), name)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    path = tmp_path / "members.csv"
    path.write_text(FILE, encoding="utf-8")
    acme = account("acme")
    return Order(path=path, template="Hi {{ first_name }}", account=acme, sender="ACME", name="members")


def moved(order: Order) -> Order:
    path = order.path.parent / "elsewhere.csv"
    path.write_bytes(order.path.read_bytes())
    return replace(order, path=path)


def with_file(order: Order, text: str) -> Order:
    order.path.write_text(text, encoding="utf-8")
    return order


# --- what is the same


Change = Callable[[Order], Order]

SAME_CONTENT: Mapping[str, Change] = {
    "another name": lambda order: replace(order, name="other"),
    "another place of the file": moved,
    "another price": lambda order: replace(order, account=account("acme", "0.40 DKK")),
    "a fallback": lambda order: replace(order, fallback=account("acme-uk")),
    "another lane": lambda order: replace(order, lane=Lane.URGENT),
    "a row that is no recipient": lambda order: with_file(order, FILE + "none,Cy\n"),
}

OTHER_CONTENT: Mapping[str, Change] = {
    "another template": lambda order: replace(order, template="Hi  {{ first_name }}"),
    "another sender": lambda order: replace(order, sender="ACME2"),
    "another provider": lambda order: replace(order, account=account("acme2")),
    "another option": lambda order: replace(order, options={"flash": "true"}),
    "a time": lambda order: replace(order, leaves_at=4_102_444_800_000),
    "another number": lambda order: with_file(order, FILE.replace("0002", "0003")),
    "another value": lambda order: with_file(order, FILE.replace("Bo", "Cy")),
    "one recipient more": lambda order: with_file(order, FILE + "+4520000003,Cy\n"),
}

SAME_IMPORT = {
    name: SAME_CONTENT[name] for name in ("another name", "another place of the file", "another lane")
}
OTHER_IMPORT = {
    **OTHER_CONTENT,
    **{name: each for name, each in SAME_CONTENT.items() if name not in SAME_IMPORT},
}


@pytest.mark.parametrize("change", SAME_CONTENT.values(), ids=SAME_CONTENT)
def test_the_content_is_the_same_with(order: Order, change: Change) -> None:
    before = preview(order)

    assert preview(change(order)).content == before.content


@pytest.mark.parametrize("change", OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_the_content_is_another_with(order: Order, change: Change) -> None:
    before = preview(order)

    assert preview(change(order)).content != before.content


@pytest.mark.parametrize("change", SAME_IMPORT.values(), ids=SAME_IMPORT)
def test_the_import_is_the_same_with(order: Order, change: Change) -> None:
    before = preview(order)

    assert preview(change(order)).fingerprint == before.fingerprint


@pytest.mark.parametrize("change", OTHER_IMPORT.values(), ids=OTHER_IMPORT)
def test_the_import_is_another_with(order: Order, change: Change) -> None:
    before = preview(order)

    assert preview(change(order)).fingerprint != before.fingerprint


# --- the fallback


def taking(fallback: Account, order: Order) -> tuple[Preview, list[NewMessage]]:
    messages: list[NewMessage] = []
    found = preview(replace(order, fallback=fallback), on_message=lambda message, _: messages.append(message))
    return found, messages


def test_a_fallback_that_carries_everything_gives_each_message_its_price_there(order: Order) -> None:
    found, messages = taking(account("acme-uk", "0.04 GBP"), order)

    assert (found.fallback, found.no_fallback) == ("acme-uk", None)
    assert found.cost_fallback.render() == {"GBP": "0.08"}
    assert [(each.fallback_micros, each.fallback_currency) for each in messages] == [(40_000, "GBP")] * 2


def test_without_a_fallback_nothing_is_said_of_one(order: Order) -> None:
    found = preview(order)

    assert (found.fallback, found.no_fallback, found.cost_fallback.render()) == (None, None, {})


@dataclass(frozen=True, kw_only=True)
class Unfit:
    """What a fallback cannot do, and what is said of it."""

    says: str
    limited: Callable[[Capabilities], Capabilities]
    template: str


UNFIT = {
    "encoding": Unfit(
        says="does not take ucs2",
        limited=lambda sound: replace(sound, encodings=frozenset({Encoding.GSM_7})),
        template="Привет",
    ),
    "parts": Unfit(
        says="takes 1 parts", limited=lambda sound: replace(sound, max_parts=1), template="x" * 161
    ),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_a_fallback_that_cannot_carry_every_message_takes_none(order: Order, unfit: Unfit) -> None:
    sound = account("acme-uk", "0.04 GBP")
    fallback = replace(sound, capabilities=unfit.limited(sound.capabilities))

    found, _ = taking(fallback, replace(order, template=unfit.template))

    assert (found.fallback, found.cost_fallback.render()) == (None, {})
    assert found.no_fallback is not None
    assert found.no_fallback.startswith("acme-uk cannot take over from acme: ")
    assert unfit.says in found.no_fallback


def test_one_message_that_the_fallback_cannot_carry_is_enough(order: Order) -> None:
    sound = account("acme-uk", "0.04 GBP")
    one_part = replace(sound, capabilities=replace(sound.capabilities, max_parts=1))
    long = with_file(order, f"{FILE}+4520000003,{'x' * 160}\n")

    found, messages = taking(one_part, long)

    assert found.fallback is None
    assert [message.parts for message in messages] == [1, 1, 2]


def test_a_fallback_whose_settings_do_not_fit_the_order_says_so(order: Order) -> None:
    sound = account("acme-uk")
    provider = sound.provider.model_copy(update={"options": {"nonsense": "1"}})

    found, _ = taking(replace(sound, provider=provider), order)

    assert found.fallback is None
    assert "nonsense" in str(found.no_fallback)


# --- what would never leave


TWO_AND_THREE_PARTS = f"msisdn,text\n+4520000001,{'x' * 306}\n+4520000002,{'x' * 307}\n"


def test_a_message_that_a_minute_does_not_hold_is_a_refused_row(order: Order) -> None:
    limited = replace(order, account=account("acme", rate=["50/s", "2/min"]), template="{{ text }}")

    found = preview(with_file(limited, TWO_AND_THREE_PARTS))

    assert (found.messages, found.refused, dict(found.reasons)) == (1, 1, {"above_rate": 1})
    assert found.problems[0].line == 3
    assert found.problems[0].message == "the text needs 3 parts, and the rate of acme is 2/min"


def test_the_one_text_that_a_day_does_not_hold_is_refused_in_every_row(order: Order) -> None:
    limited = replace(order, account=account("acme", rate="1/day"), template="x" * 161)

    found = preview(limited)

    assert (found.messages, found.refused) == (0, 2)


@pytest.mark.parametrize(
    "limits", [{"rate": "1/s"}, {"rate": "1/min", "unit": "messages"}, {"rate": "1/min", "unit": "requests"}]
)
def test_a_message_of_several_parts_that_can_leave_is_no_refused_row(
    order: Order, limits: dict[str, Any]
) -> None:
    found = preview(replace(order, account=account("acme", **limits), template="x" * 161))

    assert (found.messages, found.refused) == (2, 0)


def test_a_fallback_whose_rate_does_not_hold_a_message_takes_none(order: Order) -> None:
    found, _ = taking(account("acme-uk", rate="1/h"), replace(order, template="x" * 161))

    assert found.no_fallback == (
        "acme-uk cannot take over from acme: its rate is 1/h, and a text needs more parts"
    )


# --- what the gateway cannot carry


def test_a_text_that_the_gateway_would_change_is_a_refused_row(order: Order) -> None:
    text = with_file(
        replace(order, template="{{ text }}"), "msisdn,text\n+4520000001,Hi\n+4520000002,Я\x0cя\n"
    )

    found = preview(text)

    assert (found.messages, dict(found.reasons)) == (1, {"not_carried": 1})
    assert found.problems[0].message.startswith("gateway cpsms: the text has U+000C")


def test_the_one_text_that_the_gateway_would_change_is_refused_at_once(order: Order) -> None:
    with pytest.raises(InputError, match=r"U\+000C"):
        preview(replace(order, template="Я\x0c"))


def test_a_time_that_the_gateway_cannot_keep_is_refused_before_the_file_is_read(order: Order) -> None:
    order.path.unlink()
    limited = replace(order, options={"reference": "1"}, leaves_at=4_102_444_800_000)

    with pytest.raises(ConfigError, match="option reference is written by Bulksend itself"):
        preview(limited)


# --- groups of the gateway's own


WITH_GROUPS = FILE + "group:7,Cy\ngroup:8,Di\ngroup:7,Cy\ncontact:7,Ed\n"


def test_a_group_is_one_message_without_a_price(order: Order) -> None:
    messages: list[NewMessage] = []
    found = preview(with_file(order, WITH_GROUPS), on_message=lambda message, _: messages.append(message))

    assert (found.rows, found.messages, found.duplicates, found.refused) == (6, 4, 1, 1)
    assert (found.targets, found.unpriced, found.parts, found.cost.render()) == (2, 2, 4, {"DKK": "0.70"})
    assert dict(found.reasons) == {"target_unknown": 1}
    group = next(each for each in messages if each.msisdn == "group:7")
    assert (group.region, group.price_micros, group.currency) == ("", None, None)


def test_a_group_that_the_gateway_cannot_have_is_a_refused_row(order: Order) -> None:
    found = preview(with_file(order, FILE + "group:club,Cy\n"))

    assert (found.messages, dict(found.reasons)) == (2, {"not_carried": 1})


def test_with_a_group_no_fallback_takes_over(order: Order) -> None:
    found, messages = taking(account("acme-uk", "0.04 GBP"), with_file(order, WITH_GROUPS))

    assert found.no_fallback == (
        "acme-uk cannot take over from acme: a group is known to its own gateway only"
    )
    assert all(each.fallback_micros is None for each in messages if each.msisdn.startswith("group"))


def test_what_a_group_costs_is_called_unknown(order: Order) -> None:
    found = preview(with_file(order, WITH_GROUPS))
    groups_only = preview(with_file(order, "msisdn,first_name\ngroup:7,Cy\n"))

    unknown = "an unknown price for groups or contacts of the gateway's own"
    assert most_words(found) == f"0.70 DKK, and {unknown}"
    assert most_words(groups_only) == unknown


def test_a_limit_of_the_cost_cannot_be_kept_with_a_group(order: Order) -> None:
    with pytest.raises(ConfigError, match="nobody here knows what the 2 groups or contacts"):
        require_within(preview(with_file(order, WITH_GROUPS)), Most(elsewhere=Decimal(100)))


# --- what it costs


def priced(order: Order, fallback_price: str | dict[str, str] | None) -> Preview:
    return taking(account("acme-uk", fallback_price), order)[0]


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("0.35 DKK", "0.70 DKK"),
        ("0.30 DKK", "0.70 DKK"),
        ("0.50 DKK", "0.70 DKK; at most 1.00 DKK if acme-uk takes over"),
        ("0.04 GBP", "0.70 DKK; at most 0.08 GBP if acme-uk takes over"),
    ],
)
def test_what_it_costs_at_most_is_said_where_the_fallback_is_dearer(
    order: Order, price: str, words: str
) -> None:
    assert most_words(priced(order, price)) == words


def test_the_most_it_may_cost_holds_for_the_fallback_too(order: Order) -> None:
    with pytest.raises(InputError, match=r"1\.00 DKK by its fallback, acme-uk, more than --max-cost 0.99"):
        require_within(priced(order, "0.50 DKK"), Most(elsewhere=Decimal("0.99")))


def test_a_country_that_gets_no_message_costs_nothing_at_the_fallback(order: Order) -> None:
    lone = replace(with_file(order, FILE + "+46701234567,Cy\n"), stopped=lambda _: {"+46701234567"})
    found = priced(lone, {"DK": "0.30 DKK", "SE": "0.10 SEK"})

    assert found.cost_fallback.render() == {"DKK": "0.60"}


def test_the_most_it_may_cost_is_enough(order: Order) -> None:
    require_within(priced(order, "0.50 DKK"), Most(elsewhere=Decimal("1.00")))


def test_a_limit_needs_the_prices_of_the_fallback(order: Order) -> None:
    with pytest.raises(ConfigError, match="2 messages have no price; set price = for the fallback, acme-uk"):
        require_within(priced(order, None), Most(elsewhere=Decimal(1)))


# --- what is said, in which characters


CURLY = "It\u2019s {{ first_name }} - " + "x" * 70


def with_characters(order: Order, **facts: Any) -> Order:  # noqa: ANN401 - of the characters
    return replace(order, characters=Characters(**facts))


def test_a_text_is_chosen_by_the_language_of_its_row(order: Order) -> None:
    languages = Languages(column="Sprog", texts={"da": "Hej {{ first_name }}", "en": "Hi"}, default=None)
    file = (
        "msisdn,first_name,sprog\n+4520000001,Ann,DA\n+4520000002,Bo,en\n+4520000003,Cy,fr\n+4520000004,Di,\n"
    )
    texts: list[str] = []

    found = preview(
        with_file(replace(order, languages=languages), file),
        on_message=lambda _, text: texts.append(text),
    )

    assert texts == ["Hej Ann", "Hi"]
    assert dict(found.languages) == {"da": 1, "en": 1}
    assert dict(found.reasons) == {"language_unknown": 1, "language_missing": 1}
    assert [(problem.line, problem.column) for problem in found.problems] == [(4, "Sprog"), (5, "Sprog")]
    assert [(sample.language, sample.line) for sample in found.samples] == [("da", 2), ("en", 3)]


def test_rows_without_a_language_get_the_default_one(order: Order) -> None:
    languages = Languages(column="first_name", texts={"ann": "Hej", "en": "Hi"}, default="en")

    found = preview(replace(order, languages=languages))

    assert dict(found.languages) == {"ann": 1, "en": 1}


def test_a_language_writes_its_dates_itself_unless_a_locale_is_given(order: Order) -> None:
    languages = Languages(column="first_name", texts={"da": "{{ '2026-11-22' | date }}"}, default="da")
    several = replace(order, languages=languages)

    assert preview(several).samples[0].text == "22. november 2026"
    assert preview(replace(several, locale="de")).samples[0].text == "22. November 2026"
    assert preview(replace(order, template="{{ '2026-11-22' | date }}")).text == "November 22, 2026"


def test_a_column_of_languages_that_is_not_there_is_named(order: Order) -> None:
    languages = Languages(column="Sprog", texts={"da": "Hej"})

    with pytest.raises(InputError, match="--language-column asks for 'sprog', and no column has this name"):
        preview(replace(order, languages=languages))


def test_a_wrong_text_is_named_by_its_language(order: Order) -> None:
    languages = Languages(column="first_name", texts={"da": "Hej", "en": "{{ first_name"})

    with pytest.raises(InputError, match="the text for en: line 1 of the template"):
        preview(replace(order, languages=languages))


def test_a_template_that_does_too_much_ends_the_preview_after_some_rows(order: Order) -> None:
    loops = "{% for a in range(900) %}{% for b in range(900) %}{% endfor %}{% endfor %}{{ first_name }}"
    rows = "".join(f"+45{20000000 + n},Ann\n" for n in range(50))

    with pytest.raises(InputError, match="does too much, row after row") as refused:
        preview(with_file(replace(order, template=loops), f"msisdn,first_name\n{rows}"))

    assert refused.value.code == "template_exhausted"


@pytest.mark.parametrize(
    ("facts", "parts", "encoding"),
    [
        ({}, 4, "ucs2"),
        ({"is_smart": True}, 2, "gsm7"),
        ({"encoding": Encoding.UCS_2}, 4, "ucs2"),
    ],
)
def test_characters_are_as_they_were_asked_for(
    order: Order, facts: dict[str, Any], parts: int, encoding: str
) -> None:
    found = preview(replace(with_characters(order, **facts), template=CURLY))

    assert (found.parts, dict(found.encodings)) == (parts, {encoding: 2})


def test_what_gsm_lacks_is_refused_where_gsm_is_asked_for(order: Order) -> None:
    found = preview(replace(with_characters(order, encoding=Encoding.GSM_7), template=CURLY))

    assert dict(found.reasons) == {"text_not_gsm": 2}
    assert "U+2019 RIGHT SINGLE QUOTATION MARK" in found.problems[0].message


def test_texts_of_more_parts_than_allowed_are_refused(order: Order) -> None:
    found = preview(replace(with_characters(order, max_parts=1), template=CURLY))

    assert (found.messages, dict(found.reasons)) == (0, {"text_too_long": 2})


def test_parts_are_counted_as_the_provider_joins_them(order: Order) -> None:
    narrow = replace(order, template="x" * 305)

    assert preview(narrow).parts == 2 * 2
    assert preview(with_characters(narrow, udh_bits=16)).parts == 2 * 3


def test_what_characters_cost_is_counted_by_row_and_by_character(order: Order) -> None:
    file = "msisdn,t\n" + "".join(
        f"+45{20000000 + n},{text}\n"
        for n, text in enumerate(("\u2019" * 71, "\u2019", "{" * 81, "x" * 161, "\u2019\u2013" * 40))
    )

    found = preview(with_file(replace(order, template="{{ t }}"), file))

    assert (found.n_costly, found.parts_more) == (3, 3)
    assert dict(found.costly_characters) == {"\u2019": 2, "{": 1, "\u2013": 1}
    assert [(row.line, row.parts, row.parts_without) for row in found.costly] == [
        (2, 2, 1),
        (4, 2, 1),
        (6, 2, 1),
    ]


def test_what_was_asked_for_is_not_called_costly(order: Order) -> None:
    found = preview(replace(with_characters(order, encoding=Encoding.UCS_2), template="x" * 71))

    assert (found.parts, found.n_costly) == (4, 0)


def test_signs_that_were_replaced_are_counted(order: Order) -> None:
    found = preview(
        replace(with_characters(order, is_smart=True), template="\u2019{{ first_name }}\u2019\u2013")
    )

    assert dict(found.replaced) == {("\u2019", "'"): 4, ("\u2013", "-"): 2}


def test_a_letter_is_never_lost_for_the_sake_of_the_others(order: Order) -> None:
    found = preview(replace(with_characters(order, is_smart=True), template="\u2019\u0142"))

    assert (found.text, dict(found.replaced)) == ("\u2019\u0142", {})


def test_sums_are_told_by_country(order: Order) -> None:
    prices = account("acme", {"DK": "0.35 DKK", "GB": "0.04 GBP"})
    file = f"{FILE}+447400123456,Cy\n+41781234567,Di\n"

    found = preview(with_file(replace(order, account=prices), file))

    facts = {
        region: (each.messages, each.parts, each.cost.render()) for region, each in found.countries.items()
    }
    assert facts == {"DK": (2, 2, {"DKK": "0.70"}), "GB": (1, 1, {"GBP": "0.04"}), "CH": (1, 1, {})}
    assert (found.unpriced, found.cost.render()) == (1, {"DKK": "0.70", "GBP": "0.04"})


def test_a_fallback_that_joins_parts_in_another_way_takes_over_only_where_their_number_is_the_same(
    order: Order,
) -> None:
    other = account("acme-uk", udh=16)

    assert taking(other, replace(order, template="x" * 304))[0].fallback == "acme-uk"
    assert taking(other, replace(order, template="x" * 305))[0].no_fallback == (
        "acme-uk cannot take over from acme: its parts are joined with udh = 16, and a text has others there"
    )


@pytest.mark.parametrize("gateway", ["txty_v4", "txty_v6"])
def test_an_encoding_that_a_gateway_cannot_be_told_is_refused(order: Order, gateway: str) -> None:
    provider = {"gateway": gateway, "username": "acme", "secret": "env:KEY"}
    told = account_named(Settings.model_validate({"providers": {"acme": provider}}), "acme")

    found = preview(with_characters(replace(order, account=told), encoding=Encoding.UCS_2))

    assert dict(found.reasons) == {"not_carried": 2}
    assert "it chooses the encoding itself" in found.problems[0].message


def test_what_sends_nothing_costs_nothing(order: Order) -> None:
    found = preview(with_file(order, "msisdn,first_name\nnobody,Ann\n"))

    assert (found.messages, most_words(found)) == (0, "nothing")
