"""Claims that the database guards by itself: proven on the rows, for a restored dump or a superuser can break them."""
# ruff: noqa: S608  the statements are of this module's own making

from collections.abc import Iterator
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from worker.recovery.verify.finding import Check
from worker.recovery.verify.statements import SqlCheck, Statement, claim
from worker.store import tables

_GUARDED: Final = (
    tables.accounts,
    tables.holds,
    tables.phases,
    tables.projects,
    tables.bindings,
    tables.inbox,
    tables.lanes,
    tables.installation,
)
_TRIGGERS: Final = (
    ("holds", "a_hold_is_released_once"),
    ("phases", "a_phase_is_written_once"),
    ("projects", "a_deleted_project_stays_as_it_is"),
    ("projects", "nobody_pays_for_a_deleted_project"),
    ("bindings", "a_binding_is_closed_once"),
)


def _of_organization(table: Table) -> str:
    return "ONLY(t)" if "organization" in table.columns else "true"


def _key(table: Table) -> str:
    """What tells a row of a table, as one column."""
    names = ", ".join(f"'{column.name}', t.{column.name}" for column in table.primary_key.columns)
    return f"jsonb_build_object({names})"


def _rules_of(table: Table) -> Iterator[tuple[str, str]]:
    """Names of rules with SQL that is false of a row that breaks them."""
    for constraint in sorted(table.constraints, key=lambda constraint: str(constraint.name)):
        if isinstance(constraint, CheckConstraint):
            yield str(constraint.name), str(constraint.sqltext)
    for column in table.columns:
        if not column.nullable and column.computed is None:
            yield f"{column.name} is not null", f'"{column.name}" IS NOT NULL'


def _broken_rows(table: Table) -> tuple[str, str]:
    rules = list(_rules_of(table))
    broken = ", ".join(f"CASE WHEN ({sql}) IS FALSE THEN '{name}' END" for name, sql in rules)
    return (
        table.name,
        f"""
        SELECT '{table.name}' AS table, {_key(table)} AS row, array_to_string(ARRAY[{broken}], ', ') AS rules
        FROM {table.name} AS t
        WHERE {_of_organization(table)} AND (({") IS FALSE OR (".join(sql for _, sql in rules)}) IS FALSE)
        """,
    )


def _unique_keys(table: Table) -> Iterator[tuple[str, str]]:
    keys = [
        (constraint.name, [column.name for column in constraint.columns], "true")
        for constraint in table.constraints
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
    ]
    keys += [
        (index.name, [column.name for column in index.columns], str(index.dialect_options["postgresql"]["where"]))
        for index in table.indexes
        if index.unique
    ]
    for name, columns, where in sorted(keys, key=lambda key: str(key[0])):
        listed = ", ".join(f't."{column}"' for column in columns)
        pairs = ", ".join(f"""'{column}', t."{column}\"""" for column in columns)
        yield (
            table.name,
            f"""
            SELECT '{name}' AS key, jsonb_build_object({pairs}) AS values, count(*) AS rows
            FROM {table.name} AS t WHERE {_of_organization(table)} AND ({where})
            GROUP BY {listed} HAVING count(*) > 1
            """,
        )


def _references(table: Table) -> Iterator[tuple[str, str]]:
    for constraint in sorted(table.constraints, key=lambda constraint: str(constraint.name)):
        if isinstance(constraint, ForeignKeyConstraint):
            pairs = [(element.parent.name, element.column) for element in constraint.elements]
            same = " AND ".join(f"target.{column.name} = t.{name}" for name, column in pairs)
            given = " AND ".join(f"t.{name} IS NOT NULL" for name, _ in pairs)
            yield (
                table.name,
                f"""
                SELECT '{constraint.name}' AS key, {_key(table)} AS row FROM {table.name} AS t
                WHERE {_of_organization(table)} AND {given}
                AND NOT EXISTS (SELECT FROM {pairs[0][1].table.name} AS target WHERE {same})
                """,
            )


def _guarding() -> list[tuple[str, str, str]]:
    """Every constraint, unique index and trigger that guards a rule: table, name, kind."""
    names = [
        (table.name, str(constraint.name), "constraint")
        for table in _GUARDED
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint | PrimaryKeyConstraint | UniqueConstraint | ForeignKeyConstraint)
    ]
    names += [(table.name, str(index.name), "index") for table in _GUARDED for index in table.indexes if index.unique]
    return sorted([*names, *((table, trigger, "trigger") for table, trigger in _TRIGGERS)])


def _guards() -> str:
    """What should be guarding and is missing, not validated, or turned off."""
    wanted = ", ".join(f"('{table}', '{name}', '{kind}')" for table, name, kind in _guarding())
    return f"""
        SELECT wanted.owner AS table, wanted.name, wanted.kind,
            CASE WHEN there.name IS NULL THEN 'missing' ELSE 'not in force' END AS problem
        FROM (VALUES {wanted}) AS wanted (owner, name, kind)
        LEFT JOIN (
            SELECT conrelid AS owner, conname AS name, 'constraint' AS kind, convalidated AS holds
            FROM pg_constraint
            UNION ALL
            SELECT tgrelid, tgname, 'trigger', tgenabled IN ('O', 'A') FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL
            SELECT indrelid, relname, 'index', indisvalid AND indisunique
            FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        ) AS there ON there.owner = to_regclass(wanted.owner) AND there.name = wanted.name AND there.kind = wanted.kind
        WHERE there.holds IS NOT TRUE
        """


CONSTRAINTS: Final[tuple[SqlCheck, ...]] = (
    SqlCheck(
        Check(
            "the_database_guards_its_rules", "Every constraint and trigger that guards a rule is there and in force."
        ),
        "constraints and triggers",
        [Statement("none", _guards())],
        count=len(_guarding()),
    ),
    claim(
        "every_row_keeps_the_rules_of_its_table",
        "No row breaks a rule of its table.",
        "rows",
        *(_broken_rows(table) for table in _GUARDED),
    ),
    claim(
        "no_key_is_there_twice",
        "What must be unique is there once.",
        "rows",
        *(statement for table in _GUARDED for statement in _unique_keys(table)),
    ),
    claim(
        "every_reference_leads_somewhere",
        "Holds and phases are of known accounts; bindings follow closed ones, and what was superseded has its heir.",
        "rows",
        *(statement for table in _GUARDED for statement in _references(table)),
    ),
)
