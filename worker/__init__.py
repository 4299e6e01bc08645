"""Everything that may touch a message: text, throttle, gateways, ledger, queue and the roles that run them.

The person's side lives in ``producer``, which imports from here and never the other way round.
"""
