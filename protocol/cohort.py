"""Secure aggregation in a cohort: the exact sum of members' vectors, and nothing else, with no server.

Refuses to give both shares of one peer (its mask key if it dropped out, its own seed if it survived, never
the two), to answer for two different sets of survivors, and to guess when too few are left. The rounds are
pure functions over values; no message of theirs is on the wire yet, and ENCRYPTED is still refused.

What it does not hide: who took part. What it does not stop: a member whose vector is too long (that needs
proofs of norm), and a majority of a cohort that pools its shares.

Source: Bonawitz et al. 2017; the sparse graph is Bell et al., "Secure single-server aggregation with
(poly)logarithmic overhead", 2020.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luminous.crypto.digest import digest
from luminous.crypto.entropy import Entropy
from luminous.crypto.masking import add, derive_pair_key, mask, public_of, sign_of, unmask
from luminous.crypto.secret_sharing import SHARE_SIZE_BYTES, Sharing, commit, recover, split
from luminous.protocol.identifiers import AuthorId

CLIQUE_MAX = 32  # up to here everybody is everybody's neighbour
DEGREE = 20
COHORT_MIN = 3

Graph = Mapping[AuthorId, tuple[AuthorId, ...]]


def build_graph(members: Sequence[AuthorId], beacon: bytes) -> dict[AuthorId, tuple[AuthorId, ...]]:
    """Each member's neighbours: all others in a small cohort, else the union of ten rings in orders drawn
    from the beacon (about twenty neighbours). Drawn, not by position: a ring of positions falls to a few
    neighbours who leave together."""
    order = sorted(members)
    if len(order) <= CLIQUE_MAX:
        return {m: tuple(other for other in order if other != m) for m in order}
    edges: dict[AuthorId, dict[AuthorId, None]] = {member: {} for member in order}
    for ring in range(DEGREE // 2):
        places = {member: digest("cohort-ring", beacon, bytes([ring]), member) for member in order}
        drawn = sorted(order, key=places.__getitem__)
        for left, right in zip(drawn, [*drawn[1:], drawn[0]], strict=True):
            edges[left][right] = edges[right][left] = None
    return {member: tuple(sorted(neighbours)) for member, neighbours in edges.items()}


def compute_threshold(neighbours: int) -> int:
    """Shares that reveal a secret: two thirds in a clique, so that no two sets of survivors can both
    succeed; a majority of a drawn neighbourhood."""
    return -(-2 * neighbours // 3) if neighbours < CLIQUE_MAX else neighbours // 2 + 1


@dataclass(frozen=True, slots=True)
class Dealing:
    """What one member tells its neighbours: sealed shares by neighbour, commitments for all.

    ``key`` shares its mask key, ``seed`` its own seed; the shares themselves are not in the two records.
    """

    author: AuthorId
    boxes: Mapping[AuthorId, bytes]
    key: Sharing
    seed: Sharing


@dataclass(frozen=True, slots=True)
class Reveal:
    """One member's answer for one set of survivors: a seed share of each neighbour that survived, a key
    share of each that did not."""

    author: AuthorId
    survivors: tuple[AuthorId, ...]
    seed_shares: Mapping[AuthorId, bytes]
    key_shares: Mapping[AuthorId, bytes]


class Member:
    """One member's side of one window. All keys are drawn for this window and die with it."""

    def __init__(self, author: AuthorId, graph: Graph, context: bytes, entropy: Entropy) -> None:
        self.author, self._graph, self._context, self._entropy = author, graph, context, entropy
        self._neighbours = graph[author]
        self._private, self._seed = entropy.take(32), entropy.take(32)
        self.public = public_of(self._private)
        self._publics: dict[AuthorId, bytes] = {}
        self._held: dict[AuthorId, tuple[bytes, bytes]] = {}
        self._reveal: Reveal | None = None

    def deal(self, publics: Mapping[AuthorId, bytes]) -> Dealing:
        """Share key and seed among the neighbours, each share sealed for its holder."""
        self._publics = dict(publics)
        count = len(self._neighbours)
        key = split(self._entropy, self._private, compute_threshold(count), count)
        seed = split(self._entropy, self._seed, compute_threshold(count), count)
        boxes = {
            holder: self._seal(holder, key.shares[place] + seed.shares[place])
            for place, holder in enumerate(self._neighbours)
        }
        return Dealing(self.author, boxes, _without_shares(key), _without_shares(seed))

    def _seal(self, peer: AuthorId, plain: bytes) -> bytes:
        """XOR with a key stream that serves this one box; the commitments authenticate what is inside."""
        key = derive_pair_key(self._private, self.public, self._publics[peer], self._context + b"box")
        pad = digest("box", key, self.author, peer) + digest("box2", key, self.author, peer)
        pad += digest("box3", key, self.author, peer)
        return bytes(a ^ b for a, b in zip(plain, pad, strict=False))

    def _open(self, dealing: Dealing) -> bytes:
        key = derive_pair_key(
            self._private, self.public, self._publics[dealing.author], self._context + b"box"
        )
        pad = b"".join(digest(name, key, dealing.author, self.author) for name in ("box", "box2", "box3"))
        return bytes(a ^ b for a, b in zip(dealing.boxes[self.author], pad, strict=False))

    def accept(self, dealing: Dealing) -> bool:
        """Hold a neighbour's shares. False if a share does not open its commitment: it counts as absent."""
        place = self._graph[dealing.author].index(self.author) + 1
        plain = self._open(dealing)
        key, seed = plain[:SHARE_SIZE_BYTES], plain[SHARE_SIZE_BYTES:]
        opens = commit(place, key) == dealing.key.commitments[place - 1]
        if not opens or commit(place, seed) != dealing.seed.commitments[place - 1]:
            return False
        self._held[dealing.author] = (key, seed)
        return True

    def contribute(self, values: Sequence[int], dealers: Sequence[AuthorId]) -> bytes:
        """``values`` under the own seed's mask and one mask for each neighbour in ``dealers``."""
        keys = [(self._seed, 1)]
        for peer in self._neighbours:
            if peer in dealers:
                public = self._publics[peer]
                pair = derive_pair_key(self._private, self.public, public, self._context)
                keys.append((pair, sign_of(self.public, public)))
        return mask(values, keys)

    def reveal(self, survivors: Sequence[AuthorId]) -> Reveal | None:
        """The shares that unmask the sum over ``survivors``. Answers once; None for any other set."""
        chosen = tuple(sorted(survivors))
        if self._reveal is None:
            seeds = {p: held[1] for p, held in sorted(self._held.items()) if p in chosen}
            keys = {p: held[0] for p, held in sorted(self._held.items()) if p not in chosen}
            self._reveal = Reveal(self.author, chosen, seeds, keys)
        return self._reveal if self._reveal.survivors == chosen else None


