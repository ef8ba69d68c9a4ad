"""``AdvancedCausalReasoning``: why something broke, from its text and from what this machine saw.

Refuses certainty it does not have: a cause has the confidence of the evidence, what is not known is said
to be unknown, and a text given here stays in this process; the node is told classes alone.
"""

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from luminous.node.api.connection import Connection, Facts
from luminous.node.core.causes.answer import Answer
from luminous.node.shell import experience
from luminous.node.shell.catalogue_files import load_catalogue
from luminous.node.shell.command_class import command_class
from luminous.node.shell.explain import explain_text

FIXES_SHOWN_MAX = 5


class AdvancedCausalReasoning:
    """Explains failures, and asks the running node (``data_dir``, None: this user's) for its graph."""

    def __init__(self, data_dir: Path | str | None = None) -> None:
        self._connection = Connection(data_dir)

    def observe_event(self, event: Facts) -> None:
        """Tell the node that a command ended or an error was seen.

        ``{"type": "command_execution", "command", "result"}`` or ``{"type": "error", "error",
        "component"}``. Only the command's class, the error's class and its signature are passed on.
        """
        command = str(event.get("command") or event.get("component") or "")
        kind = event.get("type")
        if kind not in ("command_execution", "error"):
            raise ValueError(f"{kind!r} is not command_execution or error")
        facts: Facts = {"command": command_class(_words(command)), "success": False}
        if kind == "command_execution":
            facts["success"] = event.get("result") in ("success", True, 0)
        if not facts["success"]:
            answer = explain_text(str(event.get("error") or ""), command=command, ask=False)
            facts |= {"class": answer.class_id or "", "signature": answer.signature}
        self._connection.post("/v1/observe", {"name": "command_ended", "facts": facts})

    def analyze_issue(
        self, issue: str = "", context: Facts | None = None, *, issue_description: str = ""
    ) -> Facts:
        """Root causes of a failure, best first, with the wisdom that bears on them.

        ``issue``: the failed command's output, or a sentence. ``context``: ``command``, ``exit_code``,
        ``root`` (the directory it worked in) where known; ``user_level`` ``beginner`` adds what to do next
        time to the explanation. Needs no network; the graph's figures need the running node.
        """
        text, given = issue or issue_description, context or {}
        local, prior = experience.read(self._connection.paths.data)
        answer = explain_text(
            text,
            command=given.get("command"),
            exit_code=given.get("exit_code"),
            root=given.get("root"),
            local=local,
            prior=prior,
        )
        causes = self._connection.get("/v1/causes")
        classes = [name for name, _, _ in answer.candidates]
        return {
            "issue": text,
            "class": answer.class_id,
            "root_causes": _root_causes(answer, given.get("user_level") == "beginner"),
            "wisdom_applied": [
                row for row in self._wisdom(causes) if any(name in row["statement"] for name in classes)
            ],
            "causal_graph_stats": causes["graph"],
        }

    def explain_why(self, question: str) -> str:
        """Why something happened on this machine, or that it is not known."""
        return str(self._connection.get("/v1/why", question=question)["text"])

    def get_wisdom_summary(self) -> Facts:
        """How much was learnt, by type; the surest statements first."""
        found = self._wisdom(self._connection.get("/v1/causes"))
        return {
            "total_wisdom": len(found),
            "by_type": dict(Counter(row["type"] for row in found)),
            "most_used": sorted(found, key=lambda row: -row["confidence"])[:FIXES_SHOWN_MAX],
        }

    def _wisdom(self, causes: Facts) -> list[Facts]:
        """What own events justify, and what the members' outcomes show together."""
        own = [
            {"statement": row["statement"], "type": row["kind"], "confidence": _share(row["evidence"])}
            for row in causes["claims"]
        ]
        patterns = self._connection.get("/v1/wisdom")["patterns"]
        return own + [
            {
                "statement": f"For {row['pair'][0]}, {row['pair'][1]} worked in "
                f"{row['rate_milli'] / 10:.0f} % ({_trials(row)}from {row['contributors']} machines).",
                "type": "pattern",
                "confidence": row["low_milli"] / 1000,
            }
            for row in patterns
        ]


def _root_causes(answer: Answer, is_beginner: bool) -> list[Facts]:
    """The explained class first; then other candidates, which have an explanation of their class alone."""
    catalogue = load_catalogue().classes
    causes: list[Facts] = []
    for class_id, confidence, grounds in answer.candidates:
        is_first = class_id == answer.class_id
        known = catalogue.get(class_id)
        explanation = answer.cause if is_first else f"It might also be {class_id.replace('_', ' ')}."
        if is_first and is_beginner and answer.prevention:
            explanation += f" {answer.prevention}"
        causes.append(
            {
                "cause": class_id,
                "confidence": round(confidence, 3),
                "explanation": f"{explanation} ({grounds})" if grounds else explanation,
                "fixes": [fix.to_json() for fix in answer.fixes[:FIXES_SHOWN_MAX]] if is_first else [],
                "prevention": answer.prevention if is_first else getattr(known, "prevention", ""),
            }
        )
    return causes


def _share(evidence: dict[str, Any]) -> float:
    """How often it held: of the trials where there were some, else of what was watched."""
    if evidence.get("trials"):
        return float(evidence["successes"]) / float(evidence["trials"])
    followed = evidence.get("followed") or evidence.get("now")
    return float(followed[0]) / float(followed[1]) if followed and followed[1] else 0.0


def _trials(row: Facts) -> str:
    return "" if row["trials"] is None else f"{row['trials']} trials "


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
