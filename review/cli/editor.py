"""A new body for an output: from a file, from standard input, or from the editor of whoever sits at the terminal."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from capture import BadSetting


def from_file(name: str) -> str:
    """The text of a file; of standard input for `-`.

    Raises:
        BadSetting: It is not UTF-8.
    """
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadSetting(f"a body in UTF-8 was expected, byte {error.start + 1} of {name} is none") from None


def edited(body: str) -> str:
    """What the user's editor makes of a body.

    Raises:
        BadSetting: The editor ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="copydesk-") as folder:
        path = Path(folder) / "body.txt"
        path.write_bytes(body.encode())
        # As git does it: the shell finds the editor, which may come with arguments of its own and a quoted path.
        editor = ["sh", "-c", 'eval "${VISUAL:-${EDITOR:-vi}} \\"\\$1\\""', "copydesk", str(path)]
        if subprocess.run(editor, check=False).returncode != 0:  # noqa: S603 - the user's own editor
            raise BadSetting(
                "the editor ended with an error: nothing was changed", hint="set EDITOR, or use --body-file"
            )
        text = from_file(str(path))
    # Editors end a file with a line end; the agent's text had its own.
    return text.removesuffix("\n") if text.endswith("\n") and not body.endswith("\n") else text