def _without_shares(sharing: Sharing) -> Sharing:
    return Sharing(sharing.threshold, (), sharing.commitments, sharing.secret_mark)


def finish(
    masked: Mapping[AuthorId, bytes],
    dealings: Mapping[AuthorId, Dealing],
    publics: Mapping[AuthorId, bytes],
    reveals: Sequence[Reveal],
    graph: Graph,
    context: bytes,
) -> tuple[int, ...] | None:
    """The exact sum over the authors of ``masked``, or None: too few left, or a secret that cannot be
    recovered. Anybody can compute it and everybody gets the same."""
    survivors = tuple(sorted(masked))
    fitting = [reveal for reveal in reveals if reveal.survivors == survivors]
    if len(survivors) < max(COHORT_MIN, compute_threshold(len(dealings))):
        return None
    keys: list[tuple[bytes, int]] = []
    for author in sorted(dealings):
        is_alive = author in masked
        shares = {
            graph[author].index(reveal.author) + 1: held[author]
            for reveal in fitting
            for held in (reveal.seed_shares if is_alive else reveal.key_shares,)
            if author in held and reveal.author in graph[author]
        }
        sharing = dealings[author].seed if is_alive else dealings[author].key
        secret = recover(shares, sharing.threshold, sharing.commitments, sharing.secret_mark)
        if secret is None:
            return None
        if is_alive:
            keys.append((secret, 1))
            continue
        for peer in graph[author]:  # the masks that survivors shared with who left
            if peer in masked:
                pair = derive_pair_key(secret, publics[author], publics[peer], context)
                keys.append((pair, sign_of(publics[peer], publics[author])))
    return unmask(add([masked[author] for author in survivors]), keys)
