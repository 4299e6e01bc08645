"""What a campaign keeps of its order is enough to read the file again in the same way."""

import json
from pathlib import Path

import pytest

from producer.cli.order import remake_order
from producer.order import Order
from producer.recipients import Form
from worker.ledger.drafts import NewCampaign
from worker.providers import account_named
from worker.settings import Settings
from worker.text.msisdn import Countries

SETTINGS = Settings.model_validate(
    {"providers": {"acme": {"gateway": "cpsms", "username": "acme", "secret": "env:KEY"}}}
)


@pytest.mark.parametrize("form", [Form(), Form.parse(encoding="cp850", delimiter="tab", quote="none")])
@pytest.mark.parametrize(
    "countries", [None, Countries.parse(allowed=["DK", "1"]), Countries.parse(denied=["GB"])]
)
def test_form_and_countries_are_the_same_again(
    tmp_path: Path, form: Form, countries: Countries | None
) -> None:
    path = tmp_path / "members.csv"
    path.write_text("x", encoding="utf-8")
    account = account_named(SETTINGS, "acme")
    order = Order(
        path=path, template="Hi", account=account, sender="A", name="m", form=form, countries=countries
    )
    kept = NewCampaign(
        name="m",
        fingerprint="",
        provider="acme",
        sender="A",
        template="Hi",
        text="Hi",
        options={},
        source="members.csv",
        reading=json.loads(json.dumps(dict(order.reading))),
    )

    again = remake_order(SETTINGS, kept)

    assert (again.form, again.countries) == (form, countries)
