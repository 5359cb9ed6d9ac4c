"""The simulation of a run's scheduler: what it must give where the answer is known."""

import pytest

from benchmarks.scheduling import DEVICES, Scenario, Simulation, shards_of, simulate


class NoFaultsAtAll:
    """Random numbers of a run without a straggler, whose devices fail at these times."""

    def __init__(self, *faults: float) -> None:
        self.faults = list(faults)

    def random(self) -> float:
        return 1.0

    def expovariate(self, rate: float) -> float:
        return self.faults.pop(0) if self.faults else float("inf")


@pytest.mark.parametrize(
    ("shards", "devices", "before", "after", "seconds"),
    [
        (10, 1, 0.0, 0.0, 1000.0),
        (10, 5, 0.0, 0.0, 200.0),
        (10, 10, 1.0, 0.0, 110.0),  # the last device waits until the flow has loaded ten shards
        (10, 1, 1.0, 2.0, 1003.0),  # loading and judging go on beside the device
        (10, 100, 100.0, 50.0, 1500.0),  # the flow is what takes long
    ],
)
def test_run_without_faults_takes_what_can_be_told_without_a_simulation(shards, devices, before, after, seconds):
    outcome = Simulation(Scenario(shards, 100.0, before, after, devices, False), NoFaultsAtAll()).run()
    assert (outcome.seconds, outcome.busy, outcome.lost) == (seconds, 100.0 * shards, 0.0)


def test_work_of_a_worker_that_dies_is_lost_and_done_again():
    died = NoFaultsAtAll(40.0, 90.0)  # the death comes first, and the next draws are infinite
    outcome = Simulation(Scenario(1, 100.0, 0.0, 0.0, 1, True), died).run()
    assert (outcome.lost, outcome.retries, outcome.failed) == (40.0, 1, 0)
    assert outcome.seconds == 40.0 + 15.0 + 100.0  # the worker restarts


def test_shard_is_given_up_after_its_last_retry():
    outcome = Simulation(Scenario(1, 100.0, 0.0, 0.0, 1, True), NoFaultsAtAll(*[10.0] * 14)).run()
    assert (outcome.retries, outcome.failed, outcome.busy) == (6, 1, 0.0)


def test_more_devices_take_less_time_and_there_are_at_most_a_thousand_shards():
    hours = {(line["devices"], line["faults"]): line["hours"] for line in simulate(10**6, 3_000, 0.1, 1e-4, 1)}
    assert [hours[devices, False] for devices in DEVICES] == sorted((hours[d, False] for d in DEVICES), reverse=True)
    assert all(hours[devices, True] >= hours[devices, False] for devices in DEVICES)
    assert (shards_of(500_000), shards_of(1_000), shards_of(0.2)) == (977, 1_000, 1)
