"""A rate limit as a strict provider keeps it: at most so many units in any window, judged at arrival."""

from collections import deque

_WINDOW_S = {"s": 1, "min": 60, "h": 3600, "day": 86400}


class Window:
    """One limit, "50/s": a sliding log of what was let through.

    A request above the whole limit is let through when nothing else is in its way, and then fills as many
    windows as it needs; otherwise a message of many parts could never be sent at a low rate.
    """

    def __init__(self, rate: str) -> None:
        limit, per = rate.split("/")
        self._limit = int(limit)
        self._window_s = _WINDOW_S[per]
        self._log: deque[tuple[float, int]] = deque()  # (when it leaves the window, units)
        self._units = 0

    def wait_s(self, units: int, *, now_s: float) -> float:
        """Return how long the units are too early, 0 when they may pass."""
        while self._log and self._log[0][0] <= now_s:
            self._units -= self._log.popleft()[1]
        if not self._log or self._units + units <= self._limit:
            return 0
        return self._log[0][0] - now_s

    def add(self, units: int, *, now_s: float) -> None:
        """Write down that the units passed."""
        windows = max(1, units / self._limit)
        self._log.append((now_s + windows * self._window_s, units))
        self._units += units


class RateLimit:
    """The windows of all user names of one gateway; changed rates start with an empty log."""

    def __init__(self) -> None:
        self._rates: list[str] = []
        self._windows: dict[str, list[Window]] = {}

    def wait_s(self, user: str, *, rates: list[str], units: int, now_s: float) -> float:
        """Let the units pass and return 0, or return the seconds that they are too early."""
        if rates != self._rates:
            self._rates, self._windows = rates, {}
        windows = self._windows.setdefault(user, [Window(rate) for rate in rates])
        wait_s = max((window.wait_s(units, now_s=now_s) for window in windows), default=0)
        if not wait_s:
            for window in windows:
                window.add(units, now_s=now_s)
        return wait_s
