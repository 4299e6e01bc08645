"""The contracts of all gateways, one line for each."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.contract.cases import Case, Contract
from tests.contract.cases_cpsms import CPSMS, CPSMS_2016
from tests.contract.cases_smsend import SKEBBY, SMSEND
from tests.contract.cases_textmarketer import TEXTMARKETER
from tests.contract.cases_txty_v4 import TXTY_V4, TXTY_V4_DANISH
from tests.contract.cases_txty_v6 import TXTY_V6, TXTY_V6_BASIC

CONTRACTS: tuple[Contract, ...] = (
    CPSMS,
    CPSMS_2016,
    SMSEND,
    SKEBBY,
    TEXTMARKETER,
    TXTY_V4,
    TXTY_V4_DANISH,
    TXTY_V6,
    TXTY_V6_BASIC,
)


def contracts_that(holds: Callable[[Contract], object]) -> pytest.MarkDecorator:
    """Parametrise ``contract`` over those of which this holds."""
    found = [pytest.param(contract, id=contract.id) for contract in CONTRACTS if holds(contract)]
    return pytest.mark.parametrize("contract", found)


each_contract = contracts_that(lambda _contract: True)


def each_case(table: str) -> pytest.MarkDecorator:
    """Parametrise ``contract`` and ``case`` over one table of all contracts."""
    seen: Counter[str] = Counter()
    lines = []
    for contract in CONTRACTS:
        for case in getattr(contract, table):
            line = f"{contract.id}: {_name(case)}"
            seen[line] += 1
            again = f" ({seen[line]})" if seen[line] > 1 else ""
            lines.append(pytest.param(contract, case, id=line + again))
    return pytest.mark.parametrize(("contract", "case"), lines)


def _name(case: object) -> str:
    """Say what a line of a table is called; a bare reply is called by its status."""
    return case.name if isinstance(case, Case) else str(getattr(case, "status", case))
