package warehouse

import (
	"strings"
	"testing"
	"time"
)

func TestDynamicTable(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	l.exec(`CREATE DYNAMIC TABLE DT TARGET_LAG = '5 minute' WAREHOUSE = COMPUTE_WH COMMENT = 'c' AS SELECT SUM(A) AS S FROM T`)
	l.exec(`INSERT INTO T VALUES (1), (2)`)
	l.want(`SELECT S FROM DT`, "3") // it is always fresh
	l.want(`DESC TABLE DT`, "S|NUMBER(38,0)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL")
	_, rows := l.table(`SHOW DYNAMIC TABLES IN SCHEMA D.PUBLIC`)
	if r := rows[0]; len(rows) != 1 || r["target_lag"] != "5 minutes" || r["refresh_mode"] != "INCREMENTAL" || r["warehouse"] != "COMPUTE_WH" || r["comment"] != "c" || !strings.HasSuffix(r["text"], "AS SELECT SUM(A) AS S FROM T") {
		t.Errorf("SHOW DYNAMIC TABLES: %v", rows)
	}
	l.exec(`ALTER DYNAMIC TABLE DT SET TARGET_LAG = DOWNSTREAM`)
	if _, rows = l.table(`SHOW DYNAMIC TABLES`); rows[0]["target_lag"] != "DOWNSTREAM" {
		t.Error(rows)
	}
	l.fails(2002, "already exists", `CREATE VIEW DT AS SELECT 1 AS A`)
	l.fails(2003, "DT", `DROP VIEW DT`)
	l.fails(2, "SUSPEND", `ALTER DYNAMIC TABLE DT SUSPEND`)
	l.fails(2003, "NONE", `CREATE DYNAMIC TABLE X TARGET_LAG = '1 day' WAREHOUSE = NONE AS SELECT 1 AS A`)
	l.fails(1008, "60 seconds", `CREATE DYNAMIC TABLE X TARGET_LAG = '5 seconds' WAREHOUSE = COMPUTE_WH AS SELECT 1 AS A`)
	l.fails(1008, "needs", `CREATE DYNAMIC TABLE X WAREHOUSE = COMPUTE_WH AS SELECT 1 AS A`)
	l.exec(`DROP DYNAMIC TABLE DT`)
	l.fails(2003, "DT", `SELECT * FROM DT`)
}

func TestStream(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	l.exec(`CREATE STREAM S ON TABLE T APPEND_ONLY = TRUE COMMENT = 'c'`)
	show := func() map[string]string {
		_, rows := l.table(`SHOW STREAMS IN SCHEMA D.PUBLIC`)
		return rows[0]
	}
	if r := show(); r["table_name"] != "D.PUBLIC.T" || r["mode"] != "APPEND_ONLY" || r["stale"] != "false" || r["type"] != "DELTA" {
		t.Errorf("SHOW STREAMS: %v", r)
	}
	l.fails(2, "reading a stream", `SELECT * FROM S`)
	l.fails(2, "SYSTEM$STREAM_HAS_DATA", `SELECT SYSTEM$STREAM_HAS_DATA('S')`)
	l.fails(2, "ON VIEW", `CREATE STREAM V ON VIEW X`)
	l.fails(2, "SHOW_INITIAL_ROWS", `CREATE STREAM V ON TABLE T SHOW_INITIAL_ROWS = TRUE`)
	l.fails(2003, "NONE", `CREATE STREAM V ON TABLE NONE`)
	l.exec(`CREATE OR REPLACE TABLE T (A INT)`)
	if r := show(); r["stale"] != "true" {
		t.Errorf("its table is another one, and the stream is not stale: %v", r)
	}
}

