"""Posting: Celery's own way, an application of its own whose one task has a ``rate_limit``."""

from __future__ import annotations

import os

import requests
from celery import Celery

URL = os.environ.get("_BENCH_URL", "")
RATE = os.environ.get("_BENCH_RATE", "1/s")
BODY = '{"to": "4520304050", "message": "Hello", "from": "ACME"}'

app = Celery("posting", broker=os.environ.get("_BENCH_BROKER"))
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
if "_BENCH_PREFETCH" in os.environ:
    app.conf.worker_prefetch_multiplier = int(os.environ["_BENCH_PREFETCH"])
_session = requests.Session()
_session.trust_env = False


@app.task(name="post", rate_limit=RATE)
def post() -> None:
    """Make one request."""
    _session.post(f"{URL}/1", data=BODY, timeout=10).raise_for_status()
