"""`FoundupDB`: the same as `ModuleDB`, for an independent project and under its own prefix."""

from __future__ import annotations

from typing import ClassVar

from capture.names.module_db import ModuleDB


class FoundupDB(ModuleDB):
    """The tables of one project, as `foundups_{project}_{table}`.

    Attributes:
        project: The project's name, in `[a-z][a-z0-9_]*`; `module` will do as well.
    """

    namespace: ClassVar[str] = "foundups"
    project: ClassVar[str] = ""

    @classmethod
    def owner(cls) -> str:
        """Whose the tables are: the project's name."""
        return cls.project or cls.module
