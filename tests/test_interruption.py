"""SIGINT and SIGTERM in a command's process: when they are handled, and how often."""

import os
import signal
import time
from contextlib import suppress

import pytest

from flows.server.interruption import SIGNALS, Interruption


@pytest.fixture
def ended():
    """The numbers of the signals that have ended the process, or would have."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield []
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def interruption(ended):
    made = Interruption()
    made.on_signal(ended.append)
    return made


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("interruption")
def test_only_the_first_signal_counts(number, ended):
    for each in (number, *SIGNALS):
        os.kill(os.getpid(), each)
    assert ended == [number]


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_waits_for_a_flow_run_that_is_being_created(number, interruption, ended):
    with interruption.creating_flow_run():
        os.kill(os.getpid(), number)
        assert ended == []
        interruption.entered()
        assert ended == [number]
    assert ended == [number]


def test_signal_is_handled_if_no_flow_run_is_entered(interruption, ended):
    with suppress(OSError), interruption.creating_flow_run():
        os.kill(os.getpid(), signal.SIGTERM)
        raise OSError("the server refuses the connection")
    assert ended == [signal.SIGTERM]


def test_signal_does_not_wait_for_ever(ended):
    interruption = Interruption(create_timeout=0.05)
    interruption.on_signal(ended.append)
    with interruption.creating_flow_run():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        assert ended == [signal.SIGINT]


def test_flow_that_is_entered_takes_sigterm_over_from_prefect(interruption, ended):
    """Prefect would wait for the tasks that are running."""
    by_prefect = []
    signal.signal(signal.SIGTERM, lambda number, frame: by_prefect.append(number))
    interruption.entered()
    os.kill(os.getpid(), signal.SIGTERM)
    assert (ended, by_prefect) == ([signal.SIGTERM], [])
