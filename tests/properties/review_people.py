"""What people, rules and time may ask of an output, and what the model says of it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from review.commands import (
    Approve,
    AutoDecide,
    Claim,
    Edit,
    Expire,
    Open,
    Reject,
    Release,
    RequestChanges,
    Revoke,
    Show,
    Withdraw,
)
from tests.properties.review_model import (
    ACTORS,
    BODIES,
    LEASE,
    LIVE,
    POLICY,
    REASON,
    ROLES,
    SAYS,
    SEEN,
    Says,
    Together,
)


class People(Together):
    """The commands before anything is sent."""

    @rule(says=SAYS)
    def take_up(self, says: Says) -> None:
        model = self.model
        rejected = model.state == "pending" and not model.opened and says.deny
        if self.ask(Open(**self.fields(says)), says, allowed=model.state == "pending"):
            model.open(says)
            if rejected:
                model.decided("rejected")

    @rule(says=SAYS)
    def decide_by_rule(self, says: Says) -> None:
        model, now = self.model, self.story.now
        opening = not model.opened
        persons = model.persons or (opening and (says.mode not in ("auto", "posthoc") or says.finding is not None))
        mode = says.mode if opening else model.mode
        approves = says.by_itself() and not says.paused and not persons and mode in ("auto", "posthoc")
        allowed = (
            model.state == "pending"
            and not model.held_by_another(None, now)
            and (says.deny or (approves and max(model.needed, says.needed) == 1))
        )
        if self.ask(AutoDecide(**self.fields(says)), says, allowed=allowed):
            model.open(says)
            if says.deny:
                model.decided("rejected")
            else:
                model.votes[POLICY] = None
                model.state, model.lease = "approved", None

    @rule(actor=ACTORS, says=SAYS)
    def look(self, actor: str, says: Says) -> None:
        heard, _ = self.first(says)
        allowed = self.model.state == "pending" and "reviewer" in ROLES[actor] and heard
        if self.ask(Show(**self.fields(says, actor)), says, allowed=allowed):
            self.model.open(says)
            self.model.seen_by.add(actor)

    @rule(actor=ACTORS, says=SAYS)
    def claim(self, actor: str, says: Says) -> None:
        model, now = self.model, self.story.now
        heard, _ = self.first(says)
        free = not model.held_by_another(actor, now)
        allowed = model.state == "pending" and "reviewer" in ROLES[actor] and heard and free
        if self.ask(Claim(**self.fields(says, actor)), says, allowed=allowed):
            model.open(says)
            own = model.lease is not None and now < model.lease[2]
            model.leases += not own
            model.lease = (actor, model.leases, now + LEASE)

    @rule(actor=ACTORS, says=SAYS)
    def release(self, actor: str, says: Says) -> None:
        model, now = self.model, self.story.now
        heard, _ = self.first(says)
        own = model.lease is not None and now < model.lease[2] and model.lease[0] == actor
        allowed = model.state == "pending" and "reviewer" in ROLES[actor] and heard and own
        if self.ask(Release(**self.fields(says, actor)), says, allowed=allowed):
            model.open(says)
            model.lease = None

    @rule(actor=ACTORS, seen=SEEN, says=SAYS, late=st.booleans(), spite=st.sampled_from([None, None, "o0"]))
    def approve(self, actor: str, seen: bool, says: Says, late: bool, spite: str | None) -> None:
        model, now = self.model, self.story.now
        heard, needed = self.first(says)
        live = model.lease is not None and now < model.lease[2]
        generation = model.leases if late else None
        overridden = says.finding == "DUPLICATE" and (spite == "o0" or "o0" in model.votes.values())
        allowed = (
            model.state == "pending"
            and "reviewer" in ROLES[actor]
            and heard
            and seen
            and not model.held_by_another(actor, now)
            and (generation is None or live)
            and actor not in model.votes
            and not (needed >= 2 and actor in model.authors)
            and not says.deny
            and (says.finding is None or overridden)
        )
        command = Approve(
            **self.fields(says, actor, content_hash=self.seen(seen), generation=generation),
            overrides_duplicate=spite,
            note=spite and "once more",
        )
        if self.ask(command, says, allowed=allowed):
            model.open(says)
            model.needed, model.persons, model.lease = needed, True, None
            model.votes[actor] = spite
            if len(model.votes) >= needed:
                model.state = "approved"

    @rule(actor=ACTORS, seen=SEEN, body=BODIES, says=SAYS)
    def edit(self, actor: str, seen: bool, body: str, says: Says) -> None:
        model = self.model
        heard, _ = self.first(says)
        allowed = (
            model.state in ("pending", "approved", "publish_failed")
            and "reviewer" in ROLES[actor]
            and heard
            and seen
            and not model.held_by_another(actor, self.story.now)
        )
        command = Edit(**self.fields(says, actor, content_hash=self.seen(seen)), body=body)
        if self.ask(command, says, allowed=allowed):
            model.open(says)
            model.new_text(body, model.authors | {actor})
            model.persons = True

    @rule(actor=ACTORS, seen=SEEN, says=SAYS, changes=st.booleans(), reason=st.sampled_from([REASON, REASON, {}]))
    def turn_down(self, actor: str, seen: bool, says: Says, changes: bool, reason: dict[str, str]) -> None:
        model = self.model
        heard, _ = self.first(says)
        allowed = (
            model.state == "pending"
            and "reviewer" in ROLES[actor]
            and heard
            and seen
            and not model.held_by_another(actor, self.story.now)
            and bool(reason)
        )
        kind = RequestChanges if changes else Reject
        command = kind(**self.fields(says, actor, content_hash=self.seen(seen), **reason))
        if self.ask(command, says, allowed=allowed):
            model.open(says)
            model.persons = model.persons or changes
            model.decided("changes_requested" if changes else "rejected")

    @rule(actor=ACTORS, says=SAYS)
    def revoke(self, actor: str, says: Says) -> None:
        allowed = self.model.state == "approved" and "reviewer" in ROLES[actor]
        if self.ask(Revoke(**self.fields(says, actor)), says, allowed=allowed):
            self.model.decided("pending")
            self.model.persons = True

    @rule(says=SAYS)
    def expire(self, says: Says) -> None:
        heard, _ = self.first(says)
        over = self.model.over(self.story.now, self.end_of(says))
        if self.ask(Expire(**self.fields(says)), says, allowed=self.model.state in LIVE and heard and over):
            self.model.open(says)
            self.model.decided("expired")

    @rule(actor=ACTORS, says=SAYS, note=st.sampled_from(["outdated", " ", None]))
    def withdraw(self, actor: str, says: Says, note: str | None) -> None:
        heard, _ = self.first(says)
        allowed = self.model.state in LIVE and "admin" in ROLES[actor] and heard and bool((note or "").strip())
        if self.steps > 12 and self.ask(Withdraw(**self.fields(says, actor, note=note)), says, allowed=allowed):
            self.model.open(says)
            self.model.decided("withdrawn")
