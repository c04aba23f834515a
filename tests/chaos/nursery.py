"""`python -m tests.chaos.nursery`: workers by the dozen. It loads Quittance once and forks: a line 'worker', 'sender' or 'beat' on
its input becomes a process of that kind, and its number a line on its output. They end with it.
"""

from __future__ import annotations

import os
import signal
import sys

import django

from tests.postgres import die_with_the_parent

OPTIONS = ["--pool", "threads", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]


def become(kind: str) -> None:
    from config.celery import SEND, app

    number = os.getpid()
    if kind == "beat":
        app.Beat(schedule=f"{os.environ['CHAOS_FOLDER']}/beat-{number}", loglevel="WARNING").run()
    elif kind == "sender":
        app.worker_main(["worker", "--queues", ",".join(SEND), "--concurrency", "4", "--hostname", f"sender-{number}@chaos", *OPTIONS])
    else:
        app.worker_main(["worker", "--queues", "issue", "--concurrency", "2", "--hostname", f"worker-{number}@chaos", *OPTIONS])


def main() -> None:
    django.setup()
    from config.celery import app

    app.loader.import_default_modules()
    import notifications.courier
    import notifications.tasks  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who are killed
    for line in sys.stdin:
        number = os.fork()
        if number == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_the_parent(signal.SIGKILL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(2, 1)
            try:
                become(line.strip())
            finally:
                os._exit(0)
        print(number, flush=True)


if __name__ == "__main__":
    main()
