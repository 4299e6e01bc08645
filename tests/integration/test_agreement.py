"""Preview and ledger agree to the part and to the cent, whatever the file and the rules are."""

import itertools
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from producer import importing
from producer.preview import Order, Preview, preview
from producer.spool import Spool
from producer.wording import Characters, Languages
from worker.ledger import reports
from worker.ledger.claims import Identity
from worker.ledger.engine import reading
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.providers import account_named
from worker.settings import Settings
from worker.text.pricing import Price
from worker.text.segments import Encoding, segment

_names = itertools.count()

NUMBERS = ("+4520{:06}", "+4526{:06}", "+4474001{:05}", "+4178123{:04}", "+120255{:05}", "+12{:06}", "none{}")
PRICES = (
    None,
    "0.35 DKK",
    {"DK": "0.35 DKK", "GB": "0.041 GBP", "*": "1.2 USD"},
    {"45": "0.333333 DKK", "US": "0.0075 USD"},
)
VALUES = st.text("aZ \u00e6\u00f8{}\u20ac\u2019\u2013\u0444\U0001f389", min_size=1, max_size=6)

rows = st.lists(
    st.tuples(
        st.sampled_from(NUMBERS),
        st.integers(0, 40),
        VALUES,
        st.integers(1, 60),
        st.sampled_from(("da", "EN", "", "fr")),
    ),
    min_size=1,
    max_size=25,
)
rules = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from((None, None, Encoding.UCS_2, Encoding.GSM_7)),
        "is_smart": st.booleans(),
        "max_parts": st.sampled_from((None, 2)),
        "udh_bits": st.sampled_from((8, 16)),
    }
)
languages = st.sampled_from(
    (
        None,
        Languages(column="language", texts={"da": "Hej {{ v }}", "en": "It\u2019s {{ v }}"}, default="en"),
        Languages(column="language", texts={"da": "Hej {{ v }}\u2013{{ v }}", "en": "\u20ac"}),
    )
)


def order_of(folder: Path, found: list[tuple[Any, ...]], *, price: Any, **facts: Any) -> Order:  # noqa: ANN401
    """Write the file, and make an order for it through a provider with these prices."""
    path = folder / "members.csv"
    lines = [
        f'{number.format(n)},"{value * times}",{language}\n' for number, n, value, times, language in found
    ]
    path.write_text("msisdn,v,language\n" + "".join(lines), encoding="utf-8")
    provider = {
        "gateway": "cpsms",
        "username": "acme",
        "secret": "env:KEY",
        "price": price,
        "udh": facts["characters"].udh_bits,
    }
    account = account_named(Settings.model_validate({"providers": {"acme": provider}}), "acme")
    return Order(path=path, template="Hi {{ v }}", account=account, sender="ACME", name="members", **facts)


def imported(engine: Engine, order: Order) -> tuple[Preview, int]:
    spool = Spool()
    found = preview(order, on_message=spool.add)
    identity = Identity(content=f"{found.content} {next(_names)}", repeat_ms=1, key=None, again=True)
    prepared = importing.Prepared(found=found, messages=spool, identity=identity)
    campaign_id = importing.create(engine, order, prepared)
    spool.close()
    return found, campaign_id


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=rows, price=st.sampled_from(PRICES), characters=rules, several=languages)
def test_preview_and_ledger_agree(  # noqa: PLR0913 - what is drawn
    engine: Engine,
    tmp_path: Path,
    *,
    found: list[tuple[Any, ...]],
    price: Any,  # noqa: ANN401
    characters: dict[str, Any],
    several: Languages | None,
) -> None:
    if characters["encoding"] is Encoding.UCS_2:
        characters = {**characters, "is_smart": False}
    order = order_of(tmp_path, found, price=price, characters=Characters(**characters), languages=several)
    seen, campaign_id = imported(engine, order)
    columns = ("msisdn", "text", "encoding", "parts", "price_micros", "currency", "region")

    with reading(engine) as connection:
        parts, cost = reports.totals(connection, campaign_id)
        report = reports.report(connection, campaign_id)
        query = select(*(MESSAGES.c[name] for name in columns)).where(MESSAGES.c.campaign_id == campaign_id)
        kept = connection.execute(query).all()
        udh_bits = connection.scalar(select(CAMPAIGNS.c.udh_bits).where(CAMPAIGNS.c.id == campaign_id))

    assert (report.rows, report.messages, report.duplicates, report.refused) == (
        seen.rows,
        seen.messages,
        seen.duplicates,
        seen.refused,
    )
    assert seen.rows == seen.messages + seen.duplicates + seen.refused == len(found)
    assert (parts, cost.render()) == (seen.parts, seen.cost.render())
    assert seen.parts == sum(row.parts for row in kept)
    assert udh_bits == characters["udh_bits"]
    assert Counter(row.encoding for row in kept) == seen.encodings
    assert {region: each.messages for region, each in seen.countries.items()} == Counter(
        row.region for row in kept
    )
    for row in kept:
        text = row.text if row.text is not None else seen.text or ""
        cut = segment(text, encoding=Encoding(row.encoding), udh_bits=characters["udh_bits"])
        assert len(cut.parts) == row.parts
        assert row.price_micros is None or row.price_micros == row.parts * _per_part(price, row)


def _per_part(price: Any, row: Any) -> Decimal:  # noqa: ANN401
    """Read the price of a part from the table as a person would."""
    table = {"*": price} if isinstance(price, str) else price
    codes = {"DK": "45", "GB": "44", "CH": "41", "US": "1"}
    written = next(table[place] for place in (row.region, codes.get(row.region), "*") if place in table)
    assert written.endswith(row.currency)
    return Price.parse(written).amount * 1_000_000


@pytest.mark.parametrize("length", [153, 154, 304, 305, 306, 307])
def test_what_a_fallback_takes_over_has_the_parts_and_the_price_that_were_previewed(
    engine: Engine, tmp_path: Path, length: int
) -> None:
    order = order_of(tmp_path, [(NUMBERS[0], 1, "a", 1, "")], price="1 DKK", characters=Characters())
    provider = {"gateway": "smsend", "username": "b", "secret": "env:KEY", "price": "2 DKK", "udh": 16}
    fallback = account_named(Settings.model_validate({"providers": {"other": provider}}), "other")
    seen, campaign_id = imported(engine, replace(order, template="x" * length, fallback=fallback))

    with reading(engine) as connection:
        query = select(MESSAGES.c.parts, MESSAGES.c.fallback_micros)
        parts, micros = connection.execute(query.where(MESSAGES.c.campaign_id == campaign_id)).one()

    there = len(segment("x" * length, udh_bits=16).parts)
    assert (seen.fallback is not None) == (parts == there)  # it joins them in its own way
    assert seen.fallback is None or micros == 2_000_000 * there
    assert seen.fallback is None or seen.cost_fallback.micros == {"DKK": micros}


def test_the_width_of_parts_is_that_of_the_order_whatever_the_settings_say_by_now(tmp_path: Path) -> None:
    order = order_of(tmp_path, [(NUMBERS[0], 1, "a", 1, "")], price="1 DKK", characters=Characters())
    provider = order.account.provider.model_copy(update={"udh": 16})
    later = replace(order, template="x" * 305, account=replace(order.account, provider=provider))

    assert preview(later).parts == 2
