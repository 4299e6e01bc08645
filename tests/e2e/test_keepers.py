"""Schedules handed to each gateway that keeps one, and taken back where it gives anything back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.gateways import configure
from tests.e2e.place import Done, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from tests.sandbox.smsend_client import Smsend
from tests.sandbox.txty_client import TxtyV4

N = 3
ORDER = ("send", "members.csv", "--text", "See you at 9, {{ first_name }}", "--via", "acme")


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A gateway that keeps a schedule.

    Attributes:
        name: of the gateway.
        n_requests: that N different texts take.
        gives_back: it can be told to.
        times: until when it keeps each message, as its simulator tells whoever asks; None: it tells nobody.
    """

    name: str
    n_requests: int
    gives_back: bool
    times: Callable[[Sandbox], set[datetime]] | None


def times_of_txty_v4(gateway: Sandbox) -> set[datetime]:
    return {datetime.fromtimestamp(row["scheduled"], UTC) for row in TxtyV4(gateway).outbox()}


def times_of_smsend(gateway: Sandbox) -> set[datetime]:
    orders = Smsend(gateway).call("GET", "smshistory", params={"from": "20200101000000"}).json()["smshistory"]
    return {datetime.strptime(f"{each['schedule_time']}+0000", "%Y%m%d%H%M%S%z") for each in orders}


KEEPERS = (
    Keeper(name="txty_v4", n_requests=N, gives_back=False, times=times_of_txty_v4),
    Keeper(name="txty_v6", n_requests=N, gives_back=False, times=None),
    Keeper(name="smsend", n_requests=1, gives_back=True, times=times_of_smsend),
    Keeper(name="textmarketer", n_requests=N, gives_back=True, times=None),
)


@pytest.fixture(params=KEEPERS, ids=lambda keeper: str(keeper.name))
def keeper(request: pytest.FixtureRequest, place: Place, gateway: Sandbox) -> Keeper:
    """Give each of them, configured as the one provider, with a file to send."""
    keeper: Keeper = request.param
    configure(place, keeper.name, gateway=gateway)
    if keeper.name == "smsend":
        gateway.set_faults(zone="UTC")
    place.write_numbers("members.csv", N)
    return keeper


def hand_over(place: Place) -> datetime:
    """Hand a campaign over to its gateway, to its end; return until when it is kept."""
    at = (datetime.now(tz=UTC) + timedelta(minutes=30)).replace(microsecond=0)
    place.run(*ORDER, "--at", at.isoformat(), "--schedule-at", "gateway", "--yes", "--wait")
    assert place.counts() == {"accepted": N}
    return at


def cancel(place: Place, warm: Warm) -> Done:
    return warm.run(place, "campaign", "cancel", "1", "--yes")


def test_it_keeps_what_a_cancel_takes_back_or_says_that_it_cannot(
    place: Place, gateway: Sandbox, warm: Warm, keeper: Keeper
) -> None:
    at = hand_over(place)
    kept_until = keeper.times(gateway) if keeper.times else {at}

    cancelled, again = cancel(place, warm), cancel(place, warm)

    assert gateway.stats()["sends"] == keeper.n_requests
    assert kept_until == {at}
    assert cancelled.code == again.code == (0 if keeper.gives_back else 3)
    words = (
        f"Taken back from the gateway: {N} messages"
        if keeper.gives_back
        else f"Not taken back from acme: {N} messages; its gateway gives nothing back"
    )
    assert words in cancelled.err
    assert words in again.err
    assert place.counts() == {"cancelled" if keeper.gives_back else "accepted": N}
    assert gateway.stats().get("cancelled", 0) == (N if keeper.gives_back else 0)
    assert warm.run(place, "doctor", "--json").code == 0


def test_before_a_yes_it_is_said_whether_anything_takes_it_back(
    place: Place, warm: Warm, keeper: Keeper
) -> None:
    at = datetime.now(tz=UTC) + timedelta(minutes=30)

    refused = warm.run(place, *ORDER, "--at", at.isoformat(), "--schedule-at", "gateway")

    assert (refused.code, place.n_campaigns()) == (1, 0)
    words = (
        "`bulksend campaign cancel` takes it back until then"
        if keeper.gives_back
        else "nothing takes it back"
    )
    assert words in refused.err
