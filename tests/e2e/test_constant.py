"""One text for all, handed to a station that stays up; and to no worker at all, at first."""

import signal

from tests.e2e.place import DEADLINE_S, Place, simulator_accepted
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "See you at 9", "--via", "acme")


def test_a_station_sends_one_text_to_many_recipients_in_a_request(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 1100)
    with place.started("up", "--no-flower") as station:
        assert station.says("Running")
        place.run(*ORDER, "--wait")
        sends, accepted = gateway.stats()["sends"], simulator_accepted(gateway)
        in_ledger = place.ledger_accepted()
        again = place.run(*ORDER, "--again", "--wait", "--json").json
        station.signal(signal.SIGTERM)
        code = station.wait()

    assert sends == 3  # 1,000 rows a batch, 500 recipients a request
    assert accepted == in_ledger
    assert accepted.total() == 1100
    assert again["campaign_id"] == 2
    assert gateway.stats()["accepted"] == 2200
    assert code == 0
    assert place.is_quiet()


def test_without_a_worker_it_says_so_and_a_worker_sends_later(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 30)

    handed_in = place.run(*ORDER, "--json")
    with place.started("worker") as worker:
        is_sent = within(DEADLINE_S, lambda: place.counts() == {"accepted": 30}, every_s=0.1)
        worker.signal(signal.SIGINT)
        code = worker.wait()

    assert "bulksend worker" in handed_in.err
    assert handed_in.json["campaign_id"] == 1
    assert is_sent
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 30
    assert code == 0
    assert place.is_quiet()
