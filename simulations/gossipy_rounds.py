"""The task of ``learning_rounds`` in gossipy-dfl, for comparison. Runs in an environment of its own.

``python gossipy_rounds.py TRIALS.npz ROUNDS`` prints one JSON line. TRIALS: ``pair`` and ``worked``, both
(nodes, trials). Refuses to import luminous: that environment holds torch (6 GB) and nothing of ours.

Logistic regression from the pair (one-hot) to whether its fix works: 2 x 32 weights beside our 64 counters;
one pass over a node's outcomes with each model that reaches it; push gossip to a random node. Nothing is
evaluated, torch has one thread and a round has ten time steps: the fastest that its own settings allow.
"""

import json
import logging
import sys
import time

import numpy as np
import torch
from gossipy import LOG
from gossipy.core import AntiEntropyProtocol, CreateModelMode, StaticP2PNetwork
from gossipy.data import DataDispatcher
from gossipy.data.handler import ClassificationDataHandler
from gossipy.model.handler import TorchModelHandler
from gossipy.model.nn import LogisticRegression
from gossipy.node import GossipNode
from gossipy.simul import GossipSimulator, SimulationReport

STEPS = 10


def main() -> None:
    """Read, play, print."""
    LOG.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    np.random.seed(1)
    with np.load(sys.argv[1]) as found:
        pair, worked, pairs = found["pair"], found["worked"], int(found["pairs"])
    nodes, trials = pair.shape
    inputs = torch.nn.functional.one_hot(torch.from_numpy(pair.reshape(-1)), pairs).float()
    handler = ClassificationDataHandler(inputs, torch.from_numpy(worked.reshape(-1)), test_size=0.0)
    dispatcher = DataDispatcher(handler, n=nodes, eval_on_user=False, auto_assign=False)
    dispatcher.set_assignments(
        [list(range(node * trials, (node + 1) * trials)) for node in range(nodes)], None
    )
    model = TorchModelHandler(
        net=LogisticRegression(pairs, 2),
        optimizer=torch.optim.SGD,
        optimizer_params={"lr": 0.1},
        criterion=torch.nn.CrossEntropyLoss(),
        batch_size=trials,
        create_model_mode=CreateModelMode.MERGE_UPDATE,
    )
    members = GossipNode.generate(dispatcher, StaticP2PNetwork(nodes), model, STEPS, True)
    simulator = GossipSimulator(members, dispatcher, STEPS, AntiEntropyProtocol.PUSH)
    report = SimulationReport()
    simulator.add_receiver(report)
    simulator.init_nodes()
    begun_s = time.perf_counter()
    simulator.start(n_rounds=int(sys.argv[2]))
    taken_s = time.perf_counter() - begun_s
    facts = {"node_rounds": report._sent_messages, "seconds": taken_s, "torch": torch.__version__}
    print(json.dumps({**facts, "weights": sum(p.numel() for p in model.model.parameters())}))


if __name__ == "__main__":
    main()
