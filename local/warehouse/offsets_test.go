package warehouse

import (
	"testing"
	"time"

	"github.com/snowflakedb/gosnowflake/v2"
)

// A TIMESTAMP_LTZ is an instant, in whatever offset it was written.
func TestOffsetsOfTimes(t *testing.T) {
	l := newLab(t)
	for _, text := range []string{"2024-02-29 01:02:03 +0200", "2024-02-29 01:02:03 +02:00", "2024-02-29 01:02:03+02:00", "2024-02-29T01:02:03+0200"} {
		l.want(`SELECT '`+text+`'::TIMESTAMP_LTZ`, "2024-02-28T23:02:03Z")
	}
	l.want(`SELECT '2024-02-29 01:02:03'::TIMESTAMP_LTZ`, "2024-02-29T01:02:03Z")
}

// A TIMESTAMP_TZ keeps its offset in Snowflake. DuckDB keeps instants alone, so what has another offset than UTC's is refused, wherever
// it comes from.
func TestTimesWithOffset(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE Z (N INT, Z TIMESTAMP_TZ, L TIMESTAMP_LTZ)`)
	for _, text := range []string{"2024-02-29 01:02:03 +0000", "2024-02-29 01:02:03 +00:00", "2024-02-29T01:02:03Z", "2024-02-29 01:02:03"} {
		l.want(`SELECT '`+text+`'::TIMESTAMP_TZ`, "2024-02-29T01:02:03Z")
	}
	l.want(`SELECT TIMESTAMP_TZ '2024-02-29 01:02:03', TRY_CAST('no time' AS TIMESTAMP_TZ), NULL::TIMESTAMP_TZ, TO_CHAR('2024-02-29 01:02:03'::TIMESTAMP_TZ, 'HH24')`, "2024-02-29T01:02:03Z|NULL|NULL|01")
	rows, err := l.db.Query(`SELECT '2024-02-29'::TIMESTAMP_TZ AS A, Z, L FROM Z`)
	check(t, err)
	types, err := rows.ColumnTypes()
	check(t, err)
	rows.Close()
	for i, want := range []string{"TIMESTAMP_TZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ"} {
		if got := types[i].DatabaseTypeName(); got != want {
			t.Errorf("column %d is %s, want %s", i, got, want)
		}
	}
	l.exec(`CREATE TABLE COPIED AS SELECT Z, L, '2024-02-29'::TIMESTAMP_TZ AS T FROM Z`)
	l.want(`SELECT LISTAGG(DATA_TYPE, ' ') FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'COPIED'`, "TIMESTAMP_TZ TIMESTAMP_LTZ TIMESTAMP_TZ")
	const what = "a TIMESTAMP_TZ with another offset than +00:00"
	const bad = "'2024-02-29 01:02:03 +0200'"
	for _, stmt := range []string{
		`SELECT ` + bad + `::TIMESTAMP_TZ`, `SELECT CAST(` + bad + ` AS TIMESTAMPTZ)`, `SELECT TRY_CAST(` + bad + ` AS TIMESTAMP_TZ)`, `SELECT TIMESTAMP_TZ ` + bad,
		`SELECT '2024-02-29 01:02:03 America/New_York'::TIMESTAMP_TZ`, `SELECT PARSE_JSON('{"a":"2024-02-29T01:02:03-05:00"}'):a::TIMESTAMP_TZ`,
		`INSERT INTO Z (Z) VALUES (` + bad + `)`, `CREATE TABLE Y AS SELECT ` + bad + `::TIMESTAMP_TZ AS A`,
	} {
		l.fails(2, what, stmt)
	}
	l.exec(`INSERT INTO Z (N, Z, L) VALUES (1, '2024-02-29 01:02:03Z', ` + bad + `)`)
	l.fails(2, what, `UPDATE Z SET Z = `+bad)
	in := time.Date(2024, 2, 29, 1, 2, 3, 0, time.FixedZone("", 2*3600))
	if _, err := l.db.Exec(`INSERT INTO Z (N, Z) VALUES (2, ?)`, gosnowflake.DataTypeTimestampTz, in); err == nil {
		t.Error("a bound time with an offset was taken")
	}
	if _, err := l.db.Exec(`INSERT INTO Z (N, Z) VALUES (2, ?)`, gosnowflake.DataTypeTimestampTz, in.UTC()); err != nil {
		t.Error(err)
	}
	l.want(`SELECT N, Z, L FROM Z ORDER BY N`, "1|2024-02-29T01:02:03Z|2024-02-28T23:02:03Z", "2|2024-02-28T23:02:03Z|NULL")

	// Of a file, the row is refused; TIMESTAMP_LTZ takes it.
	l.upload("landing", "prices/tz/1.json", []byte(`{"n":3,"z":"2024-02-29 01:02:03 +0000","l":"2024-02-29 01:02:03 +0200"}`+"\n"+`{"n":4,"z":"2024-02-29T01:02:03+02:00"}`+"\n"))
	copyZ := `COPY INTO Z FROM @LANDING/tz/ FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE `
	l.fails(100038, "has another offset than +00:00, which the embedded warehouse does not support", copyZ)
	l.wantCopy(copyZ+`ON_ERROR = CONTINUE`, "1.json PARTIALLY_LOADED 1/2 1")
	l.want(`SELECT N, Z, L FROM Z WHERE N > 2`, "3|2024-02-29T01:02:03Z|2024-02-28T23:02:03Z")

	// Without an offset of its own, a time has the session's.
	l.exec(`ALTER SESSION SET TIMEZONE = 'America/New_York'`)
	l.fails(2, what, `SELECT '2024-02-29'::TIMESTAMP_TZ`)
	l.fails(2, "reading columns of TIMESTAMP_TZ, as", `SELECT TO_CHAR(Z, 'HH24') FROM Z`)
	l.want(`SELECT TO_CHAR('2024-02-29 12:00:00+00:00'::TIMESTAMP_LTZ, 'HH24')`, "07")
}
