"""The Snowflake connector for Python on the embedded warehouse: types, bindings, errors, several statements, async."""

import datetime as dt
import decimal
import json
import time

import snowflake.connector
from snowflake.connector import ProgrammingError
from snowflake.connector.errors import DatabaseError

from checks import E, check, equal, fails, finish


def connect(**more):
    settings = dict(
        account=E["snowflake_account"], user=E["user"], password=E["password"], protocol="http", host=E["snowflake_host"],
        port=E["snowflake_port"], warehouse="COMPUTE_WH", role="SYSADMIN", login_timeout=20,
        session_parameters={"CLIENT_TELEMETRY_ENABLED": False, "TIMEZONE": "UTC"},
    )
    return snowflake.connector.connect(**(settings | more))


con = connect()
cur = con.cursor()


def rows(sql, *args):
    return cur.execute(sql, *args).fetchall()


@check("refuses a wrong password")
def _():
    e = fails(lambda: connect(password="no"), DatabaseError)
    equal(e.errno, 390100)


@check("context functions and session")
def _():
    equal(rows("SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE()"), [("SYSADMIN", "COMPUTE_WH")])
    cur.execute("CREATE OR REPLACE DATABASE PY")
    cur.execute("USE DATABASE PY")
    equal((con.database, con.schema), ("PY", "PUBLIC"))
    cur.execute("CREATE SCHEMA S1")
    equal(con.schema, "S1")
    cur.execute("USE SCHEMA PUBLIC")
    equal(con.schema, "PUBLIC")


@check("every type arrives as the Python type that Snowflake's documentation names")
def _():
    cur.execute("""CREATE TABLE T (N NUMBER(38,0), D NUMBER(10,2), F FLOAT, B BOOLEAN, V VARCHAR(20), BI BINARY, DA DATE, TI TIME,
        NTZ TIMESTAMP_NTZ, LTZ TIMESTAMP_LTZ, TZ TIMESTAMP_TZ, J VARIANT, O OBJECT, A ARRAY)""")
    cur.execute("""INSERT INTO T SELECT 12345678901234567890123456789012345678, -1.25, 1.5, TRUE, 'häß', TO_BINARY('00FF', 'HEX'), '1924-02-29', '01:02:03.456',
        '1924-02-29 01:02:03.456789', '2024-02-29 01:02:03+02:00', '2024-02-28 23:02:03.5+00:00', PARSE_JSON('{"b":1.0,"a":[]}'), OBJECT_CONSTRUCT('k', 1), ARRAY_CONSTRUCT(1, 'x')""")
    cur.execute("INSERT INTO T (V) VALUES (NULL)")
    got = rows("SELECT * FROM T ORDER BY N NULLS LAST")
    equal(got[1], (None,) * 14)
    row = list(got[0])
    variant, obj, array = (json.loads(v) for v in row[11:])
    equal((variant, obj, array), ({"b": 1.0, "a": []}, {"k": 1}, [1, "x"]))
    equal(row[:9], [12345678901234567890123456789012345678, decimal.Decimal("-1.25"), 1.5, True, "häß", b"\x00\xff",
                    dt.date(1924, 2, 29), dt.time(1, 2, 3, 456000), dt.datetime(1924, 2, 29, 1, 2, 3, 456789)])
    equal(row[9], dt.datetime(2024, 2, 28, 23, 2, 3, tzinfo=dt.timezone.utc))
    equal(row[10], dt.datetime(2024, 2, 28, 23, 2, 3, 500000, tzinfo=dt.timezone.utc))


@check("the same values as JSON results")
def _():
    arrow = rows("SELECT * FROM T ORDER BY N NULLS LAST")
    cur.execute("ALTER SESSION SET PYTHON_CONNECTOR_QUERY_RESULT_FORMAT = 'JSON'")
    equal(rows("SELECT * FROM T ORDER BY N NULLS LAST"), arrow)
    cur.execute("ALTER SESSION UNSET PYTHON_CONNECTOR_QUERY_RESULT_FORMAT")


@check("cursor.description")
def _():
    cur.execute("SELECT * FROM T")
    codes = {c.name: snowflake.connector.constants.FIELD_ID_TO_NAME[c.type_code] for c in cur.description}
    equal(codes, dict(N="FIXED", D="FIXED", F="REAL", B="BOOLEAN", V="TEXT", BI="BINARY", DA="DATE", TI="TIME", NTZ="TIMESTAMP_NTZ",
                      LTZ="TIMESTAMP_LTZ", TZ="TIMESTAMP_TZ", J="VARIANT", O="OBJECT", A="ARRAY"))
    d = {c.name: c for c in cur.description}
    equal((d["N"].precision, d["N"].scale, d["D"].precision, d["D"].scale), (38, 0, 10, 2))
    equal((d["V"].is_nullable, d["V"].internal_size, d["NTZ"].scale), (True, 20, 9))
    equal([c.name for c in cur.describe("SELECT 1 AS ONE, 'x' AS TWO")], ["ONE", "TWO"])


