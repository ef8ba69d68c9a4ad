"""Commands of people, carried to the machine that answers them.

Refuses nothing by its own judgement: it reads words, the machines judge.
"""

from luminous.node.core import commands
from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.membership import Words, admission
from luminous.node.core.instant import Instant
from luminous.node.core.machines import Machines, Outcomes
from luminous.node.core.outcomes import Emit
from luminous.protocol.ballots import Choice
from luminous.protocol.bindings import Binding
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import TEXT_SIZE_BYTES_MAX, TITLE_SIZE_BYTES_MAX
from luminous.protocol.operations import OPERATION, Operation, Verb
from luminous.protocol.proposals import PROPOSAL, Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused

Done = Outcomes | Refused

_NO_NETWORK = Refused(Reason.NO_NETWORK, "this node belongs to no network")


def execute(machines: Machines, command: commands.Command, at: Instant) -> Done:
    """What a command leads to, or why it is refused."""
    match command:
        case commands.Propose():
            return _propose(machines, command, at)
        case commands.CastVote():
            return _vote(machines, command, at)
        case commands.Override():
            if machines.governance is None:
                return _NO_NETWORK
            return machines.governance.override(command.key, command.value)
        case commands.SetParameter():
            if machines.governance is None:
                return _NO_NETWORK
            return machines.governance.set_parameter(command.key, command.value, at)
        case commands.Invite() | commands.Leave() | commands.Rotate() | commands.Vouch() | commands.Object():
            return _change_roll(machines, command, at)
        case commands.GrantLearning():
            return machines.grant(command.level, at)
        case commands.Forget():
            return machines.forget(at)
        case commands.Heal():
            return machines.heal(command.intent, undo=command.undo, at=at)
        case commands.Bind():
            return (Emit(Kind.BINDING, Binding(command.peer, command.not_after_ms)),)


def _propose(machines: Machines, command: commands.Propose, at: Instant) -> Done:
    if machines.governance is None:
        return _NO_NETWORK
    try:
        kind, threshold = ProposalKind[command.kind.upper()], Threshold[command.threshold.upper()]
    except KeyError as error:
        return Refused(Reason.MALFORMED, f"{error.args[0].lower()} is not a kind or threshold")
    if len(command.title.encode()) > TITLE_SIZE_BYTES_MAX or len(command.text.encode()) > TEXT_SIZE_BYTES_MAX:
        return Refused(
            Reason.OVERSIZED,
            f"a title has at most {TITLE_SIZE_BYTES_MAX} bytes, a text {TEXT_SIZE_BYTES_MAX}",
        )
    proposal = Proposal(
        kind,
        command.title,
        command.text,
        tuple(Effect(key, value) for key, value in command.effects),
        threshold,
        command.closes_at_ms,
        Uncertainty(command.confidence_milli, command.unknowns),
    )
    checked = PROPOSAL.parse(PROPOSAL.pack(proposal))
    return checked if isinstance(checked, Refused) else machines.governance.propose(proposal, at)


Change = commands.Invite | commands.Leave | commands.Rotate | commands.Vouch | commands.Object


def _change_roll(machines: Machines, command: Change, at: Instant) -> Done:
    if machines.governance is None:
        return _NO_NETWORK
    governance = machines.governance
    if isinstance(command, commands.Leave):
        return governance.leave(at)
    try:
        if isinstance(command, commands.Invite):
            return _invite(governance, bytes.fromhex(command.author), command, at)
        operation = _operation(command)
    except ValueError:
        return Refused(Reason.BAD_KEY, "a key is written in hexadecimal digits")
    checked = OPERATION.parse(OPERATION.pack(operation))
    if isinstance(checked, Refused):
        return checked
    match operation.verb:
        case Verb.ROTATE:
            return governance.rotate(operation.successor, operation.consent, at)
        case Verb.VOUCH:
            return governance.vouch(operation.successor, operation.consent, at)
    return governance.object(operation.successor, at)


def _operation(command: commands.Rotate | commands.Vouch | commands.Object) -> Operation:
    """What is signed. Raises ``ValueError`` for what is not hexadecimal."""
    match command:
        case commands.Rotate():
            keys = bytes.fromhex(command.successor), bytes.fromhex(command.consent)
            return Operation(Verb.ROTATE, *keys)
        case commands.Vouch():
            return Operation(Verb.VOUCH, bytes.fromhex(command.author), bytes.fromhex(command.wish))
    return Operation(Verb.OBJECT, bytes.fromhex(command.author))


def _invite(governance: Governance, candidate: bytes, command: commands.Invite, at: Instant) -> Done:
    words = Words(command.title, command.text, command.closes_at_ms)
    shown = PROPOSAL.parse(PROPOSAL.pack(admission(candidate, words)))
    return shown if isinstance(shown, Refused) else governance.invite(candidate, words, at)


def _vote(machines: Machines, command: commands.CastVote, at: Instant) -> Done:
    if machines.governance is None:
        return _NO_NETWORK
    try:
        choice = Choice[command.choice.upper()]
    except KeyError:
        return Refused(Reason.MALFORMED, f"{command.choice!r:.20} is not yes, no or abstain")
    proposal = find_proposal(machines, command.proposal)
    return proposal if isinstance(proposal, Refused) else machines.governance.vote(proposal, choice, at)


def find_proposal(machines: Machines, prefix: str) -> ProposalId | Refused:
    """The one proposal whose id starts with ``prefix`` (hexadecimal)."""
    if machines.governance is None:
        return _NO_NETWORK
    held = [decision.id for decision in machines.governance.proposals()]
    found = [identifier for identifier in held if prefix and identifier.hex().startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        return Refused(
            Reason.UNKNOWN_PROPOSAL, f"{len(found)} proposals start with {prefix!r:.20}: give more digits"
        )
    return Refused(Reason.UNKNOWN_PROPOSAL, f"no proposal held here starts with {prefix!r:.20}")
