"""Read tables of two modules: worked examples for module authors."""

from __future__ import annotations

from projections.modules.activity import ActivityRuns
from projections.modules.engagement import EngagementDaily

__all__ = ["ActivityRuns", "EngagementDaily"]