@check("rowcount, fetchone, fetchmany, iteration")
def _():
    cur.execute("CREATE TABLE R (A INT)")
    equal(cur.execute("INSERT INTO R VALUES (1), (2), (3)").rowcount, 3)
    equal(cur.execute("UPDATE R SET A = A + 10 WHERE A > 1").rowcount, 2)
    equal(cur.execute("DELETE FROM R WHERE A = 1").rowcount, 1)
    equal(cur.execute("SELECT A FROM R ORDER BY A").rowcount, 2)
    equal((cur.fetchone(), cur.fetchmany(5), cur.fetchone()), ((12,), [(13,)], None))
    equal([r for (r,) in con.cursor().execute("SELECT A FROM R ORDER BY 1 DESC")], [13, 12])
    equal(con.cursor(snowflake.connector.DictCursor).execute("SELECT A FROM R WHERE A = 12").fetchall(), [{"A": 12}])


@check("client-side bindings, %s and %(name)s")
def _():
    equal(rows("SELECT %s, %s, %s, %s", (1, "it's \\ %", None, dt.date(2024, 2, 29))), [(1, "it's \\ %", None, "2024-02-29")])
    equal(rows("SELECT %(a)s + %(b)s AS X", {"a": 1, "b": 2}), [(3,)])


@check("server-side bindings, ? and :1")
def _():
    old = snowflake.connector.paramstyle
    snowflake.connector.paramstyle = "qmark"
    try:
        with connect(database="PY") as c2, c2.cursor() as c:
            at = dt.datetime(2024, 5, 6, 7, 8, 9, 123456)
            c.execute("CREATE OR REPLACE TABLE B (A INT, B VARCHAR, C FLOAT, D BOOLEAN, E TIMESTAMP_NTZ, F DATE, G NUMBER(10,3), H BINARY, I TIME)")
            c.execute("INSERT INTO B VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      (7, "it's ?", -2.5, False, at, dt.date(1969, 12, 31), decimal.Decimal("1.125"), b"\x00\x01", dt.time(1, 2, 3)))
            c.execute("INSERT INTO B (A, B) VALUES (:1, :2)", (8, None))
            c.execute("SELECT * FROM B WHERE A IN (?, ?) ORDER BY A", (7, 8))
            equal(c.fetchall(), [(7, "it's ?", -2.5, False, at, dt.date(1969, 12, 31), decimal.Decimal("1.125"), b"\x00\x01", dt.time(1, 2, 3)), (8,) + (None,) * 8])
            c.executemany("INSERT INTO B (A, B) VALUES (?, ?)", [(i, f"v{i}") for i in range(100, 400)])
            equal(c.execute("SELECT COUNT(*), MAX(B) FROM B WHERE A >= 100").fetchone(), (300, "v399"))
    finally:
        snowflake.connector.paramstyle = old


@check("executemany by client-side bindings")
def _():
    cur.execute("CREATE OR REPLACE TABLE M (A INT, B VARCHAR)")
    cur.executemany("INSERT INTO M (A, B) VALUES (%s, %s)", [(i, f"o'{i}") for i in range(50)])
    equal(rows("SELECT COUNT(*), SUM(A), MIN(B) FROM M"), [(50, 1225, "o'0")])


@check("errors carry errno, sqlstate and the query's id")
def _():
    for sql, errno, state in [
        ("SELECT * FROM NOWHERE", 2003, "42S02"),
        ("SELEKT 1", 1003, "42000"),
        ("SELECT NOPE FROM T", 904, "42000"),
        ("CREATE TABLE T (A INT)", 2002, "42710"),
        ("USE DATABASE NOWHERE", 2043, "02000"),
        ("SELECT NO_SUCH_FUNCTION(1)", 2, "0A000"),  # 2140 in Snowflake; the embedded warehouse names what it does not know
        ("SELECT 'x'::INT", 100038, "22018"),
        ("SELECT 1/0", 100051, "22012"),
    ]:
        e = fails(lambda: cur.execute(sql), ProgrammingError)
        equal((sql, e.errno, e.sqlstate, bool(e.sfqid)), (sql, errno, state, True))


@check("several statements in one request")
def _():
    cur.execute("SELECT 1; SELECT 2 AS TWO UNION ALL SELECT 3 ORDER BY 1; CREATE OR REPLACE TABLE MS (A INT)", num_statements=3)
    got = [cur.fetchall()]
    while cur.nextset():
        got.append(cur.fetchall())
    equal(got, [[(1,)], [(2,), (3,)], [("Table MS successfully created.",)]])
    fails(lambda: cur.execute("SELECT 1; SELECT 2"), ProgrammingError)
    equal([c.fetchall() for c in con.execute_string("SELECT 5; SELECT 6")], [[(5,)], [(6,)]])


@check("an async query is polled and fetched by its id")
def _():
    cur.execute_async("SELECT SUM(A) FROM M")
    query = cur.sfqid
    until = time.monotonic() + 30
    while con.is_still_running(con.get_query_status(query)) and time.monotonic() < until:
        time.sleep(0.05)
    equal(con.get_query_status(query).name, "SUCCESS")
    other = con.cursor()
    other.get_results_from_sfqid(query)
    equal(other.fetchall(), [(1225,)])
    cur.execute_async("SELECT * FROM NOWHERE")
    query = cur.sfqid
    while con.is_still_running(con.get_query_status(query)) and time.monotonic() < until:
        time.sleep(0.05)
    e = fails(lambda: con.get_query_status_throw_if_error(query), ProgrammingError)
    equal(e.errno, 2003)


@check("a statement is cancelled after its timeout, and when asked")
def _():
    endless = "WITH RECURSIVE R AS (SELECT 1 AS N UNION ALL SELECT N + 1 FROM R WHERE N < 2000000000) SELECT SUM(N) FROM R"
    cur.execute("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    e = fails(lambda: cur.execute(endless), ProgrammingError)
    equal((e.errno, e.sqlstate), (630, "57014"))
    cur.execute("ALTER SESSION UNSET STATEMENT_TIMEOUT_IN_SECONDS")
    cur.execute_async(endless)
    query = cur.sfqid
    equal(cur.abort_query(query), True)
    until = time.monotonic() + 30
    while con.is_still_running(con.get_query_status(query)) and time.monotonic() < until:
        time.sleep(0.05)
    fails(lambda: con.get_query_status_throw_if_error(query), ProgrammingError)
    equal(rows("SELECT 1"), [(1,)])


@check("transactions")
def _():
    con.autocommit(False)
    cur.execute("INSERT INTO M VALUES (1000, 'x')")
    con.rollback()
    equal(rows("SELECT COUNT(*) FROM M"), [(50,)])
    cur.execute("INSERT INTO M VALUES (1000, 'x')")
    con.commit()
    con.autocommit(True)
    with connect(database="PY") as c2:
        equal(c2.cursor().execute("SELECT COUNT(*) FROM M").fetchone(), (51,))


@check("a result of many rows")
def _():
    cur.execute("CREATE OR REPLACE TABLE DIGITS AS SELECT COLUMN1 AS N FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))")
    got = rows("SELECT X, 'row ' || X AS S FROM (SELECT 10000 * A.N + 1000 * B.N + 100 * C.N + 10 * D.N + E.N AS X FROM DIGITS A, DIGITS B, DIGITS C, DIGITS D, DIGITS E) ORDER BY 1")
    equal((len(got), got[0], got[-1]), (100000, (0, "row 0"), (99999, "row 99999")))


@check("SHOW and DESCRIBE, filtered by RESULT_SCAN")
def _():
    cur.execute("SHOW TABLES IN SCHEMA PY.PUBLIC")
    names = [c.name for c in cur.description]
    equal(sorted(r[names.index("name")] for r in cur), ["B", "DIGITS", "M", "MS", "R", "T"])
    equal([r[:4] for r in rows("DESC TABLE M")], [("A", "NUMBER(38,0)", "COLUMN", "Y"), ("B", "VARCHAR(16777216)", "COLUMN", "Y")])


@check("what the stream loaded, and the queries of the stack")
def _():
    (count, total), = rows("SELECT COUNT(*), SUM(Close) FROM MARKET.RAW.STOCK_MARKET_DATA")
    assert count > 1000 and isinstance(total, float), (count, total)
    cur.execute("SELECT Index, Date, Close FROM MARKET.RAW.STOCK_MARKET_DATA ORDER BY Date LIMIT 1")
    index, date, close = cur.fetchone()
    assert isinstance(index, str) and isinstance(date, dt.date) and isinstance(close, float), (index, date, close)


con.close()
finish()
