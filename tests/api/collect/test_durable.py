"""What was answered 200 is there after a kill; what does not fit is refused at once, and nothing is lost in silence."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.api.collect.conftest import Running, start
from tests.api.collect.test_collect import track


@pytest.mark.long
def test_killed_after_the_commit_a_retried_batch_is_there_once(tmp_path: Path) -> None:
    """It is there, unanswered; the retry is the same event again. (Killed before it: `make soak`.)"""
    batch = {"batch": [track() for _ in range(20)]}
    running = start(tmp_path, failpoint="collect.after_commit")
    with pytest.raises(httpx.TransportError):
        running.post("batch", batch)
    running.process.wait(300)
    running = start(tmp_path)
    ids = [f"shop/{one['messageId']}" for one in batch["batch"]]
    found = [event["id"] for event in running.ask("inbox")]
    assert found == ids
    assert running.post("batch", batch).json() == {"success": True}
    assert sorted(row["event_id"] for row in running.ask("timeline")) == sorted(ids)
    running.close()


@pytest.mark.long
def test_nothing_that_was_answered_is_lost_to_a_kill(tmp_path: Path) -> None:
    running = start(tmp_path)
    answered: list[str] = []

    def send() -> None:
        while True:
            batch = [track() for _ in range(7)]
            try:
                answer = running.post("batch", {"batch": batch})
            except httpx.TransportError:
                return
            assert answer.status_code == 200
            answered.extend(f"shop/{one['messageId']}" for one in batch)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    while len(answered) < 100:
        time.sleep(0.01)
    running.kill()
    for sender in senders:
        sender.join()
    running = start(tmp_path)
    assert set(answered) <= {event["id"] for event in running.ask("inbox")}
    running.close()


@pytest.mark.long
def test_a_full_queue_refuses_at_once_and_keeps_what_it_took(tmp_path: Path) -> None:
    running = start(tmp_path, most=50, waiting=60)
    running.post("track", track())  # the writer knows its keys
    running.ask("hold_lock", held=True)
    answers: dict[int, list[str]] = {200: [], 429: []}

    def send() -> None:
        batch = [track() for _ in range(20)]
        answer = running.post("batch", {"batch": batch})
        answers[answer.status_code] += [one["messageId"] for one in batch]
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["code"] == "busy"

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + 300
    while len(answers[429]) < 80:
        assert time.monotonic() < deadline, answers
        time.sleep(0.01)
    assert not answers[200], "answered before it was durable"
    running.ask("hold_lock", held=False)
    for sender in senders:
        sender.join()
    assert len(answers[200]) == 40
    found = {event["id"].removeprefix("shop/") for event in running.ask("inbox")}
    assert set(answers[200]) <= found
    assert not set(answers[429]) & found
    assert running.post("batch", {"batch": [track() for _ in range(20)]}).status_code == 200
    until(running, 429)  # the pump is so far behind: 61 events wait
    assert len(running.ask("timeline")) == 61
    until(running, 200)
    running.close()


def until(running: Running, status: int) -> None:
    """Ask with nothing to take until the door answers so: it looks once a second how far the pump has come."""
    deadline = time.monotonic() + 300
    while running.post("track", track("No Such Event")).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.02)
