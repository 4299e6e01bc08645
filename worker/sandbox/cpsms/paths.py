"""The calls of CPSMS v2, and what the segments of their paths are called."""

from collections.abc import Mapping

from worker.sandbox.cpsms.contacts import CALLS as CONTACT_CALLS
from worker.sandbox.gateway import Call, RefusalError

# Calls that read their parameters from the path, in this order, when there is no JSON.
_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("POST", "send"): (),
    ("POST", "sendgroup"): (),
    ("GET", "simplesend"): ("to", "message", "from"),
    ("GET", "creditvalue"): (),
    ("POST", "creditvalue"): (),  # so in the vendor's example for the shell
    ("GET", "getlog"): ("fromDate", "toDate", "to"),
    ("DELETE", "deletesms"): ("reference",),
    **CONTACT_CALLS,
}


def is_known(call: Call) -> bool:
    """Say whether there is such a call."""
    return (call.method, call.path[0]) in _PATHS


def names_of(call: Call) -> tuple[str, ...]:
    """Return what the segments after the first are called.

    Raises:
        RefusalError: there is no such call.
    """
    names = _PATHS.get((call.method, call.path[0]))
    if names is None:
        raise RefusalError(404, "the method is unknown")
    # getlog/<to> has one segment, and then it is the last of its names
    return names[-1:] if call.path[0] == "getlog" and len(call.path) == 2 else names  # noqa: PLR2004 - two segments
