"""Program of the keeper: ``python -m worker.embedded FOLDER PROGRAM LOCK``, started by ``join`` only.

LOCK is the inherited descriptor of ``keeper.lock``, already locked: there is never a second keeper.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from worker.embedded.keeper import Keeper


def main() -> None:
    """Leave the process that started us, then keep Redis until nobody uses it."""
    folder, program, _lock = sys.argv[1:]  # the lock is held by being open
    if os.fork():
        os._exit(0)  # the starter waits for this one only and has no child left that it must reap
    # Whoever ends a whole session or service at once still finds a Redis until its last user is gone.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    if not Keeper(Path(folder), program=Path(program)).keep():
        sys.exit(1)


if __name__ == "__main__":
    main()
