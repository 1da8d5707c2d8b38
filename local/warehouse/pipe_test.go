package warehouse

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPipeLoadsOnce(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.put("prices/daily/1.json.gz", gz(row1+row2))
	l.eventually(`SELECT SYMBOL, "Day", CLOSE, VOLUME, AT, EXTRA FROM PRICES ORDER BY 1`,
		"A|2024-01-02T00:00:00Z|1.5|10|2024-01-02T03:04:05.123Z|{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}",
		"B|2024-01-03T00:00:00Z|2.5|20|2024-01-02T03:04:05.123Z|\"x\"")
	// The same name again, with other content, in both encodings of the message: nothing.
	l.upload("landing", "prices/daily/1.json.gz", gz(row1))
	l.notify("events", "landing", "prices/daily/1.json.gz", false)
	l.notify("events", "landing", "prices/daily/1.json.gz", true)
	// Other places and patterns: nothing. A second file tells when the queue is through.
	l.put("prices/weekly/1.json", []byte(row1))
	l.put("prices/daily/1.csv", []byte(row1))
	l.upload("landing", "prices/daily/2.json", []byte(row2))
	l.notify("events", "landing", "prices/daily/2.json", true)
	l.eventually(`SELECT SYMBOL, COUNT(*) FROM PRICES GROUP BY 1 ORDER BY 1`, "A|1", "B|2")
	// TRUNCATE and REFRESH clear nothing.
	l.exec(`TRUNCATE TABLE PRICES`)
	l.want(`ALTER PIPE PRICES_IN REFRESH`)
	l.put("prices/daily/3.json", []byte(row1))
	l.eventually(`SELECT SYMBOL, COUNT(*) FROM PRICES GROUP BY 1`, "A|1")
	l.want(`SELECT FILE_NAME, STATUS, ROW_COUNT, ROW_PARSED, ERROR_COUNT, PIPE_NAME, TABLE_NAME FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'PRICES', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) ORDER BY 1`,
		"daily/1.json.gz|Loaded|2|2|0|PRICES_IN|PRICES", "daily/2.json|Loaded|1|1|0|PRICES_IN|PRICES", "daily/3.json|Loaded|1|1|0|PRICES_IN|PRICES")
}

// status gives SYSTEM$PIPE_STATUS.
func (l *lab) status(pipe string) map[string]any {
	l.t.Helper()
	m := map[string]any{}
	check(l.t, json.Unmarshal([]byte(l.rows(`SELECT SYSTEM$PIPE_STATUS('` + pipe + `')`)[0]), &m))
	return m
}

func (l *lab) waitStatus(what string, ok func(map[string]any) bool) {
	l.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m := l.status("PRICES_IN")
		if ok(m) {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("%s: status is %v", what, m)
		}
	}
}

func TestPipeStates(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	state := func(want string) {
		t.Helper()
		if got := l.status("MARKET.RAW.PRICES_IN")["executionState"]; got != want {
			t.Fatalf("state is %v, want %s", got, want)
		}
	}
	state("RUNNING")
	l.exec(`ALTER PIPE PRICES_IN SET PIPE_EXECUTION_PAUSED = TRUE`)
	state("PAUSED")
	l.put("prices/daily/1.json", []byte(row1))
	l.waitStatus("paused pipe keeps its file", func(m map[string]any) bool {
		return m["pendingFileCount"] == 1.0 && m["oldestPendingFilePath"] == "prices/daily/1.json" && m["numOutstandingMessagesOnChannel"] == 0.0
	})
	l.want(`SELECT COUNT(*) FROM PRICES`, "0")
	l.close() // what waits survives
	l.open()
	l.exec(`USE MARKET.RAW`)
	l.exec(`ALTER PIPE PRICES_IN SET PIPE_EXECUTION_PAUSED = FALSE COMMENT = 'again'`)
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
	l.waitStatus("drained", func(m map[string]any) bool {
		return m["pendingFileCount"] == 0.0 && m["lastIngestedFilePath"] == "daily/1.json" && m["notificationChannelName"] == "https://mktlocal.queue.core.windows.net/events"
	})
	l.exec(`ALTER STAGE LANDING SET COMMENT = 'new', CREDENTIALS = (AZURE_SAS_TOKEN = '` + l.token("landing") + `')`)
	state("RUNNING")
	l.exec(`ALTER STAGE LANDING SET URL = 'azure://mktlocal.blob.core.windows.net/landing/other/'`)
	state("STOPPED_STAGE_ALTERED")
	l.exec(`ALTER STAGE LANDING SET URL = 'azure://mktlocal.blob.core.windows.net/landing/prices/'`)
	state("RUNNING")
	l.exec(`CREATE OR REPLACE FILE FORMAT NDJSON TYPE = JSON`)
	state("STOPPED_FILE_FORMAT_DROPPED")
	l.exec(`CREATE OR REPLACE` + strings.TrimPrefix(pricesPipe, "CREATE"))
	state("RUNNING")
	l.exec(`CREATE OR REPLACE STAGE LANDING URL = 'azure://mktlocal.blob.core.windows.net/landing/prices/' CREDENTIALS = (AZURE_SAS_TOKEN = '` + l.token("landing") + `')`)
	state("STOPPED_STAGE_DROPPED")
	_, rows := l.table(`SHOW PIPES`)
	if rows[0]["invalid_reason"] != "STOPPED_STAGE_DROPPED" {
		t.Errorf("SHOW PIPES: %v", rows[0])
	}
	l.fails(3053, "STOPPED_STAGE_DROPPED", `ALTER PIPE PRICES_IN REFRESH`)
}

