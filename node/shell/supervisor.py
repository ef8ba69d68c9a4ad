"""Keeps a service tree alive: whatever it raises, it is started again, slower each time.

Refuses to hold state: what must survive lives outside the tree. Refuses to hide: each fall is told to
``fell`` with the exception. Cancellation passes through, so stopping stops.
"""

from collections.abc import Awaitable, Callable

import trio

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 30.0
# A tree that stood this long starts again at the shortest pause.
HEALTHY_S = 60.0


async def supervise(
    live: Callable[[], Awaitable[None]],
    *,
    fell: Callable[[BaseException], None],
    is_fatal: Callable[[BaseException], bool] = lambda error: False,
) -> None:
    """Run ``live`` for ever; on any ``Exception`` call ``fell`` and run it again.

    ``is_fatal`` says which errors a restart cannot help (a port in use at the first start): those are
    raised. Returns only if ``live`` returns.
    """
    pause_s = RESTART_FIRST_S
    while True:
        began_s = trio.current_time()
        try:
            await live()
        except Exception as error:  # the one place that must outlive every fault of the tree
            if is_fatal(error):
                raise
            fell(error)
        else:
            return
        if trio.current_time() - began_s >= HEALTHY_S:
            pause_s = RESTART_FIRST_S
        await trio.sleep(pause_s)
        pause_s = min(RESTART_MAX_S, pause_s * 2)


def leaves(error: BaseException) -> tuple[BaseException, ...]:
    """The single exceptions inside nested groups, in order."""
    if isinstance(error, BaseExceptionGroup):
        return tuple(leaf for inner in error.exceptions for leaf in leaves(inner))
    return (error,)
