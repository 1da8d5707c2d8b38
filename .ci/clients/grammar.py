"""Parses every statement that mkt can send to Snowflake by a grammar that nobody here wrote: SQLFluff's of Snowflake.

The statements are the golden ones of the provider (providers/snowflake/testdata) and the queries of the example. What the
grammar does not know is in UNKNOWN with the page of Snowflake's documentation that does; what it learns must leave the list."""

import pathlib
import re

from sqlfluff.core import FluffConfig, Linter

from checks import check, finish

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNKNOWN = {
    r"ALTER FILE FORMAT \S+ SET ": "ALTER FILE FORMAT: SET { [ formatTypeOptions ] [ COMMENT ] }, without TYPE",
    r"ALTER NOTIFICATION INTEGRATION \S+ SET ": "ALTER NOTIFICATION INTEGRATION: SET [ ENABLED ] … [ COMMENT ]",
    r"CREATE PIPE .* ERROR_INTEGRATION = ": "CREATE PIPE: [ ERROR_INTEGRATION = <name> ] beside INTEGRATION",
    r"ALTER PIPE \S+ UNSET ERROR_INTEGRATION": "ALTER PIPE: UNSET { <property_name> | COMMENT }",
    r"ALTER TABLE \S+ ADD COLUMN .* COMMENT '": "ALTER TABLE: a column that is added may have what one that is created has",
}
linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
used = set()


def statements(path):
    for text in re.split(r";\n", path.read_text()):
        text = "\n".join(line for line in text.strip().splitlines() if not line.startswith("-- ")).strip()
        if text:
            yield text


def parse(sql):
    known = next((p for p in UNKNOWN if re.match(p, sql, re.S)), None)
    errors = [str(v) for v in linter.parse_string(sql + ";\n").violations]
    if known and errors:
        used.add(known)
    elif errors:
        raise AssertionError(f"\n  {sql}\n  {errors[0]}")


@check("the grammar refuses what is no statement")
def _():
    for sql in ["ALTER PIPE P REFRESSH", "CREATE TABEL T (A INT)", "COPY INTO T FRM @S", "SELECT FROM WHERE"]:
        assert linter.parse_string(sql + ";\n").violations, sql


for file in sorted((ROOT / "providers/snowflake/testdata").glob("*.sql")):
    all = list(statements(file))

    @check(f"{file.name}: {len(all)} statements")
    def _():
        assert all
        for sql in all:
            parse(sql)


@check("the queries of the example, and those of opinion.sql")
def _():
    queries = re.findall(r"<<-SQL\n(.*?)\n\s*SQL\n", (ROOT / "examples/stack.hcl").read_text(), re.S)
    assert len(queries) >= 3
    for sql in queries + list(statements(pathlib.Path(__file__).with_name("opinion.sql"))):
        parse(sql.strip())


@check("nothing is in the list that the grammar knows")
def _():
    assert used == set(UNKNOWN), set(UNKNOWN) - used


finish()
