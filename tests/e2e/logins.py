"""The session that the workers of a place share at the simulated smSend."""

from tests.e2e.place import SECRET, Place, Started
from tests.sandbox.running import Sandbox
from worker.broker import redis_address
from worker.providers import accounts_of
from worker.sessions import RedisStore
from worker.settings import load_settings
from worker.waiting import within

_LONGEST_S = 10.0


def current_session(place: Place) -> str:
    """Return it, empty where there is none; only who has the secret can read it."""
    settings = load_settings(place.folder / "bulksend.toml")
    login_key = accounts_of(settings)["acme"].login_key
    address = redis_address(str(settings.broker))
    return RedisStore(address, login_key=login_key, secret=SECRET, longest_s=1).get() or ""


def is_alive(gateway: Sandbox, session: str) -> bool:
    """Ask the simulator, which does not make it live longer."""
    user_key, _, key = session.partition(";")
    url = f"{gateway.url}/smsend/API/v1.0/REST/checksession"
    keys = {"user_key": user_key, "Session_key": key}
    return gateway.session.get(url, headers=keys, timeout=5).text == "true"


def ends(gateway: Sandbox, session: str) -> bool:
    """Let it end, as it does after some minutes without a call; nobody may call meanwhile."""
    gateway.set_faults(session_s=0.2)
    has_ended = within(_LONGEST_S, lambda: not is_alive(gateway, session), every_s=0.05)
    gateway.set_faults(session_s=300)
    return has_ended


def n_logins(*workers: Started) -> int:
    """Count the logins that workers speak of."""
    return sum(worker.said.count('"event": "logged in"') for worker in workers)
