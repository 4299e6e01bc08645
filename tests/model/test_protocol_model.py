import re
from pathlib import Path

import pytest

from tests.model.cases import PROTECTIONS, REDUNDANT, SCENES, Protection
from tests.model.search import ALL_LAWS, search
from tests.model.world import Scene

_MANY_STATES = 1000
_TOO_MANY_STATES = 100_000  # some seconds each


def _name(case: Scene | Protection) -> str:
    return case.name if isinstance(case, Scene) else f"{case.name}-{case.breaks}"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=_name)
def test_every_law_holds_in_every_world_that_can_be_reached(scene: Scene) -> None:
    finding = search(scene)

    assert (finding.broken, finding.path) == (None, ())
    assert _MANY_STATES < finding.n_states < _TOO_MANY_STATES


@pytest.mark.parametrize("protection", PROTECTIONS, ids=_name)
def test_without_a_protection_its_law_breaks(protection: Protection) -> None:
    finding = search(protection.without(), laws=[protection.breaks])

    assert finding.broken == protection.breaks


@pytest.mark.slow
@pytest.mark.parametrize("protection", REDUNDANT, ids=_name)
def test_a_protection_whose_work_another_does_is_not_missed(protection: Protection) -> None:
    finding = search(protection.without())

    assert (finding.broken, finding.path) == (None, ())


def test_every_law_is_seen_to_break() -> None:
    broken = {protection.breaks for protection in PROTECTIONS}

    assert broken == set(ALL_LAWS)


def test_every_switch_of_the_model_is_shown_to_matter() -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    switches = set(re.findall(r'keeps\("(\w+)"\)', sources))

    assert switches - {protection.name for protection in PROTECTIONS} == {"lease_time"}
    assert {protection.name for protection in PROTECTIONS + REDUNDANT} <= switches
