"""The clock waits for what an import left running, and says so where that never rests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from conftest import WORK

from firstbyte.worker.settling import settle

LONG_SECONDS = 120.0
"""Never waited for: longer than any host takes."""


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_process_at_rest_is_quiet() -> None:
    assert settle(LONG_SECONDS).quiet


def test_it_waits_for_a_thread_that_spins_for_a_while() -> None:
    def spin() -> None:
        while time.thread_time() < 0.1 * WORK:
            pass

    spinner = threading.Thread(target=spin)
    spinner.start()
    stillness = settle(LONG_SECONDS)
    assert stillness.quiet
    assert not spinner.is_alive()


def test_a_thread_that_never_rests_is_said(stop: threading.Event) -> None:
    def work() -> None:
        while not stop.is_set():
            pass

    threading.Thread(target=work).start()
    stillness = settle(0.2)
    assert not stillness.quiet
    assert stillness.waited_ns >= 200_000_000


def test_threads_that_sleep_are_no_work(stop: threading.Event) -> None:
    threading.Thread(target=stop.wait).start()
    assert settle(LONG_SECONDS).quiet
