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
    if seed == 3:
        signal.pause()
    return good(seed)
