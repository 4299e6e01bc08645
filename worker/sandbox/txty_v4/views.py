"""What Txty API v4 shows of an account: prices, the user, a number's network, an empty inbox."""

import math
import time
from collections.abc import Mapping
from typing import Any

from worker.sandbox import txty
from worker.sandbox.gateway import RefusalError
from worker.sandbox.txty import TxtyError
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs

_ENDLESS = 9843.4  # DKK
_COUNTRIES = {"Denmark": 45, "Norway": 47, "Sweden": 46, "United Kingdom": 44, "Other countries": 0}
_HLR_PRICE = 0.08
_NETWORK = {"code": 23820, "name": "Network"}


def view(
    resource: tuple[str, ...], *, user: str, left: float, given: Mapping[str, str], knobs: TxtyV4Knobs
) -> dict[str, Any]:
    """Return what a call shows that changes nothing.

    Args:
        resource: of the call.
        user: the user name.
        left: the credit, in DKK.
        given: the parameters.
        knobs: of the gateway.

    Raises:
        RefusalError: there is no such resource, or no recipient.
    """
    if resource == ("view", "yourprices"):
        return {"success": "VIEW_YOURPRICES", "yourprices": _prices(left, knobs=knobs)}
    if resource == ("view", "user"):
        return {"success": "VIEW_USER", "user": _account(user, knobs=knobs)}
    if resource == ("view", "inbox"):
        return {"success": "VIEW_INBOX", "inbox": []}
    if resource == ("hlr",):
        return {"success": "LOOKUP", "hlr": _network(given.get("msisdn", ""), knobs=knobs)}
    if resource == ("user", "deleteapikey"):
        return {"success": "DELETE_APIKEY"}
    raise RefusalError(404, "not found", messages=0)


def _prices(left: float, *, knobs: TxtyV4Knobs) -> dict[str, Any]:
    prices = [
        {
            "country": country,
            "dialcode": dialcode,
            "price": {"sms": txty.price(f"{dialcode}0", parts=1), "hlr": _HLR_PRICE},
        }
        for country, dialcode in _COUNTRIES.items()
    ]
    balance = _ENDLESS if math.isinf(left) else round(left, 2)
    credit = {"balance": balance, "timestamp": knobs.written_s(time.time())}
    return {"prices": prices, "credit": credit, "subscription": {"keywords": []}}


def _account(user: str, *, knobs: TxtyV4Knobs) -> dict[str, Any]:
    return {
        "controluser": 0,
        "username": user,
        "status": 10,
        "companyname": "Company",
        "companyid": 10_000_000,
        "eannumber": None,
        "fullname": "Fullname",
        "street": "Street",
        "zipcode": 5550,
        "msisdn": 4512345678,
        "dialcode": 45,
        "number": 12345678,
        "email": "user@example.org",
        "lockedname": None,
        "createdtime": 1361830863,
        "iplast_login": "127.0.0.1",
        "iplast_gw": "127.0.0.1",
        "timestamp_login": knobs.written_s(time.time()),
        "timestamp_gw": knobs.written_s(time.time()),
        "callback": knobs.account_callback or None,
        "bcontactid": None,
    }


def _network(number: str, *, knobs: TxtyV4Knobs) -> dict[str, Any]:
    if not number:
        raise TxtyError("EMPTY_RECIPIENT", "", messages=0, hlr={"msisdn": None})
    try:
        txty.check_number(number, knobs=knobs)
    except TxtyError as error:
        raise TxtyError(error.code, "", messages=0, hlr={"msisdn": number}) from None
    dialcode, national = txty.divided(number)
    prefix = int(str(national)[:4])
    return {
        "msisdn": int(number),
        "stat": "DELIVRD",
        "imsi": 0,
        "mccmnc": _NETWORK["code"],
        "err": 0,
        "latest_lookup": knobs.written_s(time.time()),
        "original_dialcode": dialcode,
        "original_country_name": "Country",
        "original_network_name": _NETWORK["name"],
        "original_number_prefix": prefix,
        "ported_dialcode": dialcode,
        "ported_country": "Country",
        "ported_network_name": _NETWORK["name"],
        "ported_network_code": _NETWORK["code"],
        "ported_number_prefix": prefix,
    }
