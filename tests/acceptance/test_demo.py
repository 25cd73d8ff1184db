"""`copydesk demo`: the whole way once, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from review.cli.demo_agents import clerk, herald, pages, reader
from tests.acceptance.conftest import Copydesk


def test_the_demo_goes_the_whole_way(alone: Copydesk) -> None:
    """Three processes emit; three verdicts; what was approved, and no more, lies in the folder; a replay is equal."""
    told = alone("demo", "--json")
    assert told.code == 0
    demo = told.object
    folder = alone.folder / "copydesk-demo"
    assert demo["folder"] == str(folder)
    captured = {(row["agent_id"], row["event_type"]): row["events"] for row in demo["captured"]}
    assert captured["herald", "social_post.drafted"] >= 2
    assert captured["clerk", "comment.drafted"] >= 3
    assert captured["clerk", "output.skipped"] >= 1
    assert captured["reader", "memory.learned"] >= 50
    assert captured["reader", "error.learned"] >= 1
    assert [(verdict["verb"], verdict["code"]) for verdict in demo["verdicts"]] == [
        ("approve", "OK"),
        ("edit", "OK"),
        ("approve", "STALE"),
        ("approve", "OK"),
        ("reject", "OK"),
    ]
    files = {Path(one["file"]): one["output_id"] for one in demo["published"]}
    assert set((folder / "published").glob("*.txt")) == files.keys()
    assert len(files) == 2
    assert sorted(demo["equal"]) == sorted(demo["replayed"])
    assert len(demo["replayed"]) >= 4

    inside = Copydesk(folder, alone.forks)
    for path, output_id in files.items():
        output = inside("review", "show", output_id, "--json").object
        assert (output["state"], output["body"].encode()) == ("published", path.read_bytes())
    assert {row["state"] for row in inside("review", "list", "--json").lines} == {"pending"}
    assert inside("projections", "verify").code == 0
    assert (folder / "herald.log").read_text(encoding="utf-8").count("social_post.drafted") >= 2


def test_a_second_demo_begins_anew(alone: Copydesk) -> None:
    """The demo shows a beginning: where a folder is in use it takes another, or says so."""
    (alone.folder / "copydesk-demo").mkdir()
    (alone.folder / "copydesk-demo" / "mine").touch()
    second = alone("demo")
    assert second.code == 0
    assert "copydesk-demo-2" in second.out
    assert "Where to look" in second.out
    assert alone("demo", "copydesk-demo-2").code == 2


def test_the_herald_keeps_inside_a_post() -> None:
    """A summary of a long release has whole sentences, and no more characters than the platform takes."""
    release = herald.Release("9.9", "today", tuple(f"change {n} is a sentence. And more." for n in range(100)))
    post = herald.summary(release)
    assert len(post) <= herald.LONGEST
    assert post.endswith(" is a sentence.")
    (found, *_) = herald.releases(
        "# Changelog\n\n## 2.0 - soon\n\n- Added: `a` and\n  [b](c).\n- Fixed: d.\n\n## 1.0\n\n- Added: e.\n"
    )
    assert found == ("2.0", "soon", ("a and b.", "d."))


def test_the_clerk_answers_from_the_documentation_or_not_at_all() -> None:
    """An answer stands under a heading that exists; a question about nothing here gets silence."""
    known = [passage for name, text in pages.documentation() for passage in clerk.passages(name, text)]
    best, share = clerk.answer("What is the exit code when there is nothing to publish?", known)
    assert share > clerk.ENOUGH
    assert "nothing to do" in best.text
    assert clerk.answer(clerk.QUESTIONS[-1], known)[1] < clerk.ENOUGH


def test_the_reader_reads_all_of_copydesk() -> None:
    """Every page and every module is among the files, each under its name in the project."""
    names = dict(pages.files())
    assert {*pages.PAGES, "capture/clock.py", "review/cli/demo.py"} <= names.keys()
    assert all(path.is_file() for path in names.values())
    assert reader.about_python('"""A clock."""\nfrom capture import x\n')["about"] == "A clock."
