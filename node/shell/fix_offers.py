"""The fixes of an answer as they are offered after a failed command: now and then with another one first.

Refuses to change what a fix says or to add one; what was offered with which chance is handed back, so that
outcomes can be weighed by it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from luminous.node.core.causes.answer import Answer
from luminous.node.core.causes.exploring import offer
from luminous.node.core.causes.ranking import Counts, rank
from luminous.node.shell import experience
from luminous.protocol.layout import FIXES_1

Offers = tuple[tuple[str, int], ...]


def offer_fixes(
    answer: Answer, local: Counts, prior: Counts, draw: int | None = None
) -> tuple[Answer, Offers]:
    """The answer as it is shown, and (fix, chance in thousandths that it is first) in the public words."""
    if answer.class_id is None or not answer.fixes:
        return answer, ()
    pairs = [(answer.class_id, fix.id) for fix in answer.fixes]
    known = {(fix.class_id, fix.fix_id): fix for fix in rank(pairs, local, prior)}
    was_tried = any(pair in local or pair in prior for pair in pairs)
    drawn = int.from_bytes(os.urandom(4), "big") % 1000 if draw is None else draw
    made = offer([known[pair] for pair in pairs], [fix.safety for fix in answer.fixes], was_tried, drawn)
    chances: dict[str, int] = {}
    for fix, chance in zip(answer.fixes, made.chances_milli, strict=True):
        name = FIXES_1.pairs[fix.pair][1] if fix.pair is not None else fix.id
        chances[name] = chances.get(name, 0) + chance  # several fixes may count as one
    return replace(answer, fixes=tuple(answer.fixes[place] for place in made.order)), tuple(chances.items())


def explain_run(
    explain: Callable[..., object],
    text: str,
    *,
    argv: Sequence[str],
    exit_code: int,
    root: str,
    data_dir: str,
) -> tuple[object, Offers]:
    """What `explain` says of a failed run, as it is offered. Raises what `explain` raises."""
    local, prior = experience.read(Path(data_dir))
    command = " ".join(argv)[:4096]
    answer = explain(text, command=command, exit_code=exit_code, root=root, local=local, prior=prior)
    return offer_fixes(answer, local, prior) if isinstance(answer, Answer) else (answer, ())