func TestPipeRecreationForgets(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.put("prices/daily/1.json", []byte(row1))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
	l.exec(`CREATE OR REPLACE` + strings.TrimPrefix(pricesPipe, "CREATE"))
	l.want(`ALTER PIPE PRICES_IN REFRESH MODIFIED_AFTER = '2099-01-01T00:00:00Z'`)
	l.want(`ALTER PIPE PRICES_IN REFRESH PREFIX = 'nothing'`)
	l.want(`SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'PRICES', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP())))`, "0")
	l.want(`ALTER PIPE PRICES_IN REFRESH`, "daily/1.json|SENT")
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "2")
	l.fails(1008, "7 days", `ALTER PIPE PRICES_IN REFRESH MODIFIED_AFTER = '2020-01-01T00:00:00Z'`)
}

func TestPipeMemoryEnds(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.put("prices/daily/1.json", []byte(row1))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
	l.close()
	l.now = func() time.Time { return time.Now().Add(pipeMemory + time.Hour) }
	l.open()
	l.exec(`USE MARKET.RAW`)
	l.notify("events", "landing", "prices/daily/1.json", false)
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "2")
	l.notify("events", "landing", "prices/daily/1.json", false)
	l.put("prices/daily/2.json", []byte(row2))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "3")
}

func TestPipeErrors(t *testing.T) {
	history := `SELECT FILE_NAME, STATUS, ROW_COUNT, ROW_PARSED, ERROR_COUNT, FIRST_ERROR_LINE_NUMBER, FIRST_ERROR_COLUMN_NAME, FIRST_ERROR_MESSAGE
		FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'PRICES', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) ORDER BY LAST_LOAD_TIME DESC LIMIT 1`
	bad := map[string]string{
		`{"symbol":"A","volume":"many"}`:              `"PRICES"["VOLUME"]|Numeric value 'many' is not recognized`,
		`{"symbol":"A","close":{}}`:                   `"PRICES"["CLOSE"]|Numeric value '{}' is not recognized`,
		`{"symbol":"A","day":"yesterday"}`:            `"PRICES"["Day"]|Date 'yesterday' is not recognized`,
		`{"symbol":"ABCDEFGHI"}`:                      `"PRICES"["SYMBOL"]|User character length limit exceeded by string 'ABCDEFGHI'`,
		`{"symbol":null}`:                             `"PRICES"["SYMBOL"]|NULL result in a non-nullable column 'SYMBOL'`,
		`{"close":1}`:                                 `"PRICES"["SYMBOL"]|NULL result in a non-nullable column 'SYMBOL'`,
		`{"symbol":"A",`:                              `NULL|Error parsing JSON: the row is no valid object`,
		`[1]`:                                         `NULL|Error parsing JSON: the row is no valid object`,
		`{"symbol":"A","volume":1234567890123456789}`: `"PRICES"["VOLUME"]|Numeric value '1234567890123456789' is not recognized`,
	}
	l := newLab(t)
	l.pipeline()
	n := 0
	for row, want := range bad {
		n++
		l.put(fmt.Sprintf("prices/daily/%d.json", n), []byte(row1+row+"\n"+row2))
		l.eventually(history, fmt.Sprintf("daily/%d.json|Load failed|0|3|1|2|%s", n, want))
	}
	l.want(`SELECT COUNT(*) FROM PRICES`, "0") // SKIP_FILE drops the whole file, and its name stays
	l.put("prices/daily/1.json", []byte(row1))
	l.put("prices/daily/last.json", []byte(row1))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")

	l.exec(`DROP PIPE PRICES_IN`)
	l.exec(pricesPipe + ` ON_ERROR = CONTINUE`)
	l.exec(`TRUNCATE TABLE PRICES`)
	for row := range bad {
		n++
		l.put(fmt.Sprintf("prices/daily/%d.json", n), []byte(row1+row+"\n"+row2))
	}
	l.eventually(`SELECT COUNT(*) FROM PRICES`, fmt.Sprint(2*len(bad)))
	l.eventually(`SELECT STATUS, ROW_COUNT, ERROR_COUNT FROM (`+strings.TrimSuffix(history, "ORDER BY LAST_LOAD_TIME DESC LIMIT 1")+`) WHERE FILE_NAME = 'daily/`+fmt.Sprint(n)+`.json'`, "Partially loaded|2|1")

	for opt, text := range map[string]string{
		"ON_ERROR = ABORT_STATEMENT": "ABORT_STATEMENT", "PURGE = TRUE": "PURGE", "FORCE = TRUE": "FORCE", "SIZE_LIMIT = 1": "SIZE_LIMIT",
		"FILES = ('a')": "FILES", "RETURN_FAILED_ONLY = TRUE": "RETURN_FAILED_ONLY", "VALIDATION_MODE = RETURN_ERRORS": "VALIDATION_MODE",
	} {
		_, err := l.db.Exec(strings.Replace(pricesPipe, "PRICES_IN", "P2", 1) + " " + opt)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("pipe with %s: %v", opt, err)
		}
	}
	l.fails(2003, "'events'", strings.Replace(strings.Replace(pricesPipe, "PRICES_IN", "P2", 1), "'EVENTS'", "'events'", 1))
}

