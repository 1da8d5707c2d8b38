package warehouse

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

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

// tokens gives those of the one session.
func (l *lab) tokens() (token, master string) {
	l.w.sessMu.Lock()
	defer l.w.sessMu.Unlock()
	for _, s := range l.w.sessions {
		token, master = s.token, s.master
	}
	return token, master
}

// post sends a request as a driver does and gives the answer.
func (l *lab) post(path, token, body string) string {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Authorization", `Snowflake Token="`+token+`"`)
	rec := httptest.NewRecorder()
	l.w.ServeHTTP(rec, req)
	return rec.Body.String()
}

func TestSessionIsRenewedAndEnds(t *testing.T) {
	l := newLab(t)
	var later time.Duration
	l.close()
	l.now = func() time.Time { return time.Now().Add(later) }
	l.open()
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	old, master := l.tokens()
	insert := `{"sqlText": "INSERT INTO D.PUBLIC.T VALUES (1)"}`
	for range 2 { // a request that is sent again runs once
		if got := l.post("/queries/v1/query-request?requestId=again", old, insert); !strings.Contains(got, `"success":true`) {
			t.Fatal(got)
		}
	}
	if got := l.post("/session/token-request", old, "{}"); !strings.Contains(got, "390111") {
		t.Errorf("renewed by the token itself: %s", got)
	}
	if got := l.post("/session/token-request", master, "{}"); !strings.Contains(got, `"success":true`) {
		t.Fatal(got)
	}
	fresh, _ := l.tokens()
	if got := l.post("/session/heartbeat", old, ""); !strings.Contains(got, "390111") {
		t.Errorf("the old token still counts: %s", got)
	}
	if got := l.post("/session/heartbeat", fresh, ""); !strings.Contains(got, `"success":true`) {
		t.Errorf("the new token: %s", got)
	}
	later = 5 * time.Hour // another login ends the sessions that nobody used for so long
	l.db = l.connect("/D/PUBLIC", "")
	l.want(`SELECT COUNT(*) FROM T`, "1")
	if got := l.post("/session/heartbeat", fresh, ""); !strings.Contains(got, "390111") {
		t.Errorf("an idle session: %s", got)
	}
}

func TestAbortByQueryID(t *testing.T) {
	l := newLab(t)
	ids := make(chan string, 1)
	ctx := gosnowflake.WithQueryIDChan(gosnowflake.WithAsyncMode(context.Background()), ids)
	rows, err := l.db.QueryContext(ctx, `WITH RECURSIVE R AS (SELECT 1 AS N UNION ALL SELECT N + 1 FROM R WHERE N < 2000000000) SELECT SUM(N) FROM R`)
	check(t, err)
	defer rows.Close()
	id := <-ids
	token, _ := l.tokens()
	abort := func() string { return l.post("/queries/"+id+"/abort-request", token, "{}") }
	if got := abort(); !strings.Contains(got, `"success":true`) {
		t.Errorf("abort says %s", got)
	}
	if rows.Next() || rows.Err() == nil || !strings.Contains(rows.Err().Error(), "canceled") {
		t.Errorf("the query ended with %v", rows.Err())
	}
	if got := abort(); !strings.Contains(got, "000605") {
		t.Errorf("abort of what has ended says %s", got)
	}
}

// The driver for Node writes a BINARY by a parameter that every answer carries.
func TestAnswersCarryOutputFormats(t *testing.T) {
	l := newLab(t)
	l.exec(`SELECT 1`)
	token, _ := l.tokens()
	if got := l.post("/queries/v1/query-request?requestId=r1", token, `{"sqlText": "SELECT TO_BINARY('00FF') AS B"}`); !strings.Contains(got, `{"name":"BINARY_OUTPUT_FORMAT","value":"HEX"}`) {
		t.Errorf("the answer is %.300s", got)
	}
}

func TestColumnsOfValues(t *testing.T) {
	l := newLab(t)
	l.want(`SELECT COLUMN2, COLUMN1 FROM (VALUES (1, 'a'), (2, 'b')) ORDER BY COLUMN1`, "a|1", "b|2")
	l.want(`SELECT V.COLUMN1 FROM (VALUES (3)) AS V`, "3")
	l.want(`SELECT V.X FROM (VALUES (4, 5)) AS V(X, Y)`, "4")
}

// Drivers' autocommit(False) is a parameter of the session: the first change begins a transaction.
func TestAutocommitOff(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	l.exec(`ALTER SESSION SET AUTOCOMMIT = FALSE`)
	l.exec(`INSERT INTO T VALUES (1)`)
	l.exec(`ROLLBACK`)
	l.want(`SELECT COUNT(*) FROM T`, "0")
	l.exec(`INSERT INTO T VALUES (2)`)
	l.exec(`COMMIT`)
	l.exec(`INSERT INTO T VALUES (3)`)
	l.exec(`ALTER SESSION SET AUTOCOMMIT = TRUE`)
	l.exec(`ROLLBACK`)
	l.want(`SELECT A FROM T ORDER BY A`, "2", "3")
}

func TestResultScan(t *testing.T) {
	l := newLab(t)
	ids := make(chan string, 1)
	rows, err := l.db.QueryContext(gosnowflake.WithQueryIDChan(context.Background(), ids), `SELECT 1 AS A UNION ALL SELECT 2 ORDER BY A`)
	check(t, err)
	rows.Close()
	l.want(`select * from table(result_scan('`+<-ids+`'))`, "1", "2")
	l.fails(709, "not found", `select * from table(result_scan('01000000-0000-0000-0000-000000000000'))`)
}

func TestQueryIDIsUUID(t *testing.T) {
	if id := newQueryID(); !regexp.MustCompile(`^01[0-9a-f]{6}-[0-9a-f]{4}-[0-9a-f]{4}-0000-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("query id %q", id)
	}
}
