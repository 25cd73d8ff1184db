"""Who owns which table.

`("chat", "rules_users")` and `("chat_rules", "users")` would both become `modules_chat_rules_users`: the first to come
has it, and the second is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capture.clock import utc_now
from capture.errors import NamespaceCollision

if TYPE_CHECKING:
    from capture.database.transaction import Transaction


def claim(transaction: Transaction, full_name: str, namespace: str, owner: str, table: str) -> None:
    """Record that an owner has a table, or find that it has it already.

    Args:
        transaction: A running transaction; the claim stands once it is committed.
        full_name: As `capture.names.grammar.full_name` makes it.
        namespace: `agents`, `modules` or `foundups`.
        owner: The module, the project, or for `agents` what the table belongs to.
        table: The table's own name.

    Raises:
        NamespaceCollision: Another owner has it; the message names both.
    """
    claimed = transaction.execute_write(
        "INSERT INTO agents_table_owners (full_name, namespace, owner, table_name, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (full_name) DO NOTHING",
        (full_name, namespace, owner, table, utc_now()),
    )
    if claimed:
        return
    [found] = transaction.execute_query(
        "SELECT namespace, owner, table_name FROM agents_table_owners WHERE full_name = ?", (full_name,)
    )
    if found != {"namespace": namespace, "owner": owner, "table_name": table}:
        raise NamespaceCollision(
            f"{full_name} was to be the table {table} of {owner} in {namespace}, "
            f"and is the table {found['table_name']} of {found['owner']} in {found['namespace']}",
            hint=f"rename the table or its owner: {owner} or {found['owner']}",
            full_name=full_name,
            owners=(found["owner"], owner),
        )
