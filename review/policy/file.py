"""Which policy is in force."""

from __future__ import annotations

from capture import BadSetting, Settings
from review.policy.rules import Policy


def in_force(settings: Settings) -> Policy:
    """The policy in force: without a policy file, everything waits for one person.

    Raises:
        BadSetting: There is a policy file. This version reads none, and a rule that is not read must not look kept.
    """
    if settings.policy.exists():
        raise BadSetting(
            f"there is a policy file, {settings.policy}, and this version of copydesk reads none: every output waits "
            "for one person",
            hint="move the file away, or pass ReviewDesk a Policy",
        )
    return Policy()
