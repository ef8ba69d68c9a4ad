"""``peers``: who this node is connected to, whom it refuses; ban and lift.

Refuses a ban without a reason: whoever operates the node after you must know why.
"""

import click

from luminous.node.shell.cli import views
from luminous.node.shell.cli.options import json_option, put
from luminous.node.shell.cli.printing import safe
from luminous.node.shell.cli.watching import client


@click.command()
@click.option("--ban", "banned", metavar="PEER", help="Refuse this peer from now on.")
@click.option("--reason", help="Why; shown beside the ban.")
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), help="The ban ends after so long.")
@click.option("--unban", "lifted", metavar="PEER", help="Lift a ban.")
@json_option
def peers(banned: str | None, reason: str | None, days: float | None, lifted: str | None) -> None:
    """Who it is connected to, and whom it refuses and why."""
    if banned and lifted:
        raise click.UsageError("either --ban or --unban")
    if (reason or days) and not banned:
        raise click.UsageError("--reason and --days belong to --ban")
    if banned:
        if not reason:
            raise click.UsageError("--ban needs --reason: it is shown beside the ban")
        facts = client().post("/v1/ban", {"peer": banned, "reason": reason, "days": days})
        put(facts, lambda: f"refused from now on: {safe(banned)} ({safe(reason)})")
    elif lifted:
        facts = client().post("/v1/ban", {"peer": lifted, "lift": True})
        words = "welcome again" if facts.get("had_ban") else "was not banned"
        put(facts, lambda: f"{words}: {safe(lifted)}")
    else:
        facts = client().get("/v1/peers")
        put(facts, lambda: views.peers(facts))
