"""All protections, in the order in which the README of the tests shows them."""

from tests.mutations import due, forgetting, gateways, hearing, ledger, orders, pacing, sending

PROTECTIONS = (
    *ledger.MARKS,
    *sending.WRITING,
    *ledger.BATCHES,
    *ledger.OUTCOMES,
    *sending.ANSWERS,
    *gateways.REFUSALS,
    *gateways.SESSIONS,
    *gateways.SECRETS,
    *ledger.SETTLING,
    *hearing.LOOKUPS,
    *hearing.RECEIPTS,
    *sending.HINTS,
    *pacing.PACING,
    *due.TIMES,
    *forgetting.REMOVALS,
    *orders.ORDERS,
)
