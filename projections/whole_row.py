"""A whole row into its stored form in one function, made for its table.

Most handlers say whole rows, and a replay says a million of them. Calling the check of each column by its kind was half
of what such a row cost; here the usual value of each kind is checked where it stands, and only an unusual one is handed
to that check, which also says what is wrong with it. A test holds both ways equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic_core import to_json

from projections.columns import LARGEST, TO_WIRE, WireValue

WholeRow = Callable[[dict[str, object]], list[WireValue]]

# What is usual, by kind: a condition on the value `v`, and the wire value then.
_USUAL = {
    "text": ('v.__class__ is str and v.isascii() and "\\0" not in v', "v"),
    "integer": (f"v.__class__ is int and {-LARGEST - 1} <= v <= {LARGEST}", "v"),
    "real": ("v.__class__ is float and v - v == 0.0", "v + 0.0"),
    "boolean": ("v.__class__ is bool", "v"),
    # A text has no numbers to look for; a lone surrogate is refused here too, and the long way says so.
    "json": ('v.__class__ is str and "\\0" not in v', "to_json(v).decode()"),
}


def whole_row(names: Sequence[str], kinds: Sequence[str]) -> WholeRow:
    """The function for a table.

    Args:
        names: Its columns in order; each is of the grammar of names.
        kinds: Their kinds.

    Returns:
        A function from values by column to the row. It raises KeyError for a column that is missing, TypeError or
        ValueError for a value of another kind; a column too many is not seen.
    """
    lines = ["def whole_row(values):"]
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        lines.append(f"    v = values[{name!r}]")
        usual, made = _USUAL.get(kind, ("v is None", "None"))
        lines.append(f"    if {usual}: v{place} = {made}")
        lines.append(f"    else: v{place} = None if v is None else {kind}(v)")
    lines.append(f"    return [{', '.join(f'v{place}' for place in range(len(names)))}]")
    made_of: dict[str, object] = {**TO_WIRE, "to_json": to_json}
    exec("\n".join(lines), made_of)  # noqa: S102 - its parts are texts of this file, and names that the grammar let through
    return made_of["whole_row"]  # type: ignore[return-value]
