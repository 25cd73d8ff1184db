"""The read tables of agents' state, a file each, named as its table."""

from __future__ import annotations

from projections.agents.actions import Actions
from projections.agents.awakening import Awakening
from projections.agents.breadcrumbs import Breadcrumbs
from projections.agents.contracts import Contracts
from projections.agents.coordination import Coordination
from projections.agents.errors import Errors
from projections.agents.memory import Memory
from projections.agents.patterns import Patterns
from projections.agents.signals import Signals
from projections.agents.skills import Skills
from projections.agents.social_posts import SocialPosts
from projections.agents.tasks import Tasks
from projections.agents.transactions import Transactions

__all__ = [
    "Actions",
    "Awakening",
    "Breadcrumbs",
    "Contracts",
    "Coordination",
    "Errors",
    "Memory",
    "Patterns",
    "Signals",
    "Skills",
    "SocialPosts",
    "Tasks",
    "Transactions",
]
