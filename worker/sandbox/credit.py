"""The credit of the accounts of one gateway: what each has by the knobs, less what it spent."""

import math
import time
from collections import defaultdict

from worker.sandbox.knobs import Knobs


class Credit:
    """What each account spent, in the gateway's own unit; an account is a user name."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._later: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)  # (from when, amount)

    def left(self, user: str, *, knobs: Knobs) -> float:
        """Return what the account has left, at least 0; infinity: endless."""
        if knobs.out_of_credit:
            return 0.0
        has = knobs.credits.get(user, math.inf if knobs.credit is None else knobs.credit)
        return has if has == math.inf else max(0.0, has - self.spent(user))

    def spent(self, user: str) -> float:
        """Return what the account spent by now."""
        later = self._later.get(user)
        if later:
            now_s = time.time()
            self._spent[user] += sum(amount for from_s, amount in later if from_s <= now_s)
            self._later[user] = [each for each in later if each[0] > now_s]
        return self._spent[user]

    def take(self, user: str, amount: float, *, from_s: float = 0.0) -> None:
        """Charge the account; `from_s` (Unix seconds): only then, for what is charged when it leaves."""
        if from_s and from_s > time.time():
            self._later[user].append((from_s, amount))
        else:
            self._spent[user] += amount

    def give_back(self, user: str, amount: float, *, from_s: float = 0.0) -> None:
        """Undo a `take` with the same values, for what was cancelled."""
        if (from_s, amount) in self._later[user]:
            self._later[user].remove((from_s, amount))
        else:
            self._spent[user] -= amount
