"""What was sent before is refused, whatever it is called, unless it is to go again."""

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
OTHER = ("send", "others.csv", *ORDER[2:])


@pytest.fixture
def place(lone_place: Place) -> Place:
    """Give a place with two files, whose gateway is not needed."""
    lone_place.write_numbers("members.csv", 3)
    lone_place.write_numbers("others.csv", 4)
    return lone_place


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        pytest.param(ORDER, ORDER, "This was sent before", id="the same"),
        pytest.param(ORDER, [*ORDER, "--name", "other"], "This was sent before", id="another name"),
        pytest.param(ORDER, [*ORDER, "--key", "k"], "This was sent before", id="a key now"),
        pytest.param([*ORDER, "--key", "k"], [*OTHER, "--key", "k"], "This key was used", id="the key"),
    ],
)
def test_a_repeat_is_refused_with_the_earlier_campaign(
    place: Place, warm: Warm, first: list[str], second: list[str], says: str
) -> None:
    warm.run(place, *first)

    done = warm.run(place, *second)

    assert done.code == 1
    assert says in done.err
    assert "campaign 1 (members), which is running" in done.err
    assert "--again" in done.err
    assert done.err.count("\n") == 1
    assert place.n_campaigns() == 1


def test_a_file_that_was_moved_is_still_a_repeat(place: Place, warm: Warm) -> None:
    warm.run(place, *ORDER)
    place.write_numbers("copy.csv", 3)

    assert warm.run(place, "send", "copy.csv", *ORDER[2:]).code == 1


@pytest.mark.parametrize("again", [[*ORDER, "--again"], [*OTHER, "--key", "k", "--again"]])
def test_again_sends_it_once_more(place: Place, warm: Warm, again: list[str]) -> None:
    warm.run(place, *ORDER, "--key", "k")

    done = warm.run(place, *again)

    assert done.code == 0
    assert place.report(2).messages == (3 if again[1] == "members.csv" else 4)


def test_the_same_content_is_no_repeat_after_the_time_of_the_settings(place: Place, warm: Warm) -> None:
    settings = place.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace("[timers]", '[timers]\nrepeat = "1ms"'))
    warm.run(place, *ORDER)

    assert warm.run(place, *ORDER).code == 0


def test_of_two_who_send_the_same_at_once_one_is_refused(place: Place) -> None:
    with place.started(*ORDER) as one, place.started(*ORDER) as two:
        codes = sorted([one.wait(), two.wait()])

    assert codes == [0, 1]
    assert place.n_campaigns() == 1
    assert place.counts() == {"queued": 3}
