"""`copydesk review policy`: look at what the rules say, and put others in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture.cli import As, Column, Database, Screen, command, current_actor, group
from review.cli.inbox import OutputId, review
from review.cli.session import at_the_desk, find

if TYPE_CHECKING:
    from review import Output, Policy, Refusal, ReviewDesk
    from review.ordering import Ordered
    from review.policy.verdict import Judgement, Reading

policy = group("policy", "Look at what the rules say, and put others in force.")
review.add_typer(policy)

File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="A policy file; COPYDESK_POLICY, or policy.toml, when left out.")
]

_COLOURS = {"approve": "green", "reject": "red", "person": "yellow"}


@command(policy, "check", example="copydesk review policy check policy.toml\ncopydesk review policy check --json")
def check(
    screen: Screen,
    database: Database,
    file: File = None,
    *,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Ask it about so many pending outputs, the oldest first.")
    ] = 200,
) -> int | None:
    """Read a policy file, and show what it would decide about what waits; nothing is changed."""
    from review import Policy
    from review.queue import list_outputs

    desk = at_the_desk(database, tell=False)
    read = Policy.read(_path(desk, file))
    page = list_outputs(desk.manager, states=("pending",), limit=limit) if limit else None
    outputs: list[dict[str, JsonValue]] = []
    for row in page.rows if page is not None else ():
        output = desk.output(row.output_id)
        if output is not None:
            outputs.append(_judged(desk, read, output))
    counts = {word: sum(output["decides"] == word for output in outputs) for word in _COLOURS}
    if screen.json:
        screen.value(
            {
                "name": read.name,
                "version": read.version,
                "policy": read.label,
                "rules": len(read.rules),
                "in_force": desk.policy.digest == read.digest,
                "decides": dict(counts),
                "more": page is not None and page.after is not None,
                "outputs": list(outputs),
            }
        )
        return None
    screen.say_parts((read.label, "bold"), (f"  {len(read.rules)} rules; the file can be used", ""))
    for name in _not_installed(read):
        screen.say_parts(("! ", "bold yellow"), (f"no publisher {name} is installed", "yellow"))
    columns = (
        Column("output_id", "OUTPUT"),
        Column("decides", "DECIDES", _COLOURS),
        Column("mode", "MODE"),
        Column("needed", "NEEDED", right=True),
        Column("because", "BECAUSE", elastic=True),
    )
    screen.table(outputs, columns, empty="nothing waits for a verdict")
    if outputs:
        screen.say(", ".join(f"{count:,} {word}" for word, count in counts.items() if count), "dim")
    return None


@command(policy, "show", example="copydesk review policy show 01933a8e\ncopydesk review policy show 01933a8e --json")
def show(screen: Screen, database: Database, output: OutputId) -> int | None:
    """Show what the policy in force says about an output: which rules are about it, which are not, and why."""
    desk = at_the_desk(database)
    found = find(desk, output)
    judged, readings = desk.judged(found), desk.readings(found)
    rules = [_read(reading) for reading in readings]
    value = _judged(desk, desk.policy, found)
    if screen.json:
        opened: dict[str, JsonValue] = {"policy": found.policy, "mode": found.mode} if found.opened else {}
        screen.value({**value, "opened": opened or None, "rules": list(rules)})
        return None
    _say(screen, judged, found)
    columns = (
        Column("number", "RULE", right=True),
        Column("matches", "MATCHES", {"yes": "green", "no": "dim"}),
        Column("mode", "MODE"),
        Column("approvals", "APPROVALS", right=True),
        Column("says", "SAYS", elastic=True),
    )
    screen.table(rules, columns, empty="there are no rules: everything waits for one person")
    return None


@command(policy, "adopt", example="copydesk review policy adopt policy.toml\ncopydesk review policy adopt --as alice")
def adopt(screen: Screen, database: Database, file: File = None, *, actor: As = None) -> int | None:
    """Put a policy file in force, for every process at once and from now on."""
    from review import Policy

    desk = at_the_desk(database, tell=False)
    path = _path(desk, file)
    name, source = current_actor(actor)
    answer = desk.adopt(Policy.read(path), actor=name, actor_source=source)
    return _told(screen, answer, f"{path} is in force")


@command(policy, "resume", example="copydesk review policy resume 01933a8e --note 'The prompt was mended'")
def resume(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, for the record.")] = None,
    actor: As = None,
) -> int | None:
    """Let the rule that is about an output approve again for its identity, after it stood down."""
    desk = at_the_desk(database)
    name, source = current_actor(actor)
    answer = desk.resume_rule(find(desk, output), actor=name, actor_source=source, note=note)
    return _told(screen, answer, "the rule approves again")


def _path(desk: ReviewDesk, file: str | None) -> Path:
    return desk.manager.settings.policy if file is None else Path(file)


def _told(screen: Screen, answer: Ordered | Refusal, done: str) -> int | None:
    from review import Refusal

    if isinstance(answer, Refusal):
        about: dict[str, JsonValue] = {"code": answer.code, "message": answer.message}
        screen.failure(answer.code, answer.message, answer.hint, about)
        return answer.exit_code
    if screen.json:
        version = answer.orders.policy.version
        screen.value(
            {"position": answer.position, "changed": answer.changed, "policy": answer.orders.label, "version": version}
        )
    else:
        screen.say(f"{done}: {answer.orders.label}" if answer.changed else "nothing to do: it is so already")
    return None


def _judged(desk: ReviewDesk, rules: Policy, output: Output) -> dict[str, JsonValue]:
    judged = desk.judged(output, rules)
    return {
        "output_id": output.output_id,
        "state": output.state.value,
        "policy": judged.policy,
        "decides": _decides(judged, output),
        "mode": judged.mode,
        "needed": max(judged.needed, output.needed),
        "publisher": judged.publisher,
        "deadline": None if judged.deadline is None else judged.deadline.isoformat(),
        "findings": [{"code": found.code, "message": found.message} for found in judged.findings],
        "because": _because(judged, output),
    }


def _decides(judged: Judgement, output: Output) -> str:
    if judged.decides == "approve" and (output.for_person or output.needed > 1):
        return "person"
    return judged.decides or "person"


def _because(judged: Judgement, output: Output) -> str:
    if judged.decides == "approve" and output.for_person:
        return "it waits for a person already, so a person decides"
    return "; ".join([judged.because, *(found.message for found in judged.findings if judged.decides != "reject")])


def _read(reading: Reading) -> dict[str, JsonValue]:
    rule = reading.rule
    if reading.misses:
        told = [f"{name} is not {getattr(rule.match, name)}" for name in reading.misses]
    elif reading.error is not None:
        told = [f"it errs, so a person decides: {reading.error}"]
    else:
        told = [*reading.rejects, *(found.message for found in (*reading.findings, *reading.held))]
    return {
        "number": reading.number,
        "matches": "no" if reading.misses else "yes",
        "mode": rule.mode,
        "approvals": rule.approvals,
        "match": {name: getattr(rule.match, name) for name in ("channel", "kind", "identity", "target", "agent")},
        "misses": list(reading.misses),
        "findings": [{"code": found.code, "message": found.message} for found in (*reading.findings, *reading.held)],
        "error": reading.error,
        "says": "; ".join(told),
    }


def _say(screen: Screen, judged: Judgement, output: Output) -> None:
    word = _decides(judged, output)
    screen.say_parts((judged.policy, "bold"), ("  ", ""), (word, _COLOURS[word]), (f": {_because(judged, output)}", ""))
    if output.opened:
        screen.say(
            f"taken up under {output.policy}, which asked for {output.mode} and {output.needed} approvals", "dim"
        )


def _not_installed(rules: Policy) -> list[str]:
    from review.publication.installed import installed

    known = installed()
    return sorted({rule.publisher for rule in rules.rules if rule.publisher is not None} - known.keys())
