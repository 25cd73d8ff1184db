"""What hangs on a table in PostgreSQL: views over views, owners, grants. Kept before a swap, made again after it.

SQLite needs none of it: its views name their tables by name, and it has no grants.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

_VIEWS = """
WITH RECURSIVE above(oid, depth) AS (
  SELECT rule.ev_class, 1
  FROM pg_depend AS d
  JOIN pg_rewrite AS rule ON d.classid = 'pg_rewrite'::regclass AND d.objid = rule.oid
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(:tables) AND rule.ev_class <> ALL(:tables)
  UNION
  SELECT rule.ev_class, above.depth + 1
  FROM above
  JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = above.oid
  JOIN pg_rewrite AS rule ON d.classid = 'pg_rewrite'::regclass AND d.objid = rule.oid
  WHERE rule.ev_class <> above.oid
)
SELECT oid FROM above GROUP BY oid ORDER BY max(depth), oid
"""

_RELATION = """
SELECT c.oid::regclass::text AS name, c.relname AS plain, c.relkind AS kind, c.relispopulated AS populated,
  pg_get_userbyid(c.relowner) AS owner, c.relacl IS NULL AS default_grants,
  array_to_string(c.reloptions, ', ') AS options,
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END AS definition,
  obj_description(c.oid, 'pg_class') AS comment
FROM pg_class AS c WHERE c.oid = :oid
"""

_GRANTS = """
SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS grantee,
  g.privilege_type AS privilege, g.is_grantable AS grantable, NULL AS column_name
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g WHERE c.oid = :oid
UNION ALL
SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
  g.privilege_type, g.is_grantable, a.attname
FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS g
WHERE a.attrelid = :oid AND NOT a.attisdropped
"""

_INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) AS definition, c.relname AS name
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = :oid AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname
"""


class Grant(NamedTuple):
    """One privilege of one role, on a relation or on one of its columns."""

    grantee: str
    privilege: str
    grantable: bool
    column_name: str | None


class Index(NamedTuple):
    """An index as PostgreSQL writes it down."""

    definition: str
    name: str


class Relation(NamedTuple):
    """A table or a view with all that a new one in its place needs.

    Attributes:
        name: As SQL names it, quoted and qualified where needed.
        plain: The name alone.
        kind: `r` for a table, `v` for a view, `m` for a materialized view.
        populated: Whether a materialized view holds rows.
        owner: The role that owns it.
        default_grants: Nothing was ever granted or revoked.
        options: Its storage options, as `security_invoker=true`.
        definition: The query of a view.
        comment: What `COMMENT ON` said.
        grants: Who may do what.
        indexes: The indexes that no constraint made.
    """

    name: str
    plain: str
    kind: str
    populated: bool
    owner: str
    default_grants: bool
    options: str | None
    definition: str
    comment: str | None
    grants: tuple[Grant, ...]
    indexes: tuple[Index, ...]


def oid_of(connection: sa.Connection, table: str) -> int | None:
    """The object id of a table, or None."""
    found = connection.execute(sa.text("SELECT to_regclass(:name)::oid"), {"name": f'"{table}"'}).scalar_one()
    return None if found is None else int(found)


def relation(connection: sa.Connection, oid: int) -> Relation:
    """Read what is to be kept of a table or view."""
    row = tuple(connection.execute(sa.text(_RELATION), {"oid": oid}).one())
    grants = tuple(Grant(*found) for found in connection.execute(sa.text(_GRANTS), {"oid": oid}))
    indexes = tuple(Index(*found) for found in connection.execute(sa.text(_INDEXES), {"oid": oid}))
    return Relation._make((*row, grants, indexes))


def views(connection: sa.Connection, tables: list[int]) -> list[Relation]:
    """The views that hang on some tables, directly or over other views, each behind those that it needs."""
    found = [row.oid for row in connection.execute(sa.text(_VIEWS), {"tables": tables})]
    return [relation(connection, oid) for oid in found]


def drop_view(connection: sa.Connection, view: Relation) -> None:
    """Drop a view; those that hang on it must be gone."""
    connection.exec_driver_sql(f"DROP {_kind(view)} {view.name}")


def make_view(connection: sa.Connection, view: Relation) -> None:
    """Make a view again, with its options, indexes, comment, owner and grants."""
    options = f" WITH ({view.options})" if view.options else ""
    query = view.definition.rstrip().rstrip(";")
    data = " WITH NO DATA" if view.kind == "m" and not view.populated else ""
    run(connection, f"CREATE {_kind(view)} {view.name}{options} AS {query}{data}")
    for index in view.indexes:
        run(connection, index.definition)
    if view.comment is not None:
        quoted = connection.execute(sa.text("SELECT quote_literal(:text)"), {"text": view.comment}).scalar_one()
        run(connection, f"COMMENT ON {_kind(view)} {view.name} IS {quoted}")
    give_back(connection, view, view.name)


def give_back(connection: sa.Connection, kept: Relation, name: str) -> None:
    """Give a new relation the owner and the grants of the one that it replaces.

    Args:
        connection: Where.
        kept: What the old one had.
        name: The new relation, as SQL names it.
    """
    oid = connection.execute(sa.text("SELECT to_regclass(:name)::oid"), {"name": name}).scalar_one()
    new = relation(connection, oid)
    owner = connection.execute(sa.text("SELECT quote_ident(:name)"), {"name": kept.owner}).scalar_one()
    if new.owner != kept.owner:
        run(connection, f"ALTER TABLE {name} OWNER TO {owner}")
    # What default privileges gave to the new one is not what was granted on the old one.
    taken = {grant.grantee for grant in new.grants if grant.grantee != owner}
    for grantee in sorted(taken if kept.default_grants else {*taken, owner}):
        run(connection, f"REVOKE ALL ON {name} FROM {grantee}")
    columns = {row[0] for row in connection.execute(sa.text(_COLUMNS), {"oid": oid})}
    for grant in kept.grants:
        if grant.column_name is not None and grant.column_name not in columns:
            continue
        of = "" if grant.column_name is None else f' ("{grant.column_name}")'
        more = " WITH GRANT OPTION" if grant.grantable else ""
        run(connection, f"GRANT {grant.privilege}{of} ON {name} TO {grant.grantee}{more}")


def _kind(view: Relation) -> str:
    return "MATERIALIZED VIEW" if view.kind == "m" else "VIEW"


def run(connection: sa.Connection, sql: str) -> None:
    """Run a statement that holds text which PostgreSQL wrote."""
    # Text that PostgreSQL wrote itself: without parameters, so that a percent sign in it is no placeholder.
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped"
