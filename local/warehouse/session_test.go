package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/snowflakedb/gosnowflake/v2"
)

func TestLogin(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name, dsn string
		code      int
	}{
		{"wrong password", "mkt:wrong@%s?account=local&protocol=http", 390100},
		{"wrong user", "other:secret+of+the+test@%s?account=local&protocol=http", 390100},
		{"wrong account", "mkt:secret+of+the+test@%s?account=other&protocol=http", 390100},
		{"no such database", "mkt:secret+of+the+test@%s/NOPE?account=local&protocol=http", 390201},
	} {
		db, err := sql.Open("snowflake", fmt.Sprintf(c.dsn, l.url.Host))
		check(t, err)
		err = db.Ping()
		var se *gosnowflake.SnowflakeError
		if !errors.As(err, &se) || se.Number != c.code {
			t.Errorf("%s: got %v, want %d", c.name, err, c.code)
		}
		if err != nil && strings.Contains(err.Error(), testPassword) {
			t.Errorf("%s: the error shows the password", c.name)
		}
		db.Close()
	}
	l.exec(`CREATE DATABASE "mixed Case"`)
	db := l.connect(`/"mixed%20Case"/PUBLIC`, "&role=analyst&warehouse=compute_wh")
	var d, s, r, w, u string
	check(t, db.QueryRow(`SELECT CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_USER()`).Scan(&d, &s, &r, &w, &u))
	if got := strings.Join([]string{d, s, r, w, u}, "|"); got != "mixed Case|PUBLIC|ANALYST|COMPUTE_WH|MKT" {
		t.Errorf("context is %s", got)
	}
}

func TestSessionContext(t *testing.T) {
	l := newLab(t)
	l.want(`SELECT CURRENT_DATABASE(), CURRENT_WAREHOUSE()`, "NULL|COMPUTE_WH")
	l.fails(90105, "current database", `CREATE TABLE T (A INT)`)
	l.fails(2043, "", `USE DATABASE NOPE`)
	l.exec(`CREATE DATABASE D1`)
	l.want(`SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()`, "D1|PUBLIC")
	l.exec(`CREATE SCHEMA S1`)
	l.want(`SELECT CURRENT_SCHEMA()`, "S1")
	l.exec(`USE D1.PUBLIC`)
	l.want(`SELECT CURRENT_SCHEMA()`, "PUBLIC")
	l.exec(`ALTER SESSION SET TIMEZONE = 'America/New_York', QUERY_TAG = 'x'`)
	l.want(`SELECT TO_VARCHAR('2024-01-01 12:00:00+00:00'::TIMESTAMP_LTZ, 'YYYY-MM-DD HH24:MI')`, "2024-01-01 07:00")
	l.want(`SHOW PARAMETERS LIKE 'TIMEZONE'`, "TIMEZONE|America/New_York|UTC|SESSION||STRING")
	l.fails(1008, "TIMEZONE", `ALTER SESSION SET TIMEZONE = 'Mars/Base'`)
	l.exec(`ALTER SESSION UNSET TIMEZONE`)
	l.exec(`USE WAREHOUSE COMPUTE_WH`)
	l.exec(`DROP DATABASE D1`)
	l.want(`SELECT CURRENT_DATABASE()`, "NULL")
}

func TestTypesInResults(t *testing.T) {
	l := newLab(t)
	rows, err := l.db.Query(`SELECT 12345678901234567890123456789012345678::NUMBER(38,0) N, 1.25::NUMBER(10,2) D, 1.5::FLOAT F, TRUE B, 'x' V,
		'2024-02-29'::DATE DT, '2024-02-29 01:02:03.456789'::TIMESTAMP_NTZ TS, '2024-02-29 01:02:03+02:00'::TIMESTAMP_LTZ LT, PARSE_JSON('{"b":1.0,"a":[]}') J,
		NULL U, COUNT(*) C`)
	check(t, err)
	defer rows.Close()
	types, _ := rows.ColumnTypes()
	var names []string
	for _, ct := range types {
		p, s, _ := ct.DecimalSize()
		names = append(names, fmt.Sprintf("%s:%s(%d,%d)", ct.Name(), ct.DatabaseTypeName(), p, s))
	}
	if got, want := strings.Join(names, " "), "N:FIXED(38,0) D:FIXED(10,2) F:REAL(0,0) B:BOOLEAN(0,0) V:TEXT(0,0) DT:DATE(0,0) TS:TIMESTAMP_NTZ(0,0) LT:TIMESTAMP_LTZ(0,0) J:VARIANT(0,0) U:FIXED(10,0) C:FIXED(18,0)"; got != want {
		t.Errorf("types\ngot  %s\nwant %s", got, want)
	}
	rows.Close()
	l.want(`SELECT 12345678901234567890123456789012345678::NUMBER(38,0) N, -1.25::NUMBER(10,2) D, 1.5::FLOAT F, TRUE B, 'x' V,
		'1924-02-29'::DATE DT, '1924-02-29 01:02:03.456789'::TIMESTAMP_NTZ TS, '2024-02-29 01:02:03+02:00'::TIMESTAMP_LTZ LT, PARSE_JSON('{"b":1.0,"a":[]}') J, NULL U`,
		"12345678901234567890123456789012345678|-1.25|1.5|true|x|1924-02-29T00:00:00Z|1924-02-29T01:02:03.456789Z|2024-02-28T23:02:03Z|{\n  \"b\": 1.0,\n  \"a\": []\n}|NULL")
	var big1 *big.Int
	check(t, l.db.QueryRowContext(gosnowflake.WithHigherPrecision(context.Background()), `SELECT 12345678901234567890123456789012345678::NUMBER(38,0)`).Scan(&big1))
	if big1.String() != "12345678901234567890123456789012345678" {
		t.Errorf("big number is %v", big1)
	}
}

