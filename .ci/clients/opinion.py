"""fakesnow as a second opinion: the queries of opinion.sql give the same there and on the embedded warehouse.

Where they differ, DIFFERENCES says why and who is right; a difference that is gone must leave the list."""

import decimal
import pathlib
import re

import fakesnow
import snowflake.connector

from checks import E, check, finish

DIFFERENCES = {
    "months": "DATE_TRUNC of a DATE is a DATE (Snowflake: DATE_TRUNC, returns); fakesnow gives a timestamp",
    "first and last of a month": "likewise",
    "date arithmetic": "DATEADD of days or months to a DATE is a DATE (Snowflake: DATEADD, returns); fakesnow gives a timestamp",
    "dates as text": "TO_CHAR formats (Snowflake: TO_CHAR); fakesnow leaves the format out",
    "case of identifiers": "an alias in quotes keeps its case (Snowflake: Identifier requirements); fakesnow makes it upper case",
}

embedded = snowflake.connector.connect(
    account=E["snowflake_account"], user=E["user"], password=E["password"], protocol="http", host=E["snowflake_host"], port=E["snowflake_port"],
    session_parameters={"CLIENT_TELEMETRY_ENABLED": False}).cursor()
TABLE = "MARKET.RAW.STOCK_MARKET_DATA"
data = embedded.execute(f"SELECT * FROM {TABLE}").fetchall()


def queries():
    text = pathlib.Path(__file__).with_suffix(".sql").read_text()
    for block in text.split(";\n"):
        if m := re.search(r"^-- ([^\n]+)\n((?!--).*)", block.strip().split("\n\n")[-1], re.S):
            yield m[1], m[2]


def plain(v):
    """Numbers without their type: both sides are free to choose int, Decimal or float for an expression."""
    if isinstance(v, bool) or not isinstance(v, (int, float, decimal.Decimal)):
        return v
    return float(f"{v:.9g}")


def ask(cursor, sql):
    try:
        cursor.execute(sql)
        return [c.name for c in cursor.description], [tuple(plain(v) for v in row) for row in cursor.fetchall()]
    except Exception as e:  # an answer too
        return f"{type(e).__name__}: {e}".splitlines()[0][:160]


with fakesnow.patch():
    fake = snowflake.connector.connect(database="MARKET", schema="RAW").cursor()
    columns = "Index VARCHAR, Date DATE, Open FLOAT, High FLOAT, Low FLOAT, Close FLOAT, Adj_Close FLOAT, Volume FLOAT, CloseUSD FLOAT"
    fake.execute(f"CREATE TABLE {TABLE} ({columns})")
    for at in range(0, len(data), 500):
        rows = ", ".join("('" + r[0] + f"', '{r[1]}', " + ", ".join("NULL" if v is None else repr(v) for v in r[2:]) + ")" for r in data[at:at + 500])
        fake.execute(f"INSERT INTO {TABLE} VALUES {rows}")
    for name, sql in queries():
        @check(name + (" (differs)" if name in DIFFERENCES else ""))
        def _():
            got, want = ask(embedded, sql), ask(fake, sql)
            if name in DIFFERENCES:
                assert got != want, f"it does not differ any more: take {name!r} from DIFFERENCES"
            elif got != want:
                pairs = [(a, b) for a, b in zip(got[1], want[1]) if a != b][:3] if isinstance(got, tuple) and isinstance(want, tuple) and got[0] == want[0] else (got, want)
                raise AssertionError(f"\n  {sql}\n  embedded, fakesnow: {str(pairs)[:700]}")
    assert set(DIFFERENCES) <= {n for n, _ in queries()}

finish()
