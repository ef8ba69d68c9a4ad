"""The causal graph: kinds of events as nodes, links as arrows; paths, cycles and importance on flat lists.

Refuses to grow without bound, and to learn: links come from ``relations``, mechanisms from the catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luminous.crypto.digest import digest
from luminous.protocol.codec import Value

# Kinds of events. Stops a program with ever new names from filling the graph.
NODES_MAX = 10_000
PATH_LENGTH_MAX = 5
PATHS_MAX = 64
CYCLES_MAX = 64
NAME_SIZE_MAX = 160


def node_id(name: str) -> str:
    """The stable public id of a kind of event: two nodes agree on it without talking."""
    return digest("cause", name.encode())[:8].hex()


@dataclass(slots=True)
class Names:
    """Kinds of events by index. ``refused`` counts those that came when the table was full."""

    names: list[str] = field(default_factory=list)
    refused: int = 0
    _index: dict[str, int] = field(default_factory=dict)

    def intern(self, name: str) -> int | None:
        """The index of ``name``, made if new; None when the table is full."""
        name = name[:NAME_SIZE_MAX]
        index = self._index.get(name)
        if index is None:
            if len(self.names) >= NODES_MAX:
                self.refused += 1
                return None
            index = self._index[name] = len(self.names)
            self.names.append(name)
        return index

    def find(self, name: str) -> int | None:
        """The index of ``name`` if it was ever seen."""
        return self._index.get(name[:NAME_SIZE_MAX])

    def __len__(self) -> int:
        return len(self.names)


class Graph:
    """Arrows between node indices, each with a label (the relation)."""

    def __init__(self) -> None:
        self._out: dict[int, dict[int, str]] = {}
        self._in: dict[int, dict[int, str]] = {}

    def add_edge(self, source: int, target: int, label: str) -> None:
        """Draw an arrow; a second one between the same two replaces the first."""
        self._out.setdefault(source, {})[target] = label
        self._in.setdefault(target, {})[source] = label

    def parents(self, node: int) -> dict[int, str]:
        """Arrows into ``node``: source to label."""
        return self._in.get(node, {})

    def children(self, node: int) -> dict[int, str]:
        """Arrows out of ``node``: target to label."""
        return self._out.get(node, {})

    def nodes(self) -> list[int]:
        """Every node with an arrow, in order."""
        return sorted({**self._out, **self._in})

    def edge_count(self) -> int:
        """How many arrows there are."""
        return sum(len(row) for row in self._out.values())

    def find_paths(
        self, source: int, target: int, length_max: int = PATH_LENGTH_MAX
    ) -> list[tuple[int, ...]]:
        """Simple paths from ``source`` to ``target`` with at most ``length_max`` arrows, shortest first."""
        found: list[tuple[int, ...]] = []
        reach = self._distances_to(target, length_max)
        stack: list[tuple[int, ...]] = [(source,)]
        while stack and len(found) < PATHS_MAX:
            path = stack.pop()
            if path[-1] == target and len(path) > 1:
                found.append(path)
                continue
            for child in sorted(self.children(path[-1]), reverse=True):
                left = length_max - len(path)
                if child not in path and reach.get(child, length_max + 1) <= left:
                    stack.append((*path, child))
        return sorted(found, key=lambda path: (len(path), path))

    def _distances_to(self, target: int, length_max: int) -> dict[int, int]:
        distances, edge = {target: 0}, [target]
        for distance in range(1, length_max + 1):
            edge = [
                parent for node in edge for parent in sorted(self.parents(node)) if parent not in distances
            ]
            distances.update(dict.fromkeys(edge, distance))
        return distances

    def find_cycles(self) -> list[tuple[int, ...]]:
        """The strongly connected groups of more than one node, each as a sorted tuple (Tarjan 1972)."""
        order: dict[int, int] = {}
        low: dict[int, int] = {}
        held: dict[int, None] = {}
        stack: list[int] = []
        found: list[tuple[int, ...]] = []
        for root in self.nodes():
            work = [(root, iter(sorted(self.children(root))))] if root not in order else []
            if work:
                order[root] = low[root] = len(order)
                stack.append(root)
                held[root] = None
            while work:
                node, children = work[-1]
                child = next(children, None)
                if child is None:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[node])
                    if low[node] == order[node]:
                        group: list[int] = []
                        while not group or group[-1] != node:
                            group.append(stack.pop())
                            del held[group[-1]]
                        if len(group) > 1 and len(found) < CYCLES_MAX:
                            found.append(tuple(sorted(group)))
                elif child not in order:
                    order[child] = low[child] = len(order)
                    stack.append(child)
                    held[child] = None
                    work.append((child, iter(sorted(self.children(child)))))
                elif child in held:
                    low[node] = min(low[node], order[child])
        return sorted(found)

    def importance(self) -> dict[int, int]:
        """How many kinds of events each node can lead to."""
        reached: dict[int, int] = {}
        for node in self.nodes():
            seen, edge = {node: None}, [node]
            while edge:
                edge = [child for at in edge for child in self.children(at) if child not in seen]
                seen.update(dict.fromkeys(edge))
            reached[node] = len(seen) - 1
        return reached


def edges_view(graph: Graph, names: Mapping[int, str], limit: int = 200) -> list[Value]:
    """Arrows for people: source, target and relation by name."""
    found: list[Value] = []
    for source in graph.nodes():
        for target, label in sorted(graph.children(source).items()):
            if len(found) < limit:
                edge: dict[str, Value] = {"from": names[source], "to": names[target], "relation": label}
                found.append(edge)
    return found