// A column that is a table's is described as the table declares it, and what is computed as DuckDB has it.
func TestDeclaredTypesInResults(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (V VARCHAR(20), O OBJECT, A ARRAY, Z TIMESTAMP_TZ, B BINARY(8), N NUMBER(10,2))`)
	l.exec(`CREATE TABLE U (V VARCHAR(5), K INT)`)
	l.exec(`INSERT INTO T SELECT 'x', OBJECT_CONSTRUCT('k', 1), ARRAY_CONSTRUCT(1), '2024-02-28 23:02:03+00:00', TO_BINARY('00FF', 'HEX'), 1.5`)
	for query, want := range map[string]string{
		`SELECT * FROM T`: "V:TEXT(20) O:OBJECT(0) A:ARRAY(0) Z:TIMESTAMP_TZ(0) B:BINARY(8) N:FIXED(0)",
		`SELECT u.V, t.V AS W, o FROM T, D.PUBLIC.U`:       "V:TEXT(5) W:TEXT(20) O:OBJECT(0)",
		`SELECT D.PUBLIC.T.V, V || 'y' AS W, T.A FROM T`:   "V:TEXT(20) W:TEXT(16777216) A:ARRAY(0)",
		`SELECT U.*, T.Z FROM U RIGHT JOIN T ON T.V = U.V`: "V:TEXT(5) K:FIXED(0) Z:TIMESTAMP_TZ(0)",
		`SELECT V FROM (SELECT V FROM T)`:                  "V:TEXT(16777216)",
		`WITH T AS (SELECT 'x' AS V) SELECT V FROM T`:      "V:TEXT(16777216)",
		`SELECT V FROM T UNION ALL SELECT V FROM U`:        "V:TEXT(16777216)",
		`SELECT * EXCLUDE (O, A, Z, B, N) FROM T`:          "V:TEXT(16777216)",
	} {
		rows, err := l.db.Query(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		types, _ := rows.ColumnTypes()
		var got []string
		for _, ct := range types {
			n, _ := ct.Length()
			got = append(got, fmt.Sprintf("%s:%s(%d)", ct.Name(), ct.DatabaseTypeName(), n))
		}
		rows.Close()
		if strings.Join(got, " ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
	l.want(`SELECT Z, O, A FROM T`, "2024-02-28T23:02:03Z|{\n  \"k\": 1\n}|[\n  1\n]")
}

func TestBindings(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT, B VARCHAR, C FLOAT, D BOOLEAN, E TIMESTAMP_NTZ, F BINARY)`)
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	nasty := `it's \ "here" ?; $$`
	l.exec(`INSERT INTO T VALUES (?, ?, ?, ?, ?, ?)`, 7, nasty, -2.5, true, at, gosnowflake.DataTypeBinary, []byte{0, 255})
	l.exec(`INSERT INTO T (B, A) SELECT ?, ?`, nil, -8)
	rows := l.rows(`SELECT A, B, C, D, E, F FROM T WHERE A = ? OR B = ? ORDER BY 1`, -8, nasty)
	want := []string{"-8|NULL|NULL|NULL|NULL|NULL", "7|" + nasty + "|-2.5|true|2024-05-06T07:08:09.123456Z|[0 255]"}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q\nwant %q", rows, want)
	}
	a, err := gosnowflake.Array([]int{1, 2, 3})
	check(t, err)
	b, err := gosnowflake.Array([]string{"x", "y'", "z"})
	check(t, err)
	res, err := l.db.Exec(`INSERT INTO T (A, B) VALUES (?, ?)`, a, b)
	check(t, err)
	if n, _ := res.RowsAffected(); n != 3 {
		t.Errorf("array binding inserted %d rows", n)
	}
	l.want(`SELECT A, B FROM T WHERE A BETWEEN 1 AND 3 ORDER BY A`, "1|x", "2|y'", "3|z")
	l.fails(2049, "not set", `SELECT ?`)
}