func TestTasks(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE T (A INT)`)
	l.exec(`CREATE TASK R SCHEDULE = '5 MINUTES' WAREHOUSE = COMPUTE_WH AS INSERT INTO T VALUES (1)`)
	l.exec(`CREATE TASK C AFTER R AS INSERT INTO T SELECT COUNT(*) + 100 FROM T`)
	l.exec(`CREATE TASK G AFTER C, R AS INSERT INTO D.PUBLIC.T VALUES (7)`)
	show := func(name string) map[string]string {
		_, rows := l.table(`SHOW TASKS LIKE '` + name + `' IN SCHEMA D.PUBLIC`)
		return rows[0]
	}
	if r := show("G"); r["predecessors"] != `["\"D\".\"PUBLIC\".\"C\"","\"D\".\"PUBLIC\".\"R\""]` || r["state"] != "suspended" || r["definition"] != "INSERT INTO D.PUBLIC.T VALUES (7)" {
		t.Errorf("SHOW TASKS: %v", r)
	}
	l.exec(`ALTER TASK C RESUME`)
	l.exec(`EXECUTE TASK R`) // what is suspended, G, does not run
	l.want(`SELECT A FROM T ORDER BY A`, "1", "101")
	l.exec(`ALTER TASK R RESUME`)
	for _, q := range []string{`ALTER TASK R SET SCHEDULE = '6 MINUTES'`, `ALTER TASK C MODIFY AS SELECT 1`, `ALTER TASK G REMOVE AFTER C`, `CREATE TASK X AFTER G AS SELECT 1`} {
		l.fails(91421, "root task D.PUBLIC.R", q)
	}

	// The clock, by hand.
	due := map[int64]dueTask{}
	now := time.Now()
	l.w.runDue(t.Context(), due, now)
	now = now.Add(4 * time.Minute)
	l.w.runDue(t.Context(), due, now)
	l.want(`SELECT COUNT(*) FROM T`, "2")
	now = now.Add(time.Hour) // many are missed, and one is made up for
	l.w.runDue(t.Context(), due, now)
	l.w.runDue(t.Context(), due, now)
	l.want(`SELECT COUNT(*) FROM T`, "4")
	l.exec(`ALTER TASK R SUSPEND`)
	now = now.Add(time.Hour)
	l.w.runDue(t.Context(), due, now)
	l.want(`SELECT COUNT(*) FROM T`, "4")
	if len(due) != 0 {
		t.Error("a suspended task is still due")
	}

	l.exec(`ALTER TASK G REMOVE AFTER C, R`)
	l.fails(1008, "cannot be resumed", `ALTER TASK G RESUME`)
	l.exec(`ALTER TASK G SET SCHEDULE = 'USING CRON 0 9 * * MON Europe/Berlin'`)
	l.fails(1008, "not both", `ALTER TASK G ADD AFTER R`)
	l.fails(1008, "SCHEDULE", `CREATE TASK X SCHEDULE = '5 DAYS' AS SELECT 1`)
	l.fails(1008, "time zone", `CREATE TASK X SCHEDULE = 'USING CRON 0 9 * * * Mars/Base' AS SELECT 1`)
	l.fails(2, "WHEN", `CREATE TASK X SCHEDULE = '5 M' WHEN SYSTEM$STREAM_HAS_DATA('S') AS SELECT 1`)
	l.fails(2, "Scripting", `CREATE TASK X SCHEDULE = '5 M' AS BEGIN SELECT 1`)
	l.fails(2, "CALL", `CREATE TASK X SCHEDULE = '5 M' AS CALL F()`)
	l.fails(2, "SET_TAG", `ALTER TASK G SET_TAG`)
	l.fails(2, "ALLOW_OVERLAPPING_EXECUTION", `CREATE TASK X SCHEDULE = '5 M' ALLOW_OVERLAPPING_EXECUTION = TRUE AS SELECT 1`)
}

func TestCron(t *testing.T) {
	from := time.Date(2026, 3, 27, 10, 30, 15, 0, time.UTC) // a Friday
	for text, want := range map[string]string{
		"* * * * * UTC":                 "2026-03-27T10:31:00Z",
		"0 9 * * * UTC":                 "2026-03-28T09:00:00Z",
		"*/20 8-18 * * * UTC":           "2026-03-27T10:40:00Z",
		"0 0 1 * * UTC":                 "2026-04-01T00:00:00Z",
		"0 0 29 2 * UTC":                "2028-02-29T00:00:00Z",
		"15,45 6 * * MON-FRI UTC":       "2026-03-30T06:15:00Z",
		"0 9 1 * SUN UTC":               "2026-03-29T09:00:00Z",
		"0 9 * * 7 UTC":                 "2026-03-29T09:00:00Z",
		"0 12 * JAN * UTC":              "2027-01-01T12:00:00Z",
		"30 2 * * * Europe/Berlin":      "2026-03-28T01:30:00Z",
		"0 4 29 3 * Europe/Berlin":      "2026-03-29T02:00:00Z", // on that day clocks skip an hour
		"0 9 * * * America/Los_Angeles": "2026-03-27T16:00:00Z",
		"60 * * * * UTC":                "",
		"* * 30 2 * UTC":                "",
		"* * * * UTC":                   "",
		"*/0 * * * * UTC":               "",
		"5-1 * * * * UTC":               "",
		"* * L * * UTC":                 "",
		"* * * * X UTC":                 "",
	} {
		c, err := parseCron(strings.Fields(text))
		got := ""
		if err == nil {
			got = c.next(from).UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", text, got, err, want)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"5 MINUTES", "USING CRON 0 9 1-5/2 * MON UTC", "10 s", "USING CRON * * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if s, err := parseSchedule(text); err == nil && !s.next(now).After(now) {
			t.Errorf("%q is next at %v", text, s.next(now))
		}
	})
}
