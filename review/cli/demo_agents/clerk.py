"""The clerk: answers questions from the documentation, or says nothing where the documentation has no answer."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from review.cli.demo_agents.herald import plain
from review.cli.demo_agents.pages import documentation
from review.cli.demo_agents.start import end, logger

QUESTIONS = (
    "How do I put the processor into my own agent's structlog chain?",
    "What happens to the approvals when a reviewer edits the content?",
    "Where do the files go when an approved post is published?",
    "Which variable sets the PostgreSQL database?",
    "What is the exit code when there is nothing to publish?",
    "Can a projection be rebuilt while people read the old table?",
    "How much does a licence cost for a football club in Brazil?",
)
"""What people ask. The last one is for nobody here to answer."""

ENOUGH = 0.45
"""The share of a question's weight that a passage must cover, from 0 to 1."""

_LONGEST = 600
_WORD = re.compile(r"[a-z0-9_]+")
_COMMON = frozenset(
    _WORD.findall(
        "a an and are as at be by can do does for from go goes has have how i in into is it its me my of on or own put "
        "that the their them there they this to was what when where which while who will with you your"
    )
)


class Passage(NamedTuple):
    """A paragraph of a page.

    Attributes:
        page: The page's name.
        heading: What it stands under.
        text: The paragraph, as plain text.
        words: How often each of its words and its heading's words stands in it.
    """

    page: str
    heading: str
    text: str
    words: Counter[str]


def words(text: str) -> list[str]:
    """The words of a text that say something, in the singular."""
    found = (word for word in _WORD.findall(text.lower()) if word not in _COMMON)
    return [word.removesuffix("s") if len(word) > 3 else word for word in found]


def passages(name: str, text: str) -> Iterator[Passage]:
    """The paragraphs of a page; code and tables are kept as paragraphs of their own."""
    heading = name
    for block in re.split(r"\n\s*\n|\n(?=#)|(?<=\|)\n(?=\|)", text):
        title = re.match(r"#+ +(.+)", block)
        if title:
            heading = plain(title[1])
        paragraph = plain(block[title.end() if title else 0 :].strip("|`- \n")).replace(" | ", ": ")
        if paragraph:
            yield Passage(name, heading, paragraph, Counter(words(f"{heading} {paragraph}")))


def answer(question: str, among: Sequence[Passage]) -> tuple[Passage, float]:
    """The passage that covers most of what a question asks, rare words counting more than common ones.

    Returns:
        The passage, and the share of the question's weight that it covers, from 0 to 1.
    """
    seen = Counter(word for passage in among for word in passage.words)
    weight = {word: math.log((len(among) + 1) / (seen[word] + 0.5)) for word in set(words(question))}
    whole = sum(weight.values()) or 1.0

    def covered(passage: Passage) -> float:
        return sum(value for word, value in weight.items() if word in passage.words)

    # Of two that cover the same, the shorter says it better.
    best = max(among, key=lambda passage: (covered(passage), -len(passage.text)))
    return best, covered(best) / whole


def main() -> int:
    """Answer each question with a comment."""
    log = logger("clerk")
    known = [passage for name, text in documentation() for passage in passages(name, text)]
    log.info("reading", passages=len(known))
    for number, question in enumerate(QUESTIONS, start=1):
        best, share = answer(question, known)
        if share < ENOUGH:
            log.info("output.skipped", channel="forum", reason=f"the documentation has no answer to: {question}")
            continue
        log.info(
            "comment.drafted",
            channel="forum",
            identity="copydesk-help",
            reply_to=f"question-{number}",
            body=f"{best.text[:_LONGEST]}\n\n({best.page}, {best.heading})",
            trigger_context=question,
            confidence=round(share, 2),
        )
    return end()


if __name__ == "__main__":
    sys.exit(main())