func TestBoundValues(t *testing.T) {
	const ns = "1704164645123456789" // 2024-01-02T03:04:05.123456789Z
	for _, c := range []struct {
		typ         string
		value       any
		want, wrong string
	}{
		{"FIXED", "-7", "(-7)", ""}, {"FIXED", "1e3", "'1e3'::FLOAT", ""}, {"FIXED", "x", "", "FIXED"}, {"REAL", 1.5, "'1.5'::FLOAT", ""}, {"TEXT", nil, "NULL", ""},
		{"BOOLEAN", "true", "TRUE", ""}, {"BOOLEAN", "maybe", "", "BOOLEAN"}, {"DATE", "1704164645000", "'2024-01-02'::DATE", ""}, {"DATE", "today", "", "DATE"},
		{"TIME", "11045000000000", "'03:04:05.000000000'::TIME", ""}, {"TIME", "", "", "TIME"}, {"TIMESTAMP_NTZ", ns, "'2024-01-02 03:04:05.123456789'::TIMESTAMP_NTZ", ""},
		{"TIMESTAMP_LTZ", ns, "'2024-01-02 03:04:05.123456789+00:00'::TIMESTAMP_LTZ", ""}, {"TIMESTAMP_TZ", ns + " 1440", "'2024-01-02 03:04:05.123456789+00:00'::TIMESTAMP_TZ", ""},
		{"TIMESTAMP_TZ", ns + " 1500", "", "another offset"}, {"TIMESTAMP_TZ", " ", "", "TIMESTAMP_TZ"}, {"BINARY", "00ff", `'\\x00\\xff'::BINARY`, ""}, {"BINARY", "0", "", "BINARY"},
		{"VARIANT", `{"a":1}`, `PARSE_JSON('{"a":1}')`, ""},
	} {
		got, err := bind("?", map[string]binding{"1": {c.typ, c.value}}, false)
		if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s %v: %s, %v; want %s %s", c.typ, c.value, got, err, c.want, c.wrong)
		}
	}
	lists := map[string]binding{"1": {"FIXED", []any{"1", "2"}}, "2": {"TEXT", []any{"x", nil}}}
	if got, err := bind("INSERT INTO T VALUES (:2, :1);", lists, false); err != nil || got != "INSERT INTO T VALUES ('x', (1)), (NULL, (2))" {
		t.Errorf("lists: %s, %v", got, err)
	}
	if _, err := bind("SELECT ?, ?", lists, false); err == nil || !strings.Contains(err.Error(), "array bindings") {
		t.Error(err)
	}
	lists["2"] = binding{"TEXT", []any{"x"}}
	if _, err := bind("INSERT INTO T VALUES (?, ?)", lists, false); err == nil || !strings.Contains(err.Error(), "differ in length") {
		t.Error(err)
	}
}

func TestSeveralStatements(t *testing.T) {
	l := newLab(t)
	ctx := gosnowflake.WithMultiStatement(context.Background(), 3)
	rows, err := l.db.QueryContext(ctx, `CREATE DATABASE D; CREATE TABLE T (A INT) -- ; not here
	; SELECT 1 UNION ALL SELECT 2`)
	check(t, err)
	sets := 0
	for ok := true; ok; ok = rows.NextResultSet() {
		sets++
		for rows.Next() {
		}
	}
	rows.Close()
	if sets != 3 {
		t.Errorf("%d result sets, want 3", sets)
	}
	l.fails(8, "statement count 2", `SELECT 1; SELECT 2`)
	ctx = gosnowflake.WithMultiStatement(context.Background(), 0)
	res, err := l.db.ExecContext(ctx, `INSERT INTO T VALUES (1), (2); INSERT INTO T VALUES (3); DELETE FROM T WHERE A = 1`)
	check(t, err)
	if n, _ := res.RowsAffected(); n != 4 {
		t.Errorf("%d rows affected, want 4", n)
	}
}

