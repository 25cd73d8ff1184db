"""The read tables of agents' state, a file each, named as its table."""

from __future__ import annotations

from projections.agents.memory import Memory
from projections.agents.social_posts import SocialPosts

__all__ = ["Memory", "SocialPosts"]
