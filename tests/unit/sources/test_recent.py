"""What was seen of late is bounded, and nobody waits for it."""

from __future__ import annotations

from threading import Thread

from capture.sources.recent import Recent


def test_the_oldest_are_forgotten() -> None:
    """Of more than can be kept, the newest are there."""
    recent: Recent[int, int] = Recent(most=3)
    for number in range(10):
        recent.put(number, number * number)
    assert [recent.get(number) for number in (0, 6, 7, 8, 9)] == [None, None, 49, 64, 81]
    assert (recent.take(9), recent.take(9), len(recent)) == (81, None, 2)


def test_many_threads_share_it() -> None:
    """Threads that put and take beside each other neither fail nor let it grow, and what is taken is taken once."""
    recent: Recent[int, int] = Recent(most=50)
    taken: list[int] = []
    failed: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 3000):
                recent.put(number % 200, number)
                if (found := recent.take((number * 7) % 200)) is not None:
                    taken.append(found)
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=work, args=(number * 10_000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(taken) == len(set(taken))
    assert len(recent) <= 50
