"""Parses every statement that mkt can send to Snowflake by a grammar that nobody here wrote: SQLFluff's of Snowflake.

The statements are the golden ones of the provider (providers/snowflake/testdata: by kind what plans lead to, in sent.sql the
shapes of all that its tests sent), those of the other packages, and the queries of the example. What the grammar does not know is in UNKNOWN with the page of Snowflake's documentation that does; what it learns must leave the list."""

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
    r"SHOW DYNAMIC TABLES ": "SHOW DYNAMIC TABLES: IN SCHEMA <name>",
    r"SHOW GRANTS ON (FILE FORMAT|INTEGRATION|STAGE|PIPE|DYNAMIC TABLE|STREAM) ": "SHOW GRANTS: ON <object_type> <object_name>",
    r"SHOW USER PROGRAMMATIC ACCESS TOKENS": "SHOW USER PROGRAMMATIC ACCESS TOKENS: [ FOR USER <username> ]",
    r"ALTER TABLE \S+ ADD COLUMN .* COMMENT '": "ALTER TABLE: a column that is added may have what one that is created has",
}
# What packages other than the provider send, by the expression in Go; `query` is what the user asks.
ELSEWHERE = {
    'audit: "SELECT "+strings.Join(cols, ", ")+" FROM "+t.Name': 'SELECT "INDEX", "DATE" FROM "MARKET"."RAW"."STOCK_MARKET_DATA"',
    'cmd/mkt: "SELECT * FROM "+table+" LIMIT 0"': 'SELECT * FROM "MARKET"."RAW"."STOCK_MARKET_DATA" LIMIT 0',
    'cmd/mkt: "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_VERSION()"': "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_VERSION()",
    'cmd/mkt: "SELECT SYSTEM$PIPE_STATUS(?)", n.SQL()': "SELECT SYSTEM$PIPE_STATUS('S')",
    "cmd/mkt: query": "SELECT 1",
}
# The grammar looks into some texts, which the shapes of sent.sql have as 'S'.
TEXTS = {"URL = 'S'": "URL = 'azure://a.blob.core.windows.net/c/'", "LOCATIONS = ('S')": "LOCATIONS = ('azure://a.blob.core.windows.net/c/')", "ON_ERROR = 'S'": "ON_ERROR = 'SKIP_FILE_10%'"}
linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake"}))
used = set()


def statements(path):
    for text in re.split(r";\n", path.read_text()):
        text = "\n".join(line for line in text.strip().splitlines() if not line.startswith("-- ")).strip()
        for shape, example in TEXTS.items():
            text = text.replace(shape, example)
        if text:
            yield text


def parse(*all):
    """Raises what the grammar cannot read of these statements."""
    bad = [e for e in map(fault, all) if e]
    if bad:
        raise AssertionError("".join(bad))


def fault(sql):
    known = next((p for p in UNKNOWN if re.match(p, sql, re.S)), None)
    errors = [str(v) for v in linter.parse_string(sql + ";\n").violations]
    if known and errors:
        used.add(known)
    elif errors:
        return f"\n  {sql}\n    {errors[0][:200]}"


@check("the grammar refuses what is no statement")
def _():
    for sql in ["ALTER PIPE P REFRESSH", "CREATE TABEL T (A INT)", "COPY INTO T FRM @S", "SELECT FROM WHERE"]:
        assert linter.parse_string(sql + ";\n").violations, sql


for file in sorted((ROOT / "providers/snowflake/testdata").glob("*.sql")):
    all = list(statements(file))

    @check(f"{file.name}: {len(all)} statements")
    def _():
        assert all
        parse(*all)


@check(f"{len(ELSEWHERE)} statements of audit and cmd/mkt")
def _():
    found = set()
    for package in ["audit", "cmd/mkt"]:
        for file in (ROOT / package).glob("*.go"):
            if not file.name.endswith("_test.go"):
                for call in re.findall(r"\b(?:Query|QueryRow|Exec)Context\((?:ctx|[\w.]+\(ctx\)), (.*?)\)(?:\.Scan\(.*)?[;\n]", file.read_text()):
                    found.add(f"{package}: {re.sub(r'[)][.]Scan[(].*', '', call)}")
    assert found == set(ELSEWHERE), found ^ set(ELSEWHERE)
    parse(*ELSEWHERE.values())


@check("the queries of the example, and those of opinion.sql")
def _():
    queries = re.findall(r"<<-SQL\n(.*?)\n\s*SQL\n", (ROOT / "examples/stack.hcl").read_text(), re.S)
    assert len(queries) >= 3
    parse(*queries, *statements(pathlib.Path(__file__).with_name("opinion.sql")))


@check("nothing is in the list that the grammar knows")
def _():
    assert used == set(UNKNOWN), set(UNKNOWN) - used


finish()
