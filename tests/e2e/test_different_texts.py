"""Different texts in one request, with the one gateway that carries them, and one by one with the others."""

import pytest

from tests.e2e.gateways import configure, texts
from tests.e2e.place import Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox

N = 24
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--yes", "--wait")


@pytest.mark.parametrize(
    ("name", "n_requests"),
    [("smsend", 1), ("cpsms", N), ("textmarketer", N), ("txty_v4", N), ("txty_v6", N)],
)
def test_everybody_gets_his_own_text(place: Place, gateway: Sandbox, name: str, n_requests: int) -> None:
    configure(place, name, gateway=gateway)
    place.write_numbers("members.csv", N)

    place.run(*ORDER)

    assert place.counts() == {"accepted": N}
    assert texts(gateway) == {(f"+45{20000000 + i}", f"Hi Ann {i}"): 1 for i in range(N)}
    assert gateway.stats()["sends"] == n_requests


def test_a_request_of_different_texts_is_as_long_as_the_settings_allow(
    place: Place, gateway: Sandbox
) -> None:
    configure(place, "smsend", gateway=gateway, max_recipients=10)
    place.write_numbers("members.csv", N)

    place.run(*ORDER)

    assert place.counts() == {"accepted": N}
    assert gateway.stats()["sends"] == 3


def test_one_bad_number_costs_the_others_of_its_request_nothing(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    configure(place, "smsend", gateway=gateway)
    place.write_numbers("members.csv", N)
    gateway.set_faults(refuse_numbers=["20000007"])

    place.run(*ORDER, code=3)

    assert place.counts() == {"accepted": N - 1, "rejected": 1}
    assert texts(gateway) == {(f"+45{20000000 + i}", f"Hi Ann {i}"): 1 for i in range(N) if i != 7}
    assert warm.run(place, "doctor", "--json").code == 0


@pytest.mark.parametrize("expands", [False, True])
def test_what_looks_like_a_placeholder_of_the_gateway_arrives_as_it_was_written(
    place: Place, gateway: Sandbox, *, expands: bool
) -> None:
    configure(place, "smsend", gateway=gateway)
    gateway.set_faults(expands_values=expands)
    place.write("members.csv", "msisdn,first_name\n+4520000001,Ann\n+4520000002,${text}\n+4520000003,Bo\n")

    place.run(*ORDER)

    assert texts(gateway) == {
        ("+4520000001", "Hi Ann"): 1,
        ("+4520000002", "Hi ${text}"): 1,
        ("+4520000003", "Hi Bo"): 1,
    }
    assert gateway.stats()["sends"] == 2
