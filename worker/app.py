"""The Celery application: every setting is here, each with the loss or the double send that it prevents.

Redis carries hints only (a batch id), so whatever Redis loses or repeats is harmless; these settings make it
rare and quick to mend.
"""

from __future__ import annotations

from celery import Celery

from worker.settings import Timers
from worker.states import Lane

SEND_BATCH = "bulksend.send_batch"


def queue_of(provider: str, lane: Lane) -> str:
    """Return the name of a queue: a slow provider never stands before another, nor bulk before urgent."""
    return f"sms.{provider}" if lane is Lane.BULK else f"sms.{provider}.{lane.value}"


def make_app(broker: str, timers: Timers) -> Celery:
    """Make the application for a broker, whose address was checked before; connects to nothing yet."""
    app = Celery("bulksend", broker=broker, set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "visibility_timeout": timers.visibility,
            "unacked_restore_interval": 5,  # seconds; the default takes about 100 to mend a killed worker
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 30,
            "global_keyprefix": "bulksend:",
            "socket_timeout": 15,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever
        broker_pool_acquire_timeout=30,
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,  # a killed child's hint comes back; the lease makes a repetition harmless
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a hint is taken when a child is free for it
        worker_eta_task_limit=200,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # it would kill requests under way
        worker_soft_shutdown_timeout=timers.soft_shutdown,
        worker_max_tasks_per_child=2000,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        task_serializer="json",
        accept_content=["json"],
        task_create_missing_queues=True,  # publish with queue= only: a named exchange drops in silence
        enable_utc=True,
        timezone="UTC",
    )
    return app
