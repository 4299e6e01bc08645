"""All protections, in the order in which the README of the tests shows them."""

from tests.mutations import ledger, pacing, sending

PROTECTIONS = (
    *ledger.MARKS,
    *sending.WRITING,
    *ledger.BATCHES,
    *ledger.OUTCOMES,
    *sending.ANSWERS,
    *ledger.SETTLING,
    *sending.HINTS,
    *pacing.PACING,
)
