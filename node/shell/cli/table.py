"""Every command: where it lives and one line about it. Nothing here is imported until it is called.

Refuses to hide what is missing: a command of the design that is not built stands in NOT_YET and says so.
"""

_CLI = "luminous.node.shell.cli."

# name: (module, attribute, one line)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": (_CLI + "identity", "init", "Make this node's identity and a commented configuration file."),
    "run": (_CLI + "starting", "run", "Run the node in the foreground."),
    "bootstrap": (_CLI + "starting", "bootstrap", "Run a node that only helps others to find each other."),
    "demo": (_CLI + "starting", "demo", "Show what the node does, about a minute."),
    "status": (_CLI + "watching", "status", "What the running node is doing."),
    "peers": (_CLI + "peering", "peers", "Who it is connected to, and whom it refuses."),
    "id": (_CLI + "identity", "show_id", "Who this node is."),
    "config": (_CLI + "configuration", "config", "Show or check the settings and where each comes from."),
    "consent": (_CLI + "consenting", "consent", "What you agreed to; agree or take it back."),
    "privacy": (_CLI + "private", "privacy", "What left this machine, what would leave next, what it costs."),
    "explain": (_CLI + "explaining", "explain", "Why a Nix command failed and what fixes it. Offline."),
    "exec": (_CLI + "explaining", "exec_help", "Run a command unchanged; explain it when it fails."),
    "preflight": (_CLI + "explaining", "preflight", "What would make a rebuild fail, before it starts."),
    "what-changed": (_CLI + "explaining", "what_changed", "What changed since this command last worked."),
    "bisect": (_CLI + "explaining", "bisect", "Find the change that broke it, by trying halves."),
    "what-if": (_CLI + "explaining", "what_if", "Try a fix in a copy, without touching anything."),
    "backfill": (_CLI + "explaining", "backfill", "What broke before, with your consent to look."),
    "hook": (_CLI + "explaining", "hook", "Print the shell hook for bash, zsh or fish."),
    "why": (_CLI + "watching", "why", "Why something happened, from this machine's own events."),
    "wisdom": (_CLI + "watching", "wisdom", "What was learnt together."),
    "health": (_CLI + "watching", "health", "How well this machine is, with the three worst signals."),
    "forecast": (_CLI + "watching", "forecast", "The next half hour of this machine, with uncertainty."),
    "heal": (_CLI + "watching", "heal", "What was healed, what is proposed, and why."),
    "logs": (_CLI + "watching", "logs", "What the node told since it started."),
    "metrics": (_CLI + "watching", "metrics", "Measurements in Prometheus text."),
    "doctor": (_CLI + "maintaining", "doctor", "Check this installation and say what to mend."),
    "backup": (_CLI + "maintaining", "backup", "Copy what can be restored into one file."),
    "restore": (_CLI + "maintaining", "restore", "Bring a backup into an empty data directory."),
    "network": (_CLI + "networks", "network", "Create or join a network of nodes."),
    "propose": (_CLI + "deciding", "propose", "Put something to the vote."),
    "vote": (_CLI + "deciding", "vote", "Vote on a proposal."),
    "proposals": (_CLI + "deciding", "proposals", "What is being decided."),
    "decision": (_CLI + "deciding", "decision", "One proposal: its ballots and its outcome."),
    "verify": (_CLI + "deciding", "verify", "Recount every decision from the records."),
    "member": (_CLI + "members", "member", "Who decides: list, invite, leave, move to a new key."),
    "parameters": (_CLI + "deciding", "parameters", "What has been decided, and its bounds."),
    "override": (_CLI + "deciding", "override", "Keep another value on this machine."),
    "completion": (_CLI + "completion", "completion", "Print the completion script for bash, zsh or fish."),
    "version": (_CLI + "identity", "version", "The version."),
}

NOT_YET: dict[str, str] = {
    "switch": "A switch that must be confirmed or reverts itself.",
    "intent": "Which command a sentence means.",
    "predict": "The command that probably comes next.",
    "learn-next": "What to read or try next.",
    "persona": "How the node sees your way of working; correct or reset it.",
    "selftest": "Test this node's own parts.",
    "dashboard": "Open the status page.",
}