func TestAsync(t *testing.T) {
	l := newLab(t)
	ids := make(chan string, 1)
	ctx := gosnowflake.WithQueryIDChan(gosnowflake.WithAsyncMode(context.Background()), ids)
	rows, err := l.db.QueryContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 UNION ALL SELECT 2)`)
	check(t, err)
	var n int
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	check(t, rows.Scan(&n))
	rows.Close()
	if n != 2 {
		t.Errorf("got %d", n)
	}
	again, err := l.db.QueryContext(gosnowflake.WithFetchResultByID(context.Background(), <-ids), "")
	check(t, err)
	defer again.Close()
	if !again.Next() {
		t.Fatal("no rows when fetched by id")
	}
}

func TestCancel(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := l.db.ExecContext(ctx, `WITH RECURSIVE R AS (SELECT 1 AS N UNION ALL SELECT N + 1 FROM R WHERE N < 2000000000) SELECT SUM(N) FROM R`)
	if err == nil {
		t.Fatal("the endless query ended")
	}
	l.db.SetMaxOpenConns(2)
	l.want(`SELECT 1`, "1")
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("cancel took %s", d)
	}
}

func TestDescribeOnly(t *testing.T) {
	l := newLab(t)
	rows, err := l.db.QueryContext(gosnowflake.WithDescribeOnly(context.Background()), `SELECT 1::NUMBER(5,2) A, 'x' B`)
	check(t, err)
	defer rows.Close()
	types, _ := rows.ColumnTypes()
	if len(types) != 2 || types[0].DatabaseTypeName() != "FIXED" || types[1].Name() != "B" {
		t.Errorf("types are %v", types)
	}
}

func TestTransactions(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	tx, err := l.db.Begin()
	check(t, err)
	_, err = tx.Exec(`INSERT INTO T VALUES (1)`)
	check(t, err)
	check(t, tx.Rollback())
	l.want(`SELECT COUNT(*) FROM T`, "0")
	tx, err = l.db.Begin()
	check(t, err)
	_, err = tx.Exec(`INSERT INTO T VALUES (2)`)
	check(t, err)
	_, err = tx.Exec(`CREATE TABLE U (B INT)`) // DDL commits
	check(t, err)
	check(t, tx.Rollback())
	l.want(`SELECT * FROM T`, "2")
}

func TestLargeResult(t *testing.T) {
	l := newLab(t)
	const n = 300_000
	rows, err := l.db.Query(fmt.Sprintf(`SELECT SEQ4() AS N, 'row ' || SEQ4() AS S FROM TABLE(GENERATOR(ROWCOUNT => %d))`, n))
	check(t, err)
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var i int
		var s string
		check(t, rows.Scan(&i, &s))
		if i != seen || s != fmt.Sprint("row ", i) {
			t.Fatalf("row %d is %d, %q", seen, i, s)
		}
		seen++
	}
	check(t, rows.Err())
	if seen != n {
		t.Errorf("%d rows, want %d", seen, n)
	}
}

func TestRefused(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	for q, text := range map[string]string{
		`MERGE INTO T USING U ON 1=1`:                 "MERGE",
		`CREATE ALERT T AS SELECT 1`:                  "ALERT",
		`CREATE TEMPORARY TABLE T (A INT)`:            "TEMPORARY",
		`CREATE TABLE T (A INT AUTOINCREMENT)`:        "AUTOINCREMENT",
		`CREATE TABLE T CLONE U`:                      "CLONE",
		`CREATE STAGE S`:                              "internal stages",
		`SHOW ALERTS`:                                 "ALERTS",
		`SELECT SYSTEM$WAIT(1)`:                       "SYSTEM$WAIT",
		`SELECT * FROM TABLE(INFORMATION_SCHEMA.X())`: "INFORMATION_SCHEMA.X",
		`SELECT * FROM INFORMATION_SCHEMA.POLICIES`:   "POLICIES",
		`PUT file:///x @s`:                            "PUT",
		`CREATE FILE FORMAT F TYPE = XML`:             "XML",
		`CREATE TABLE T (A INT, "a" INT)`:             "case",
	} {
		l.fails(2, text, q)
	}
	for q, code := range map[string]int{
		`SELECT FROM WHERE`:                     1003,
		`CREATE TABLE T (A INT`:                 1003,
		`CREATE TABLE T (A NOTYPE)`:             2040,
		`SELEC 1`:                               1003,
		`DROP TABLE T`:                          2003,
		`SELECT * FROM NOPE`:                    2003,
		`SELECT * FROM D.NOPE.T`:                2003,
		`SELECT X FROM (SELECT 1 AS A)`:         904,
		`ALTER TABLE NOPE ADD COLUMN A INT`:     2003,
		`SELECT 1 / 0`:                          100051,
		`SELECT 'x'::INT`:                       100038,
		`SELECT * FROM read_csv('/etc/passwd')`: 0,
		`SELECT * FROM '/etc/passwd'`:           0,
	} {
		_, err := l.db.Query(q)
		var se *gosnowflake.SnowflakeError
		if !errors.As(err, &se) || code != 0 && se.Number != code {
			t.Errorf("%s: got %v, want %d", q, err, code)
		}
	}
}

func TestRenewAndGoneSession(t *testing.T) {
	l := newLab(t)
	l.want(`SELECT 1`, "1")
	l.close()
	l.open()
	l.want(`SELECT 1`, "1")
}
