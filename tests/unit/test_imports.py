"""What `from capture import emit` costs an agent at its start."""

from __future__ import annotations

import json
import subprocess
import sys

import capture

FRAMEWORKS = ("langchain_core", "agents", "opentelemetry", "pydantic_ai")
HEAVY = ("sqlalchemy", "alembic", "rich", "typer", "tenacity", "psycopg", "filelock", *FRAMEWORKS)


def modules_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_emit_imports_no_database() -> None:
    """The names that an agent needs import neither the database's libraries nor the command line's."""
    loaded = modules_after("from capture import CaptureProcessor, Event, configure, emit, emit_async, flush, new_id")
    assert "pydantic" in loaded
    assert not loaded.intersection(HEAVY)


def test_emitting_imports_the_database_on_the_writer_s_thread_alone() -> None:
    """Validation, redaction and `captured()` need no database either."""
    code = (
        "from capture.testing import captured\n"
        "from capture import emit\n"
        "from capture.vocabulary import MemoryLearned\n"
        "with captured() as events:\n"
        "    emit(MemoryLearned(key='k', value=1, kind='fact'), agent_id='a')\n"
        "assert len(events) == 1"
    )
    assert not modules_after(code).intersection(HEAVY)


def test_every_public_name_is_there() -> None:
    """Each name of `capture.__all__` can be imported, and is what its module holds."""
    for name in capture.__all__:
        assert getattr(capture, name) is not None
    assert set(capture.__all__) <= set(dir(capture))
