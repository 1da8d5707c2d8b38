package warehouse

import (
	"context"
	"regexp"
	"testing"

	"github.com/snowflakedb/gosnowflake/v2"
)

// What other drivers than Go's ask of the warehouse; .ci/clients drives it with them.

// The driver for Node reads JSON alone, and a parameter asks for it in the others.
func TestResultsAsJSON(t *testing.T) {
	l := newLab(t)
	const q = `SELECT 12345678901234567890123456789012345678::NUMBER(38,0) N, -1.25::NUMBER(10,2) D, 0.05::NUMBER(3,2) P, 1.5::FLOAT F, TRUE B, FALSE C, 'x' V, TO_BINARY('00FF') BI,
		'1924-02-29'::DATE DT, '01:02:03.5'::TIME TI, '2024-02-29 01:02:03.456789'::TIMESTAMP_NTZ TS, '1924-02-29 01:02:03'::TIMESTAMP_NTZ OLD, '2024-02-29 01:02:03+02:00'::TIMESTAMP_LTZ LT,
		PARSE_JSON('{"b":1.0,"a":[]}') J, NULL U`
	l.exec(`ALTER SESSION SET GO_QUERY_RESULT_FORMAT = 'JSON'`)
	l.want(q, "12345678901234567890123456789012345678|-1.25|0.05|1.5|1|0|x|[0 255]|1924-02-29T00:00:00Z|0001-01-01T01:02:03.5Z|2024-02-29T01:02:03.456789Z|1924-02-29T01:02:03Z|2024-02-28T23:02:03Z|{\n  \"b\": 1.0,\n  \"a\": []\n}|NULL")
	l.want(`SELECT 1 WHERE FALSE`)
}

func TestDescribeBeforeTheValuesAreKnown(t *testing.T) {
	l := newLab(t)
	rows, err := l.db.QueryContext(gosnowflake.WithDescribeOnly(context.Background()), `SELECT ? AS A, 'x' AS B WHERE ? = 1`)
	check(t, err)
	defer rows.Close()
	if names, _ := rows.Columns(); len(names) != 2 || names[1] != "B" {
		t.Errorf("columns are %v", names)
	}
}

func TestStatementTimeout(t *testing.T) {
	l := newLab(t)
	l.exec(`ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1`)
	l.fails(630, "timeout of 1 second", `WITH RECURSIVE R AS (SELECT 1 AS N UNION ALL SELECT N + 1 FROM R WHERE N < 2000000000) SELECT SUM(N) FROM R`)
	l.want(`SELECT 1`, "1")
}

func TestQueryIDIsUUID(t *testing.T) {
	if id := newQueryID(); !regexp.MustCompile(`^01[0-9a-f]{6}-[0-9a-f]{4}-[0-9a-f]{4}-0000-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("query id %q", id)
	}
}
