"""Judges that break, to see that the pool notices."""

from __future__ import annotations

import faulthandler
import os
import signal

from tests.loaderfuzz.judge import Verdict


def good(seed: int) -> Verdict:
    return Verdict("ran")


def crashes_at_seven(seed: int) -> Verdict:
    if seed == 7:
        faulthandler.disable()  # the dump is not what this is about
        os.kill(os.getpid(), signal.SIGSEGV)
    return good(seed)


def hangs_at_three(seed: int) -> Verdict:
    """Hang, with the alarm that the pool has set brought forward, so that nobody waits for it."""
    if seed == 3:
        faulthandler.unregister(signal.SIGALRM)
        remaining_s, _ = signal.setitimer(signal.ITIMER_REAL, 0.01)
        if remaining_s == 0:
            return Verdict("broken", "no alarm was set")
        signal.pause()
    return good(seed)
