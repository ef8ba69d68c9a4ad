"""The deciding machine of a node: its proposals, its member's votes, its part in closing, its parameters.

Refuses to sign while hearing (replay would sign again), to sign anything after its key was seen signing
elsewhere, to vote for what the constitution forbids, and to call an outcome final without its
closing's proof. Own envelopes must be heard like all others, in the same ``handle`` that signed them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from luminous.node.core.governance import overrides
from luminous.node.core.governance.audit import certificates, export
from luminous.node.core.governance.decision import Decision, Verification
from luminous.node.core.governance.force import Force, by_owner, fold
from luminous.node.core.governance.lifecycle import Phase, Step, phase_after
from luminous.node.core.governance.membership import Words, admission, care, may_admit, may_operate
from luminous.node.core.governance.minutes import KINDS as CLOSING_KINDS
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.node.core.governance.overrides import Overrides
from luminous.node.core.governance.pool import Evidence, Held, Pool
from luminous.node.core.governance.settled import Closing, Settled
from luminous.node.core.governance.strangers import Strangers
from luminous.node.core.governance.witness import Witness
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Outcome, Tell
from luminous.protocol.ballots import BALLOT_SEQUENCE_MAX, Ballot, Choice, chain_of
from luminous.protocol.codec import Value
from luminous.protocol.constitution import Standing, check_proposal, check_value
from luminous.protocol.electorate import Electorate, Signed
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import OPEN_PROPOSALS_PER_AUTHOR_MAX
from luminous.protocol.operations import Operation, Verb
from luminous.protocol.parameters import CLOSING_GRACE_MS, PARAMETERS, VOTING_WINDOW_MS_MIN, is_feature
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, check_shape
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Verdict, count

KINDS = (Kind.PROPOSAL, Kind.BALLOT, *CLOSING_KINDS)
# A replay of years is heard in pieces: Minutes follow before what waits for them is more than may wait.
HEARD_BETWEEN = 1024


class Governance:
    """Registry object; see ``hear``, ``tick``, ``deadline`` and the commands.

    ``law``: the genesis values of parameters, where they differ from the defaults. ``me``: None to watch.
    ``pace_ms``: how long a leader is given; else from the grace. ``build``: how proposals close; Minutes,
    but in comparisons.
    """

    def __init__(
        self,
        me: AuthorId | None,
        roll: Roll,
        law: Mapping[str, int],
        *,
        is_fleet: bool = False,
        pace_ms: int | None = None,
        build: Callable[[AuthorId | None, Pool, int], Closing] = MinutesClosing,
    ) -> None:
        values = {key: law.get(key, parameter.default) for key, parameter in PARAMETERS.items()}
        self._genesis = Standing(values, {}, is_fleet)
        self._me = me
        self._pool = Pool(roll, is_fleet=is_fleet, cooling_ms=values[VOTING_WINDOW_MS_MIN])
        patience_ms = min(10_000, max(500, values[CLOSING_GRACE_MS])) if pace_ms is None else pace_ms
        self._closing = build(me, self._pool, patience_ms)
        self._strangers = Strangers()
        self._witness = Witness()
        self._overrides = Overrides(is_fleet=is_fleet)
        self._pending: dict[ProposalId, Ballot] = {}
        self._told: dict[ProposalId, Phase] | None = None
        self._wall_ms = self._heard = 0
        self._is_stale = True
        self._has_news = True
        self._settled: tuple[Settled, ...] = ()
        self._force = Force(self._genesis)

    # Hearing and time

    def hear(self, envelope: Admitted, at: Instant) -> tuple[Outcome, ...]:
        """Record an envelope. Idempotent, independent of order, never signs.

        Those of authors who are on no roll yet wait: the Minutes that admit them may come later.
        """
        self._heard += 1
        if self._heard % HEARD_BETWEEN == 0:
            self._closing.settled()
            self._welcome()
        if self._closing.is_known(envelope.author):
            self._record(envelope)
        else:
            self._strangers.wait(envelope)
        return ()

    def _record(self, envelope: Admitted) -> None:
        self._witness.hear(envelope)
        if envelope.kind is Kind.PROPOSAL:
            changed = self._pool.hear_proposal(envelope) is not None
        elif envelope.kind is Kind.BALLOT:
            changed = self._pool.hear_ballot(envelope)
            proposal = envelope.payload.proposal
            if envelope.author == self._me and self._pending.get(proposal) == envelope.payload:
                del self._pending[proposal]
        else:
            changed = self._closing.hear(envelope)
        self._is_stale = self._is_stale or changed
        self._has_news = self._has_news or changed

    def _welcome(self) -> None:
        """Record what waited for its author to be admitted; that may make more Minutes final, and so on."""
        while self._strangers:
            self._closing.settled()
            known = self._strangers.take_known(self._closing.is_known)
            if not known:
                return
            for envelope in known:
                self._record(envelope)

    def recall(self, name: str, body: Value) -> None:
        """Take back an own Keep record after a restart."""
        if name == overrides.NAME:
            self._overrides.recall(body)

    def tick(self, at: Instant, *, synced: bool = True) -> tuple[Outcome, ...]:
        """Sign what is due; tell what became final. ``synced``: enough peers were asked what they hold."""
        outcomes: list[Outcome] = []
        self._welcome()
        self._has_news = False
        if not self.is_halted and not self._genesis.is_fleet:
            outcomes += self._closing.tick(at, synced=synced, grace_ms=self._grace_ms())
            outcomes += self._care(at)
        self._refresh(at.wall_ms)
        return (*outcomes, *self._tell(at.wall_ms))

    def deadline(self) -> int | None:
        """The wall clock (ms) of the next tick that matters; 0 if there is something to do at once."""
        if self._has_news:
            return 0
        moments = [self._closing.deadline_ms(self._grace_ms()), self._force.next_at_ms]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def is_halted(self) -> bool:
        """True if this key was seen signing elsewhere: nothing more is signed until it is rotated."""
        own = any(slot[0] == self._me for slot in self._pool.evidence)
        return own or self._closing.is_double()

    # Commands

    def propose(self, proposal: Proposal, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Ask the roll. Refused with the rule's name if the constitution forbids it."""
        self._refresh(at.wall_ms)
        refusal = self._may_sign() or check_shape(proposal)
        if refusal is not None:
            return refusal
        refusal = check_proposal(proposal, at.wall_ms, self._force.standing)
        if refusal is not None:
            return refusal
        mine = [held for held in self._pool.proposals.values() if held.author == self._me]
        if sum(held.proposal.closes_at_ms > at.wall_ms for held in mine) >= OPEN_PROPOSALS_PER_AUTHOR_MAX:
            return Refused(Reason.TOO_MANY, "three of your proposals are open; wait until one closes")
        return (Emit(Kind.PROPOSAL, replace(proposal, anchor=self._closing.anchor())),)

    def invite(self, candidate: bytes, words: Words, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Ask the roll to admit the holder of ``candidate``; ``words``: title, text, closing time."""
        refusal = may_admit(self.electorate(), candidate)
        return refusal or self.propose(admission(candidate, words), at)

    def leave(self, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Leave the roll with the next Minutes, for good."""
        return self._operate(Operation(Verb.LEAVE), at)

    def rotate(self, successor: bytes, consent: bytes, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Give the own place to another key, which has signed ``consent``."""
        return self._operate(Operation(Verb.ROTATE, successor, consent), at)

    def vouch(self, candidate: bytes, wish: bytes, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Say that the holder of ``candidate``, who signed ``wish``, is a person you know."""
        return self._operate(Operation(Verb.VOUCH, candidate, wish), at)

    def object(self, candidate: bytes, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Ask for a vote before a candidate joins for whom members vouched."""
        return self._operate(Operation(Verb.OBJECT, candidate), at)

    def _operate(self, operation: Operation, at: Instant) -> tuple[Outcome, ...] | Refused:
        self._refresh(at.wall_ms)
        if self._genesis.is_fleet:
            return Refused(Reason.NO_ROLL, "a fleet's machines are its owner's; there is no roll to change")
        refusal = self._may_sign()
        if refusal is None:
            assert self._me is not None
            is_word = operation.verb in (Verb.VOUCH, Verb.OBJECT)
            concerns = AuthorId(operation.successor) if is_word else self._me
            refusal = may_operate(self.electorate(), Signed(self._me, at.wall_ms, operation, concerns))
        return refusal or (Emit(Kind.OPERATION, operation),)

    def _care(self, at: Instant) -> list[Outcome]:
        """What a member signs for the roll's sake: proof against liars, a sign of life."""
        closing = self._closing
        if not isinstance(closing, MinutesClosing) or self._me is None:
            return []
        return care(self._me, closing.electorate(), closing.operations, self._witness, at.wall_ms)

    def vote(self, proposal: ProposalId, choice: Choice, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Cast or change the own ballot, until the proposal closes by the own clock."""
        held = self._pool.proposals.get(proposal)
        if held is None:
            return Refused(Reason.UNKNOWN_PROPOSAL, "this node holds no such proposal")
        self._refresh(at.wall_ms)
        refusal = self._may_sign() or self._pool.refusal(held) or self._may_answer(held)
        if refusal is None and choice is Choice.YES:
            refusal = check_proposal(held.proposal, held.issued_at_ms, self._force.standing)
        if refusal is not None:
            return refusal
        if at.wall_ms > held.proposal.closes_at_ms:
            return Refused(Reason.CLOSED, "voting on this proposal is over")
        if proposal in self._pending:
            return Refused(Reason.TOO_MANY, "the ballot before this one is not written down yet")
        assert self._me is not None
        head = chain_of(self._pool.casts_of(proposal, self._me)).head
        if head is not None and head.choice is choice:
            return Refused(Reason.NOTHING_NEW, f"your ballot says {choice.name.lower()} already")
        sequence = 0 if head is None else head.sequence + 1
        if sequence > BALLOT_SEQUENCE_MAX:
            return Refused(Reason.TOO_MANY, "this ballot was changed too often")
        ballot = Ballot(proposal, choice, sequence, b"" if head is None else head.id)
        self._pending[proposal] = ballot
        return (Emit(Kind.BALLOT, ballot),)

    def set_parameter(self, key: str, value: int, at: Instant) -> tuple[Outcome, ...] | Refused:
        """In a fleet, one owner's machines: set a value for all of them, without a vote."""
        if not self._genesis.is_fleet:
            return Refused(
                Reason.UNCONSTITUTIONAL, "threshold.simple: a community's values change by vote only"
            )
        refusal = self._may_sign() or check_value(key, value, is_fleet=True)
        if refusal is not None:
            return refusal
        kind = ProposalKind.FEATURE if is_feature(key) else ProposalKind.PARAMETER
        setting = Proposal(kind, f"{key} = {value}", "", (Effect(key, value),), Threshold.SIMPLE, at.wall_ms)
        return (Emit(Kind.PROPOSAL, setting),)

    def override(self, key: str, value: int | None) -> tuple[Outcome, ...] | Refused:
        """Decide for this machine alone, whatever the network decided; None follows the network again."""
        return self._overrides.set(key, value)

    def offer(self, held: Mapping[int, Iterable[EnvelopeId]]) -> None:
        """Deltas held of learning windows that are over, by window: what the next Report lists."""
        if isinstance(self._closing, MinutesClosing):
            self._closing.windows.offer(held)

    # Questions

    def agreed_windows(self) -> dict[int, tuple[EnvelopeId, ...]]:
        """S(w) of every window that Minutes closed."""
        if not isinstance(self._closing, MinutesClosing):
            return {}
        return {item.window: item.deltas for item in self._closing.agreed_windows()}

    @property
    def closing(self) -> Closing:
        """How proposals close here, to be asked what is not of one proposal."""
        return self._closing

    def roll(self) -> Roll:
        """Who decides now."""
        return self._closing.roll()

    def electorate(self) -> Electorate:
        """Who decides now, who waits, who is gone."""
        closing = self._closing
        return closing.electorate() if isinstance(closing, MinutesClosing) else Electorate(closing.roll())

    def is_known(self, author: AuthorId) -> bool:
        """Was ``author`` ever on the roll? Its records count where its roll is asked."""
        return self._closing.is_known(author)

    def parameters(self, wall_ms: int | None = None) -> dict[str, int]:
        """What this machine uses: own override, else the network's value, else the default."""
        self._refresh(self._wall_ms if wall_ms is None else wall_ms)
        return {**self._force.standing.values, **self._overrides.values}

    def network_parameters(self, wall_ms: int | None = None) -> dict[str, int]:
        """What the network decided, without the own overrides: for everything that all must share."""
        self._refresh(self._wall_ms if wall_ms is None else wall_ms)
        return dict(self._force.standing.values)

    def rules(self) -> dict[str, int]:
        """Bounds that amendments moved, by rule key."""
        return dict(self._force.standing.rules)

    def overrides(self) -> dict[str, int]:
        """The own choices."""
        return dict(self._overrides.values)

    def proposals(self) -> tuple[Decision, ...]:
        """Every held proposal, by closing time."""
        order = sorted(self._pool.proposals.values(), key=lambda held: (held.proposal.closes_at_ms, held.id))
        return tuple(self._decision(held) for held in order)

    def decision(self, proposal: ProposalId) -> Decision | Refused:
        """One proposal and where it stands."""
        held = self._pool.proposals.get(proposal)
        if held is None:
            return Refused(Reason.UNKNOWN_PROPOSAL, "this node holds no such proposal")
        return self._decision(held)

    def evidence(self) -> tuple[Evidence, ...]:
        """Proofs of equivocation, by author and record."""
        return tuple(self._pool.evidence[slot] for slot in sorted(self._pool.evidence))

    def export(self, genesis: bytes, envelopes: Iterable[Admitted]) -> bytes:
        """The election file of everything final here; ``envelopes``: what the node's stores hold."""
        assert isinstance(self._closing, MinutesClosing), "only Minutes have certificates"
        return export(genesis, envelopes, certificates(self._closing))

    def verify(self) -> tuple[Verification, ...]:
        """Every outcome recomputed from the records held here, explained."""
        found = [(decision, *self._closing.explain(decision.id)) for decision in self.proposals()]
        return tuple(
            Verification(view.id, view.proposal.title, holds, (*lines, view.words))
            for view, holds, lines in found
        )

    # Inside

    def _may_sign(self) -> Refused | None:
        roll = self._closing.roll()
        if not roll.size:
            return Refused(Reason.NO_ROLL, "this network has no members who could decide")
        if self._me is None or self._me not in roll:
            return Refused(Reason.NOT_A_MEMBER, "only members of the roll propose and vote")
        if self.is_halted:
            why = "this key has signed on another machine too; ask to be admitted with a new one"
            return Refused(Reason.EQUIVOCATION, why)
        return None

    def _may_answer(self, held: Held) -> Refused | None:
        roll = self._pool.roll_at(held.proposal.anchor)
        if roll is None or self._me is None or self._me not in roll:
            return Refused(Reason.NOT_A_MEMBER, "this was asked before you were on the roll")
        if self._closing.is_stale(held.proposal.anchor, held.issued_at_ms):
            return Refused(Reason.RETIRED, "it asks an old roll although a newer one was long final")
        return None

    def _grace_ms(self) -> int:
        return self._force.standing.values[CLOSING_GRACE_MS]

    def _refresh(self, wall_ms: int) -> None:
        self._welcome()
        next_at_ms = self._force.next_at_ms
        self._wall_ms = max(self._wall_ms, wall_ms)
        if self._is_stale or (next_at_ms is not None and self._wall_ms >= next_at_ms):
            held, is_fleet = self._pool.proposals, self._genesis.is_fleet
            self._settled = by_owner(held.values()) if is_fleet else tuple(self._closing.settled())
            self._force = fold(self._genesis, self._settled, held, self._wall_ms)
            self._is_stale = False

    def _tell(self, wall_ms: int) -> list[Outcome]:
        """What became final since the last tick; at the first tick after a start everything is old."""
        phases = {item.proposal: self._phase(item.proposal, wall_ms) for item in self._settled}
        told, self._told = self._told, phases
        if told is None:
            return []
        changed = [item for item in sorted(phases) if told.get(item) is not phases[item]]
        return [Tell("decision_final", self._decision(self._pool.proposals[item]).facts) for item in changed]

    def _phase(self, identifier: ProposalId, wall_ms: int) -> Phase:
        steps = self._force.steps.get(identifier)
        held = self._pool.proposals[identifier]
        if steps is not None:
            return phase_after((Step.DEADLINE, *steps))
        if wall_ms <= held.proposal.closes_at_ms:
            return Phase.OPEN
        is_lost = self._closing.is_unresolved(identifier, wall_ms)
        return phase_after((Step.DEADLINE, Step.GIVE_UP) if is_lost else (Step.DEADLINE,))

    def _decision(self, held: Held) -> Decision:
        self._refresh(self._wall_ms)
        final = next((item for item in self._settled if item.proposal == held.id), None)
        casts = tuple(self._pool.casts(held.id))
        roll = self._pool.roll_at(held.proposal.anchor) or self._closing.roll()
        tally = final.tally if final is not None else count(held.proposal, roll, casts)
        own = None if self._me is None else chain_of(self._pool.casts_of(held.id, self._me)).head
        is_passed = final is not None and tally.verdict is Verdict.PASSED
        keys = [effect.key for effect in held.proposal.effects] if is_passed else []
        return Decision(
            held,
            self._phase(held.id, self._wall_ms),
            final is not None,
            tally,
            None if own is None else own.choice,
            self._force.refusals.get(held.id) or self._pool.refusal(held),
            self._force.starts_at_ms.get(held.id),
            tuple(key for key in keys if key in self._overrides.values),
        )
