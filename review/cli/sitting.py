"""A person at a terminal who goes through what waits: what `review triage` does there.

What a key means stands in `review.cli.triage_session`, what is shown in `review.cli.sheet`; both are pure.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from capture import CopydeskError, NotFound
from capture.cli import Actor, ExitCode, Screen
from review.cli.editor import edited
from review.cli.keyboard import forget_typed, read_key, read_line
from review.cli.sheet import Row, compared, sheet, whole_text
from review.cli.triage_session import KEYS, Do, Session, Shown, Step, Undoable

if TYPE_CHECKING:
    from review import Accepted, Output, Refusal, ReviewDesk
    from review.queue import Filters

_AT_ONCE = 500
_PROMPT_ROWS = 4  # of the screen, kept free for the prompt and what is told above it
_LEAST_ROWS = 4
_PICKS = "1234567890abcdefghijklmnoprstuvwxyz"
_AWAY = frozenset({"LEASE", "STATE", "FINAL", "IN_FLIGHT", "PUBLISHED", "UNCERTAIN", "NOT_FOUND"})


class TurnedAway(Exception):
    """The desk takes no decision of this person. A signal within this package, never shown.

    Args:
        refusal: What it said.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Sitting:
    """A person at a terminal who goes through outputs.

    Args:
        screen: The terminal.
        desk: The desk.
        actor: The person.
        wanted: Which outputs.
    """

    def __init__(self, screen: Screen, desk: ReviewDesk, actor: Actor, wanted: Filters) -> None:
        self.screen = screen
        self.desk = desk
        self.actor, self.source = actor
        self._wanted = wanted
        self._session = Session([])
        self._held: str | None = None
        self._generation: int | None = None
        self._output: Output | None = None
        self._pages: list[list[Row]] = []
        self._unsaved: dict[str, str] = {}

    def run(self) -> int | None:
        """From the first output to the last, or until the person quits.

        Raises:
            Gone: The terminal went away.
            TurnedAway: This person may not decide here at all.
        """
        if not self._fetch():
            self.screen.say("nothing waits for your verdict")
            return ExitCode.NOTHING_TO_DO
        step = Step(Do.GO)
        while step.do not in (Do.QUIT, Do.END):
            step = self._open() if step.do is Do.GO else self._do(self._session.press(self._key()))
            if step.do is Do.END:
                step = self._go_on()
        self._sum_up()
        return None

    def end(self) -> None:
        """Give back what is held; the terminal may be gone by now."""
        with suppress(CopydeskError):
            self._let_go()
        with suppress(CopydeskError):
            self.desk.refresh()

    def _fetch(self) -> int:
        """Take more outputs up, behind those that are known; how many there were."""
        from review.queue import list_all, place_of

        known = self._session.outputs
        try:
            after = place_of(self.desk.manager, known[-1]) if known else None
        except NotFound:  # the table is being made anew
            after = None
        self.desk.refresh()
        rows = list_all(self.desk.manager, most=_AT_ONCE, after=after, **self._wanted)
        return self._session.add(row.output_id for row in rows)

    def _go_on(self) -> Step:
        """All of them were looked at: go on with what has come since."""
        place = len(self._session.outputs)
        if not self._fetch():
            return Step(Do.END)
        self._session.at = place
        return Step(Do.GO)

    def _open(self) -> Step:
        """Take the present output up and show its first page; or go on, if somebody else has it."""
        output_id = self._session.current
        if self._held != output_id:
            self._let_go()
        output = self.desk.output(output_id)
        if output is None:
            return self._session.decided("gone")
        on_my_way = self._session.at not in self._session.outcomes
        if on_my_way:
            answer = self.desk.claim(output_id, actor=self.actor, actor_source=self.source)
            if answer.code != "OK":
                return self._not_mine(answer)
            self._held = output_id
            output = self._taken(answer)
            mine = next((vote for vote in output.votes if vote.actor == self.actor), None)
            if mine is not None:
                self._tell(f"{output_id}: you approved it, it waits for somebody else")
                return self._session.decided(output.state.value)
            shown = self.desk.show(output_id, actor=self.actor, actor_source=self.source)
            if shown.code == "OK":
                output = self._taken(shown)
        self._draw(output)
        return Step(Do.TELL)

    def _taken(self, answer: Accepted | Refusal) -> Output:
        from review import Accepted

        assert isinstance(answer, Accepted)  # noqa: S101 - asked before
        lease = answer.output.lease
        self._generation = None if lease is None else lease.generation
        return answer.output

    def _not_mine(self, answer: Accepted | Refusal) -> Step:
        from review import Refusal

        assert isinstance(answer, Refusal)  # noqa: S101 - asked before
        if answer.code == "LEASE":
            self._tell(f"{answer.output_id}: {answer.message}")
            return self._session.passed_by()
        if answer.state is not None and answer.state.value != "pending":
            self._tell(f"{answer.output_id}: {answer.message}")
            return self._session.decided(answer.state.value)
        raise TurnedAway(answer)

    def _draw(self, output: Output) -> None:
        """Lay the output out, and show its first page."""
        self._output = output
        width = self.screen.width
        rows = sheet(output, self._session.place, self.desk.now(), width)
        self._pages = list(_paged(rows))
        self._session.show(
            Shown(
                output.output_id,
                output.content_hash,
                pages=len(self._pages),
                undecided=output.state.value == "pending" and self._held == output.output_id,
                changed=output.revision > 1,
            )
        )
        self.screen.say()
        self._page()

    def _page(self) -> None:
        for row in self._pages[self._session.page]:
            self.screen.ready(*row)
        if self._session.more:
            left = len(self._pages) - 1 - self._session.page
            self.screen.say(f"-- {left} more page{'s' if left > 1 else ''}: space --", "bold yellow")

    def _key(self) -> str:
        # What was typed before the question was asked is no answer to it: nobody approves what was not on screen yet.
        forget_typed()
        self.screen.ask(f"[{self._session.place}] a r c e s  j k J K  u d ? q > ")
        return read_key()

    def _do(self, step: Step) -> Step:
        """Carry out what a key meant; the next step."""
        acts: dict[Do, Callable[[], Step]] = {
            Do.APPROVE: self._approve,
            Do.REJECT: lambda: self._refuse("reject"),
            Do.CHANGES: lambda: self._refuse("changes"),
            Do.EDIT: self._edit,
            Do.UNDO: self._undo,
        }
        if step.do in acts:
            return acts[step.do]()
        if step.do is Do.PAGE:
            self._page()
        elif step.do is Do.DIFF:
            self._diff()
        elif step.do is Do.HELP:
            for key, what in KEYS.items():
                self.screen.say_parts((f"{'space' if key == ' ' else key:<6}", "bold"), (what, ""))
        elif step.do is Do.TELL:
            self._tell(step.text)
        return step

    def _approve(self, overrides: str | None = None, note: str | None = None) -> Step:
        output = self._present()

        def once() -> Accepted | Refusal:
            return self.desk.approve(
                output.output_id,
                output.content_hash,
                actor=self.actor,
                actor_source=self.source,
                generation=self._generation,
                note=note,
                overrides_duplicate=overrides,
            )

        answer = self._with_my_claim(output, once)
        if answer.code == "DUPLICATE" and overrides is None:
            self._tell(getattr(answer, "message", ""))
            why = self._line("approve it all the same, because (empty: no): ")
            earlier = next((found.output_id for found in self.desk.judged(output).findings if found.output_id), None)
            return self._approve(earlier, why) if why and earlier else Step(Do.TELL)
        return self._after(answer, "approve")

    def _refuse(self, verb: str) -> Step:
        output = self._present()
        reason = self._reason(output)
        if reason is None:
            return Step(Do.TELL)
        note: str | None = None
        if reason == "other" or verb == "changes":
            note = self._line("note for its agent: " if verb == "changes" else "note: ") or None
        ask = self.desk.reject if verb == "reject" else self.desk.request_changes

        def once() -> Accepted | Refusal:
            return ask(
                output.output_id,
                output.content_hash,
                actor=self.actor,
                actor_source=self.source,
                reason_code=reason,
                note=note,
                generation=self._generation,
            )

        return self._after(self._with_my_claim(output, once), verb)

    def _edit(self) -> Step:
        output = self._present()
        try:
            body = edited(self._unsaved.pop(output.output_id, output.body))
        except CopydeskError as error:
            self._tell(f"{error.message}; {error.hint}")
            return Step(Do.TELL)
        if body == output.body:
            self._tell("nothing was changed")
            return Step(Do.TELL)
        answer = self.desk.edit(
            output.output_id, output.content_hash, body=body, actor=self.actor, actor_source=self.source
        )
        if answer.code != "OK":
            self._unsaved[output.output_id] = body
            self._tell("your text is kept: e has it again")
            return self._after(answer, "edit")
        after = Undoable(self._session.at, "edit", answer.content_hash or "", output.body)
        self._session.done.append(after)
        self._rows(compared(output.body, body, self.screen.width))
        return Step(Do.GO)

    def _undo(self) -> Step:
        last = self._session.done[-1]
        output_id = self._session.outputs[last.at]
        if last.verb in ("reject", "changes"):
            self._session.done.pop()
            self._tell(f"{output_id}: this verdict is final, its agent has heard it; u again goes one further back")
            return Step(Do.TELL)
        who, how = self.actor, self.source
        if last.verb == "approve":
            answer = self.desk.revoke(output_id, last.content_hash, actor=who, actor_source=how)
        else:
            answer = self.desk.edit(output_id, last.content_hash, body=last.body, actor=who, actor_source=how)
        if answer.code != "OK":
            self._session.done.pop()
            self._refused(answer)
            return Step(Do.TELL)
        self._tell(f"{output_id}: {last.verb} undone")
        self._session.undone(last.at)
        return Step(Do.GO)

    def _diff(self) -> None:
        output = self._present()
        before, after = output.revisions[-2:]
        self.screen.say(f"revision {before.number} to {after.number}", "bold")
        self._rows(compared(whole_text(before), whole_text(after), self.screen.width))

    def _with_my_claim(self, output: Output, once: Callable[[], Accepted | Refusal]) -> Accepted | Refusal:
        """Ask; once more under a new claim, if the own one had only run out."""
        answer = once()
        if answer.code != "LEASE":
            return answer
        again = self.desk.claim(output.output_id, actor=self.actor, actor_source=self.source)
        if again.code != "OK":
            return again
        self._taken(again)
        return once()

    def _after(self, answer: Accepted | Refusal, verb: str) -> Step:
        """Say what became of a verdict, and go on if there is nothing left to decide."""
        if answer.code == "OK":
            self._held = None
            self._tell(f"{answer.output_id} is {answer.state}", "green")
            state = "" if answer.state is None else answer.state.value
            at = self._session.at
            return self._session.decided(state, Undoable(at, verb, answer.content_hash or ""))
        self._refused(answer)
        if answer.code == "STALE":
            self._tell("here it is as it is now")
            return Step(Do.GO)
        if answer.code in _AWAY:
            return self._session.passed_by()
        return Step(Do.TELL)

    def _refused(self, answer: Accepted | Refusal) -> None:
        self.screen.failure(answer.code, getattr(answer, "message", ""), getattr(answer, "hint", ""))

    def _reason(self, output: Output) -> str | None:
        """The reason that the person picks; None when they think better of it."""
        reasons = self.desk.judged(output).reasons
        picks = dict(zip(_PICKS, reasons, strict=False))
        for key, reason in picks.items():
            self.screen.say_parts((f"  {key} ", "bold"), (reason, ""))
        forget_typed()
        self.screen.ask("reason (q: none) > ")
        return picks.get(read_key())

    def _line(self, question: str) -> str:
        self.screen.ask(question)
        return read_line()

    def _rows(self, rows: list[Row]) -> None:
        """Show rows, a page after the other."""
        pages = list(_paged(rows))
        for number, page in enumerate(pages, 1):
            for row in page:
                self.screen.ready(*row)
            if number < len(pages):
                self.screen.ask("-- more: space, or q -- ")
                if read_key() == "q":
                    return

    def _tell(self, text: str, style: str = "yellow") -> None:
        if text:
            self.screen.say(text, style)

    def _present(self) -> Output:
        assert self._output is not None  # noqa: S101 - keys are read once something is shown
        return self._output

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self.desk.release(held, actor=self.actor, actor_source=self.source)

    def _sum_up(self) -> None:
        states = [*self._session.outcomes.values()]
        counts = {state: states.count(state) for state in dict.fromkeys(states)}
        left = len(self._session.outputs) - len(states)
        told = [f"{count:,} {state}" for state, count in counts.items()] + (
            [f"{left:,} left undecided"] if left else []
        )
        self.screen.say(", ".join(told), "bold")


def _paged(rows: list[Row]) -> Iterator[list[Row]]:
    size = max(shutil.get_terminal_size((100, 24)).lines - _PROMPT_ROWS, _LEAST_ROWS)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
