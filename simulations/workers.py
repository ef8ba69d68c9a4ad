"""Worker processes for many runs.

Refuses to let Ctrl-C reach them: it is the parent's to answer, which ends them and says what was reached.
"""

import signal
from multiprocessing import get_context
from multiprocessing.pool import Pool


def open_pool(workers: int) -> Pool:
    """So many fresh processes; a context manager that ends them."""
    return get_context("spawn").Pool(workers, _leave_interrupts)


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
