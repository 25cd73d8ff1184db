"""An agent for fault tests: emits from several threads and prints the id of each event once `emit` has returned.

Usage: emitter.py EVENTS THREADS. DATABASE_URL and COPYDESK_JOURNAL say where.
"""

from __future__ import annotations

import os
import sys
import threading

from capture import configure, emit, flush
from capture.vocabulary import MemoryLearned


def main(events: int, threads: int) -> int:
    """Emit and flush; 0 when all is committed."""
    configure(agent_id=f"emitter-{os.getpid()}")

    def work(thread: int) -> None:
        for number in range(thread, events, threads):
            event_id = emit(MemoryLearned(key=f"{thread}", value=number, kind="fact"))
            os.write(1, f"{event_id} {thread} {number}\n".encode())

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 0 if flush(60) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
