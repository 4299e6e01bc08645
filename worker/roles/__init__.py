"""The processes of one machine and the supervisor that runs them."""

from worker.roles.child import Role
from worker.roles.parent import die_with_parent
from worker.roles.supervisor import Supervisor

__all__ = ["Role", "Supervisor", "die_with_parent"]
