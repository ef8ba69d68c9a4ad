"""The delivery bench at a small size: everything arrives, and a loss would be seen."""

import trio

from luminous.simulations import bench_delivery
from luminous.simulations.bench_delivery import Delivery


def test_a_small_burst_arrives_whole() -> None:
    found = trio.run(bench_delivery.burst, 5, 20, 2)
    assert found.is_complete and found.expected == 20 * 4 and 0 < found.delay_ms_p50 <= found.delay_ms_p99


def test_a_rate_with_one_loss_is_not_called_sustained(monkeypatch) -> None:
    def measure(what: str, per_s: float) -> dict[str, float]:
        lost = per_s >= 50
        return {"delivered": 99 if lost else 100, "expected": 100, "delay_ms_p99": 1.0}

    monkeypatch.setattr(bench_delivery, "measure", measure)
    assert bench_delivery.sustained((25, 50, 100))["sustained_per_s"] == 25
    assert not Delivery(2, 1, 0, 1, 0.0, 0.0, 0.0, 0.0).is_complete