func TestPipeLoadsNullsSilently(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`ALTER TABLE PRICES ALTER SYMBOL DROP NOT NULL`)
	l.put("prices/daily/1.json", []byte(`{"nothing":1}`+"\n"+`{"else":2}`))
	l.eventually(`SELECT COUNT(*), COUNT(SYMBOL), COUNT(CLOSE) FROM PRICES`, "2|0|0")
}

func TestPipeWaitsForStorage(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`ALTER STAGE LANDING SET CREDENTIALS = (AZURE_SAS_TOKEN = 'sv=2020-01-01&sig=wrongsignature')`)
	l.put("prices/daily/1.json", []byte(row1))
	l.waitStatus("the error is told", func(m map[string]any) bool {
		e, _ := m["error"].(string)
		if strings.Contains(e, "wrongsignature") {
			t.Fatalf("the error shows the token: %s", e)
		}
		return strings.Contains(e, "LANDING") && m["pendingFileCount"] == 1.0
	})
	l.exec(`ALTER STAGE LANDING SET CREDENTIALS = (AZURE_SAS_TOKEN = '` + l.token("landing") + `')`)
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
	l.notify("events", "landing", "prices/daily/missing.json", false)
	l.eventually(`SELECT STATUS FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'PRICES', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) WHERE FILE_NAME = 'daily/missing.json'`, "Load failed")
}

func TestAlterWhileLoading(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	const files = 40
	other := l.connect("/MARKET/RAW", "")
	altered := make(chan error, 1)
	go func() {
		for i := range 15 {
			for _, q := range []string{fmt.Sprintf(`ALTER TABLE PRICES ADD COLUMN C%d INT`, i), `UPDATE PRICES SET VOLUME = 1 WHERE SYMBOL = 'Z'`} {
				if _, err := other.Exec(q); err != nil {
					altered <- fmt.Errorf("%s: %w", q, err)
					return
				}
			}
		}
		altered <- nil
	}()
	for i := range files {
		l.put(fmt.Sprintf("prices/daily/%d.json", i), []byte(strings.Repeat(row1, 50)))
	}
	check(t, <-altered)
	l.eventually(`SELECT COUNT(*) FROM PRICES`, fmt.Sprint(files*50))
}

// TestConsent holds consent back: no pipe can be made, one that is there hears of nothing, and once it is given both go on.
func TestConsent(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	switchFile := filepath.Join(l.dir, consentFile)
	check(t, os.WriteFile(switchFile, nil, 0o600))
	l.fails(603, "could not locate queue", `CREATE OR REPLACE`+strings.TrimPrefix(pricesPipe, "CREATE"))
	l.put("prices/daily/1.json", []byte(row1))
	l.waitStatus("the pipe says why", func(m map[string]any) bool {
		text, _ := m["error"].(string)
		return strings.Contains(text, "could not locate queue")
	})
	l.want(`SELECT COUNT(*) FROM PRICES`, "0")
	check(t, os.Remove(switchFile))
	l.eventually(`SELECT COUNT(*) FROM PRICES`, "1")
	l.exec(`CREATE OR REPLACE` + strings.TrimPrefix(pricesPipe, "CREATE"))
}
