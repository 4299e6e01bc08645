import pytest
import requests

from tests.sandbox.running import Sandbox

GOOD = {"cpsms": {"hang_after": 2, "latency_ms": 5, "malformed": 0.5, "rate": ["50/s", "9/day"]}}


def test_the_faults_that_are_set_are_shown(sandbox: Sandbox) -> None:
    requests.post(f"{sandbox.url}/_sandbox/faults", json=GOOD, timeout=5)

    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json()["cpsms"]

    assert {name: shown[name] for name in GOOD["cpsms"]} == GOOD["cpsms"]


def test_setting_one_fault_leaves_the_others(sandbox: Sandbox) -> None:
    sandbox.set_faults(latency_ms=5)
    sandbox.set_faults(refuse_429=1)

    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json()["cpsms"]

    assert (shown["latency_ms"], shown["refuse_429"]) == (5, 1)


@pytest.mark.parametrize(
    ("faults", "named"),
    [
        ('{"nosuch": {}}', 'there is no gateway "nosuch"; there are: cpsms'),
        ('{"cpsms": {"explode": 1}}', "explode"),
        ('{"cpsms": {"hang_after": -1}}', "hang_after"),
        ('{"cpsms": {"hang_after": 1.5}}', "hang_after"),
        ('{"cpsms": {"hang_after": "yes"}}', "hang_after"),
        ('{"cpsms": {"rate": "50 per second"}}', "rate"),
        ('{"cpsms": {"latency_ms": Infinity}}', "latency_ms"),
        ('{"cpsms": 1}', "an object for each gateway"),
        ("[]", "an object for each gateway"),
        ("no JSON", "an object for each gateway"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(sandbox: Sandbox, faults: str, named: str) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/faults", data=faults, timeout=5)

    assert answer.status_code == 422
    assert named in answer.json()["error"]


def test_a_wrong_fault_changes_nothing_at_all(sandbox: Sandbox) -> None:
    wrong = {"cpsms": {"latency_ms": 5, "explode": 1}}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=wrong, timeout=5)

    assert requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json()["cpsms"]["latency_ms"] == 0


def test_reset_empties_accepted_stats_and_faults(sandbox: Sandbox) -> None:
    before = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json()
    fresh = sandbox.stats()
    sandbox.set_faults(refuse_429=True, latency_ms=1)
    sandbox.send()
    sandbox.set_faults(refuse_429=False)
    sandbox.send()
    sandbox.reset()

    assert sandbox.accepted() == []
    assert sandbox.stats() == fresh
    assert requests.get(f"{sandbox.url}/_sandbox/faults", timeout=5).json() == before


def test_accepted_can_be_asked_for_one_gateway(sandbox: Sandbox) -> None:
    sandbox.send()

    assert (
        len(requests.get(f"{sandbox.url}/_sandbox/accepted?gateway=cpsms", timeout=5).text.splitlines()) == 1
    )
    assert requests.get(f"{sandbox.url}/_sandbox/accepted?gateway=nosuch", timeout=5).status_code == 422


def test_accepted_shows_many_messages_in_the_order_of_acceptance(sandbox: Sandbox) -> None:
    numbers = [f"45{number}" for number in range(20_000_000, 20_003_000)]
    for start in range(0, len(numbers), 500):
        sandbox.send(numbers[start : start + 500], message="Hello " * 20)

    assert [line["msisdn"] for line in sandbox.accepted()] == [f"+{number}" for number in numbers]


def test_duplicates_are_counted_by_reference_and_by_text(sandbox: Sandbox) -> None:
    sandbox.send("4520304050", message="Hello", reference="r1")
    sandbox.send("4520304051", message="Hello", reference="r1")  # another number
    sandbox.send("4520304050", message="Hi", reference="r1")  # by reference
    sandbox.send("4520304050", message="Hello", reference="r2")  # by text
    sandbox.send("4520304050", message="Hi", reference="r1")  # by both

    stats = sandbox.stats()
    assert stats["duplicates"] == {"reference": 2, "text": 2}
    assert (stats["accepted"], stats["unique"], stats["parts"]) == (5, 3, 5)
