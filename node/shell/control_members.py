"""The control API of the roll: who decides, ask to admit somebody, leave, move to another key.

Refuses to admit: the members vote, or vouch.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from luminous.node.core import commands, views
from luminous.node.shell.body import Body
from luminous.node.shell.http_server import Request

Endpoint = Callable[[Body, Request], Awaitable[dict[str, Any]]]
Do = Callable[..., Awaitable[dict[str, Any]]]  # body, command, and the instant it counts from


def period_ms(asked_s: Any) -> int:
    """How long is voted: what was asked for, or three days. Raises ``ValueError`` for no length of time."""
    try:
        return 1000 * int(asked_s or 3 * 86_400)
    except OverflowError:
        raise ValueError("closes_in_s is a number of seconds") from None


async def members(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/members: the roll, who waits and who is dormant."""
    return dict(await body.service.ask(views.members))


async def verify_aggregate(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/verify/aggregate?window=N: one window's sum against the deltas that Minutes agreed on.

    Without a number, the newest window that is held.
    """
    window = int(request.query["window"]) if "window" in request.query else None
    return dict(await body.service.ask(lambda node: views.verify_aggregate(node, window)))


def posts(do: Do) -> dict[str, Endpoint]:
    """The endpoints that sign; ``do`` carries a command out or says why it is refused."""

    async def invite(body: Body, request: Request) -> dict[str, Any]:
        asked = request.body
        at = body.clock.now()
        closes_at_ms = at.wall_ms + period_ms(asked.get("closes_in_s"))
        author = str(asked["author"])
        title = str(asked.get("title") or f"Admit {author[:8]}")
        text = str(asked.get("text") or "")
        done = await do(body, commands.Invite(author, title, text, closes_at_ms), at)
        return {"proposal": done["ids"][0] if done["ids"] else None, "closes_at_ms": closes_at_ms}

    async def leave(body: Body, request: Request) -> dict[str, Any]:
        await do(body, commands.Leave())
        return {"left": "with the next Minutes"}

    async def rotate(body: Body, request: Request) -> dict[str, Any]:
        await do(body, commands.Rotate(str(request.body["successor"]), str(request.body["consent"])))
        return {"successor": str(request.body["successor"]), "rotated": "with the next Minutes"}

    async def vouch(body: Body, request: Request) -> dict[str, Any]:
        author = str(request.body["author"])
        await do(body, commands.Vouch(author, str(request.body["wish"])))
        return {"author": author, "vouched": "with the next Minutes"}

    async def object_to(body: Body, request: Request) -> dict[str, Any]:
        author = str(request.body["author"])
        await do(body, commands.Object(author))
        return {"author": author, "objected": "with the next Minutes"}

    return {
        "/v1/member/invite": invite,
        "/v1/member/leave": leave,
        "/v1/member/rotate": rotate,
        "/v1/member/vouch": vouch,
        "/v1/member/object": object_to,
    }


GET: dict[str, Endpoint] = {"/v1/members": members, "/v1/verify/aggregate": verify_aggregate}
