"""The bond of a role to the supervisor that started it.

Source: prctl(2). The kernel sends the death signal when the *thread* that started the child ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT = "_BULKSEND_PARENT_PID"  # set by the supervisor for its children; no setting, hence the underscore
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """End this process with SIGTERM when the supervisor that started it dies, however it dies.

    Called first thing by the program of a role. Does nothing when no supervisor started us, and has no
    means outside Linux.
    """
    parent = os.environ.pop(PARENT, None)  # not for our own children
    if parent is None or sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused the death signal")
    if os.getppid() != int(parent):  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
