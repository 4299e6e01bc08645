"""Every gateway has its contract, and every case of it is used."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.cases import Case, Contract
from tests.contract.contracts import CONTRACTS, each_contract
from worker.gateways import GATEWAYS


def test_every_gateway_has_its_contract() -> None:
    assert {contract.adapter.name for contract in CONTRACTS} == set(GATEWAYS)
    assert len({contract.id for contract in CONTRACTS}) == len(CONTRACTS)


def canned(module: str) -> Iterator[Case]:
    for value in vars(importlib.import_module(f"tests.contract.{module}")).values():
        yield from (
            case for case in (value if isinstance(value, tuple) else [value]) if isinstance(case, Case)
        )


@pytest.mark.parametrize("module", sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py")))
def test_every_canned_case_of_a_module_is_in_a_contract(module: str) -> None:
    used = {id(case) for contract in CONTRACTS for case in contract.cases()}

    assert [case.name for case in canned(module) if id(case) not in used] == []


@each_contract
def test_contract_has_cases_for_what_its_gateway_can(contract: Contract) -> None:
    has = contract.adapter.capabilities

    assert {case.name for case in contract.options} == has.options
    assert has.max_recipients == contract.max_recipients
    assert contract.codes
    assert contract.strange
    assert (contract.adapter.check() is not None) == bool(contract.checks)
    assert has.lookup == contract.lookup
    assert (has.lookup is not None) == bool(contract.asks) == bool(contract.hears) == bool(contract.knows)
    assert (has.cancel_ahead_s is not None) == bool(contract.cancels)
    assert has.pushes == bool(contract.reports)
    assert (contract.adapter.login is not None) == bool(contract.logins) == bool(contract.over)
    built = [case.submission for case in contract.builds]
    assert any(each.leaves_at_s is not None for each in built) == has.schedules
    assert any(each.texts is not None for each in built) == has.differs
    assert {
        each.recipients[0].partition(":")[0] for each in built if ":" in each.recipients[0]
    } == has.targets
    assert {each.encoding for each in built} == has.encodings
