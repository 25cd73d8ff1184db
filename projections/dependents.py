"""What hangs on a table in PostgreSQL: views over views, triggers, owners, grants, comments, options.

All of it is kept before a swap and made again after it. What would be lost (a policy, a constraint, a function over the
table's rows …) is named before the replay starts. SQLite needs little of it: its views name their tables by name.
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


# `pretty`, so that the name is not qualified and a temporary table of that name can stand in for it.
_TRIGGERS = """
SELECT tgname AS name, pg_get_triggerdef(oid, true) AS definition, tgenabled AS state,
  obj_description(oid, 'pg_trigger') AS comment
FROM pg_trigger WHERE tgrelid = :oid AND NOT tgisinternal ORDER BY tgname
"""

_COLUMN_COMMENTS = """
SELECT a.attname AS name, col_description(a.attrelid, a.attnum) AS comment FROM pg_attribute AS a
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NOT NULL
ORDER BY a.attnum
"""

# What is kept is left out: views by their rules, triggers, indexes, and the constraints that every table here has.
_OTHERS = """
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS what
FROM pg_class AS c JOIN pg_type AS t ON t.oid = c.reltype JOIN pg_depend AS d ON d.deptype IN ('n', 'a') AND (
  (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
  OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)))
WHERE c.oid = ANY(:relations) AND d.classid <> 'pg_trigger'::regclass
  AND NOT (d.classid = 'pg_class'::regclass
    AND EXISTS (SELECT FROM pg_class AS i WHERE i.oid = d.objid AND i.relkind = 'i'))
  AND NOT (d.classid = 'pg_rewrite'::regclass AND EXISTS (
    SELECT FROM pg_rewrite AS r JOIN pg_class AS v ON v.oid = r.ev_class
    WHERE r.oid = d.objid AND r.rulename = '_RETURN' AND v.relkind IN ('v', 'm')))
  AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (
    SELECT FROM pg_constraint AS k
    WHERE k.oid = d.objid AND (k.contype = 'n' OR k.conname ~ ('^' || c.relname || '_g[0-9]+_pk$'))))
UNION ALL
SELECT 'row level security of table ' || c.oid::regclass FROM pg_class AS c
WHERE c.oid = ANY(:relations) AND c.relrowsecurity
ORDER BY what
"""

_STATES = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
"""How a trigger is set, by `tgenabled`; `O` is how a new one is."""


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


class Trigger(NamedTuple):
    """A trigger as PostgreSQL writes it down, and how it is set."""

    name: str
    definition: str
    state: str
    comment: str | None


class ColumnComment(NamedTuple):
    """What `COMMENT ON COLUMN` said."""

    name: str
    comment: str


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
        triggers: Its triggers, but those of constraints.
        column_comments: What is said about its columns.
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
    triggers: tuple[Trigger, ...]
    column_comments: tuple[ColumnComment, ...]


def oid_of(connection: sa.Connection, table: str) -> int | None:
    """The object id of a table, or None."""
    found = connection.execute(sa.text("SELECT to_regclass(:name)::oid"), {"name": f'"{table}"'}).scalar_one()
    return None if found is None else int(found)


def relation(connection: sa.Connection, oid: int) -> Relation:
    """Read what is to be kept of a table or view."""
    row = tuple(connection.execute(sa.text(_RELATION), {"oid": oid}).one())
    grants = tuple(Grant(*found) for found in connection.execute(sa.text(_GRANTS), {"oid": oid}))
    indexes = tuple(Index(*found) for found in connection.execute(sa.text(_INDEXES), {"oid": oid}))
    triggers = tuple(Trigger(*found) for found in connection.execute(sa.text(_TRIGGERS), {"oid": oid}))
    comments = tuple(ColumnComment(*found) for found in connection.execute(sa.text(_COLUMN_COMMENTS), {"oid": oid}))
    return Relation._make((*row, grants, indexes, triggers, comments))


def others(connection: sa.Connection, relations: list[int]) -> list[str]:
    """What hangs on tables and views and would be lost in a swap, as PostgreSQL describes it."""
    found = connection.execute(sa.text(_OTHERS), {"relations": relations})
    return [row.what for row in found]


def view_oids(connection: sa.Connection, tables: list[int]) -> list[int]:
    """The views that hang on some tables, directly or over other views, each behind those that it needs."""
    return [row.oid for row in connection.execute(sa.text(_VIEWS), {"tables": tables})]


def views(connection: sa.Connection, tables: list[int]) -> list[Relation]:
    """What is to be kept of the views that hang on some tables, in the order of `view_oids`."""
    return [relation(connection, oid) for oid in view_oids(connection, tables)]


def lock_view(connection: sa.Connection, view: Relation) -> None:
    """Keep readers of a view away until the transaction ends.

    `LOCK TABLE` would lock all tables under the view too; giving it to its owner locks it alone and changes nothing.
    """
    owner = _quoted(connection, view.owner, "ident")
    connection.exec_driver_sql(f"ALTER {_kind(view)} {view.name} OWNER TO {owner}")


def drop_view(connection: sa.Connection, view: Relation) -> None:
    """Drop a view; those that hang on it must be gone."""
    connection.exec_driver_sql(f"DROP {_kind(view)} {view.name}")


def make_view(connection: sa.Connection, view: Relation) -> None:
    """Make a view again, with its options, indexes, triggers, comments, owner and grants."""
    options = f" WITH ({view.options})" if view.options else ""
    query = view.definition.rstrip().rstrip(";")
    data = " WITH NO DATA" if view.kind == "m" and not view.populated else ""
    run(connection, f"CREATE {_kind(view)} {view.name}{options} AS {query}{data}")
    for index in view.indexes:
        run(connection, index.definition)
    say_again(connection, view)
    give_back(connection, view, view.name)


def say_again(connection: sa.Connection, kept: Relation) -> None:
    """Make the triggers and comments of a relation again, as far as the new one has the columns that they are about."""
    for trigger in kept.triggers:
        run(connection, trigger.definition)
        quoted = _quoted(connection, trigger.name, "ident")
        if trigger.state in _STATES:
            run(connection, f"ALTER TABLE {kept.name} {_STATES[trigger.state]} TRIGGER {quoted}")
        if trigger.comment is not None:
            said = _quoted(connection, trigger.comment, "literal")
            run(connection, f"COMMENT ON TRIGGER {quoted} ON {kept.name} IS {said}")
    if kept.comment is not None:
        said = _quoted(connection, kept.comment, "literal")
        run(connection, f"COMMENT ON {_kind(kept)} {kept.name} IS {said}")
    oid = connection.execute(sa.text("SELECT to_regclass(:name)::oid"), {"name": kept.name}).scalar_one()
    columns = {row[0] for row in connection.execute(sa.text(_COLUMNS), {"oid": oid})}
    for column in kept.column_comments:
        if column.name in columns:
            said, name = _quoted(connection, column.comment, "literal"), _quoted(connection, column.name, "ident")
            run(connection, f"COMMENT ON COLUMN {kept.name}.{name} IS {said}")


def _quoted(connection: sa.Connection, text: str, kind: str) -> str:
    return str(connection.execute(sa.text(f"SELECT quote_{kind}(:text)"), {"text": text}).scalar_one())


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
    return {"m": "MATERIALIZED VIEW", "r": "TABLE"}.get(view.kind, "VIEW")


def run(connection: sa.Connection, sql: str) -> None:
    """Run a statement that holds text which PostgreSQL wrote."""
    # Text that PostgreSQL wrote itself: without parameters, so that a percent sign in it is no placeholder.
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped"
