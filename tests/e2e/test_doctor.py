"""`bulksend doctor`: content with what is well, and useful when something is away or does not add up."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
import redis

from tests.e2e.place import SECRET, Done, Place
from tests.e2e.warm import Warm
from tests.ledgers import run_campaign
from tests.sandbox.running import Sandbox


def codes(done: Done, kind: str = "problems") -> list[str]:
    return [finding["code"] for finding in done.json[kind]]


def damage(place: Place, statement: str) -> None:
    with closing(sqlite3.connect(place.folder / "bulksend.db")) as file, file:
        file.execute(statement)


def test_after_a_campaign_everything_adds_up(place: Place, warm: Warm) -> None:
    place.write_numbers("members.csv", 30)
    place.run("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")

    found = warm.run(place, "doctor", "--json")
    for_people = warm.run(place, "doctor")

    (campaign,), (provider,) = found.json["campaigns"], found.json["providers"]
    assert found.code == 0
    assert found.json["ok"] is True
    assert (campaign["rows"], campaign["messages"], campaign["counts"]["accepted"]) == (30, 30, 30)
    assert (provider["name"], provider["state"], provider["is_well"]) == ("acme", "open", True)
    assert float(provider["balance"]) > 0
    assert codes(found, "notes") == ["redis_off"]
    assert (found.json["leases"], found.json["oldest_due_s"]) == (0, None)
    assert for_people.out.splitlines()[-1] == "Everything adds up"
    for word in ("+4520", "Ann", SECRET):
        assert word not in found.out + for_people.out + for_people.err


def test_what_does_not_add_up_is_named_with_exit_code_3(place: Place, warm: Warm) -> None:
    run_campaign(place.engine, 3)
    damage(place, "DELETE FROM messages WHERE id = 2")

    found = warm.run(place, "doctor", "--json")
    for_people = warm.run(place, "doctor")

    assert found.code == for_people.code == 3
    assert found.json["ok"] is False
    assert set(codes(found)) == {"wrong_counter", "rows_lost"}
    assert "PROBLEM: campaign 1 has 3 rows, but 2 messages" in for_people.out
    assert for_people.out.splitlines()[-1].startswith("2 problems")


def test_before_the_first_campaign_it_makes_no_ledger(place: Place, warm: Warm) -> None:
    found = warm.run(place, "doctor", "--json")

    assert found.code == 0
    assert codes(found, "notes") == ["no_ledger", "redis_off"]
    assert place.files() == {"bulksend.toml", *(str(place.temporary / name) for name in ("out", "err"))}


def no_ledger_file(place: Place) -> None:
    (place.folder / "bulksend.db").write_bytes(b"no database" * 1000)


def no_ledger_server(place: Place) -> None:
    place.configure(ledger="postgresql+psycopg://ann:hidden@127.0.0.1:9/none")


def no_redis(place: Place) -> None:
    place.configure(broker="redis://:hidden@127.0.0.1:9/0")


def no_redis_address(place: Place) -> None:
    place.configure(broker="amqp://ann:hidden@127.0.0.1")


def no_secret(place: Place) -> None:
    del place.environment["ACME_KEY"]


def no_sound_settings(place: Place) -> None:
    place.write("bulksend.toml", 'ledgr = "x"')


def no_settings(place: Place) -> None:
    (place.folder / "bulksend.toml").unlink()


def no_known_gateway(place: Place) -> None:
    settings = place.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace('"cpsms"', '"pigeon"'))


def older_ledger(place: Place) -> None:
    place.engine.dispose()  # which has made it
    damage(place, "UPDATE alembic_version SET version_num = '0001'")


def newer_ledger(place: Place) -> None:
    place.engine.dispose()  # which has made it
    damage(place, "UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("take_away", "code", "said"),
    [
        (no_ledger_file, "ledger", "not a SQLite database"),
        (no_ledger_server, "ledger", "cannot be used now"),
        (older_ledger, "schema", "`bulksend ledger upgrade`"),
        (newer_ledger, "schema", "install the newer Bulksend"),
        (no_redis, "redis", "Redis cannot be used (ConnectionError)"),
        (no_redis_address, "redis", 'write "redis://HOST:PORT/DB"'),
        (no_secret, "secret", "the environment variable ACME_KEY is missing or empty"),
        (no_settings, "settings", "run `bulksend init`"),
        (no_sound_settings, "settings", "did you mean ledger?"),
        (no_known_gateway, "providers", "'pigeon' is not known"),
    ],
)
def test_what_is_away_is_one_problem_and_no_traceback(
    place: Place, warm: Warm, take_away: Callable[[Place], None], code: str, said: str
) -> None:
    take_away(place)

    found = warm.run(place, "doctor", "--json")
    for_people = warm.run(place, "doctor")

    assert found.code == for_people.code == 3
    assert codes(found) == [code]
    assert said in for_people.out
    assert re.fullmatch(r"1 problem; .*", for_people.out.splitlines()[-1])
    assert "hidden" not in found.out + for_people.out
    assert found.err == for_people.err == ""


def test_a_gateway_that_is_not_there_is_a_problem(lone_place: Place, warm: Warm) -> None:
    found = warm.run(lone_place, "doctor", "--json")

    assert found.code == 3
    assert codes(found) == ["gateway"]
    assert "check base_url" in found.json["problems"][0]["what"]


def test_an_account_without_credit_is_a_problem(place: Place, gateway: Sandbox, warm: Warm) -> None:
    gateway.set_faults(out_of_credit=True, reads=True)

    found = warm.run(place, "doctor", "--json")

    assert found.code == 3
    assert codes(found) == ["gateway"]
    assert found.json["providers"][0]["is_well"] is False


@pytest.mark.redis
def test_a_redis_that_throws_hints_away_is_a_problem(place: Place, warm: Warm, empty_redis_url: str) -> None:
    place.configure(broker=empty_redis_url)
    with redis.Redis.from_url(empty_redis_url) as client:
        sound = warm.run(place, "doctor", "--json")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = warm.run(place, "doctor", "--json")
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert sound.code == 0
    assert re.match(r"\d+\.\d+", sound.json["redis"])
    assert found.code == 3
    assert codes(found) == ["redis_evicts"]


def test_messages_of_a_provider_that_left_the_settings_are_noted(place: Place, warm: Warm) -> None:
    run_campaign(place.engine, 3)
    settings = place.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace("[providers.acme]", "[providers.other]"))

    found = warm.run(place, "doctor", "--json")

    assert "forgotten_provider" in codes(found, "notes")
    assert [(row["name"], row["gateway"]) for row in found.json["providers"]] == [
        ("acme", None),
        ("other", "cpsms"),
    ]
