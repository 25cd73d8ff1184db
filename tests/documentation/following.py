"""Follows a how-to as its reader does: writes its files, and types its commands into one shell after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.documentation.checkout import ROOT, blocks


def fresh_environment(folder: Path) -> dict[str, str]:
    """A virtual environment with copydesk from its wheel; the rest of what it has is what is installed here.

    Args:
        folder: An empty folder, for the environment and the wheel.

    Returns:
        The variables of a shell in it. There is no package index.
    """
    # pip is the one that is installed here, too: putting another one into the environment takes longest of all.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    pip = python.with_name("pip")
    pip.write_text(f"#!{python}\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n", encoding="utf-8")
    pip.chmod(0o755)
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        check=True,
        capture_output=True,
        text=True,
    )
    here = [path for path in sys.path if Path(path).name == "site-packages"]
    (Path(told.stdout.strip()) / "installed_here.pth").write_text("\n".join(here) + "\n", encoding="utf-8")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("copydesk-*.whl")
    keep = {name: os.environ[name] for name in ("LANG", "LC_ALL", "HOME", "TMPDIR") if name in os.environ}
    environment = keep | {
        "PATH": f"{folder / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        # Without an index a build can't fetch its backend: it uses the one that is installed here.
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    install = ["pip", "install", "--quiet", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=environment)
    return environment


def follow(page: str, folder: Path, environment: dict[str, str]) -> None:
    """Do what a page says, from top to bottom.

    Args:
        page: The page, from the root of the checkout.
        folder: Where its reader stands.
        environment: The variables of the reader's shell; what the page exports is added.

    Raises:
        AssertionError: A command failed.
    """
    exported = folder / ".exported"
    for block in blocks(page):
        if block.language == "bash":
            script = f'{block.text}\nprintf %s "${{COPYDESK_PLUGINS:-}}" > {exported.name}'
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{page}:\n{block.text}\n{done.stdout}\n{done.stderr}"
            if exported.read_text(encoding="utf-8"):
                environment["COPYDESK_PLUGINS"] = exported.read_text(encoding="utf-8")
        else:
            assert block.name, f"{page}: a block of {block.language} names the file that it is"
            path = folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
