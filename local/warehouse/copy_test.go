package warehouse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

const matchCopy = `COPY INTO PRICES FROM @LANDING/daily/ MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE `

// copied gives what COPY answers without the names of the files.
func (l *lab) copied(q string) string {
	l.t.Helper()
	_, rows := l.table(q)
	var out []string
	for _, r := range rows {
		if r["file"] == "" {
			out = append(out, r["status"])
			continue
		}
		out = append(out, fmt.Sprintf("%s %s %s/%s %s", r["file"][strings.LastIndex(r["file"], "/")+1:], r["status"], r["rows_loaded"], r["rows_parsed"], r["errors_seen"]))
	}
	return strings.Join(out, ", ")
}

func (l *lab) wantCopy(q, want string) {
	l.t.Helper()
	if got := l.copied(q); got != want {
		l.t.Fatalf("%s\ngot  %s\nwant %s", q, got, want)
	}
}

func TestCopyStatement(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`DROP PIPE PRICES_IN`)
	l.wantCopy(matchCopy, "Copy executed with 0 files processed.")
	l.upload("landing", "prices/daily/1.json", []byte(row1))
	l.upload("landing", "prices/daily/2.json.gz", gz(row2+row1))
	l.wantCopy(matchCopy, "1.json LOADED 1/1 0, 2.json.gz LOADED 2/2 0")
	l.wantCopy(matchCopy, "Copy executed with 0 files processed.")
	l.upload("landing", "prices/daily/1.json", []byte(row1+row1)) // changed: loads again
	l.wantCopy(matchCopy, "1.json LOADED 2/2 0")
	l.wantCopy(matchCopy+`FORCE = TRUE PATTERN = '.*2[.]json.*'`, "2.json.gz LOADED 2/2 0")
	l.wantCopy(`COPY INTO PRICES FROM @LANDING FILES = ('daily/2.json.gz') FORCE = TRUE MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = CONTINUE`, "2.json.gz LOAD_FAILED 0/2 2")
	l.want(`SELECT COUNT(*) FROM PRICES`, "7")
	// TRUNCATE makes COPY forget.
	l.exec(`TRUNCATE TABLE PRICES`)
	l.wantCopy(matchCopy, "1.json LOADED 2/2 0, 2.json.gz LOADED 2/2 0")

	l.upload("landing", "prices/daily/3.json", []byte(row1+`{"symbol":"TOO LONG A NAME"}`))
	l.fails(100038, "User character length limit exceeded", matchCopy)
	l.want(`SELECT COUNT(*) FROM PRICES`, "4")
	l.wantCopy(matchCopy+"ON_ERROR = SKIP_FILE", "3.json LOAD_FAILED 0/2 1")
	l.wantCopy(matchCopy+"ON_ERROR = 'SKIP_FILE_2'", "3.json PARTIALLY_LOADED 1/2 1")
	l.wantCopy(matchCopy+"FORCE = TRUE TRUNCATECOLUMNS = TRUE FILES = ('3.json')", "3.json LOADED 2/2 0")
	l.want(`SELECT SYMBOL, COUNT(*) FROM PRICES GROUP BY 1 ORDER BY 1`, "A|5", "B|1", "TOO LONG|1")
	l.fails(2003, "'NOPE'", `COPY INTO PRICES FROM @NOPE`)
	l.fails(2019, "one and only one column", `COPY INTO PRICES FROM @LANDING`)
	l.fails(2, "SIZE_LIMIT", matchCopy+"SIZE_LIMIT = 5")
	want := []string{}
	for _, r := range l.rows(`LIST @LANDING/daily PATTERN = '.*[.]gz'`) {
		want = append(want, strings.Split(r, "|")[0])
	}
	if strings.Join(want, " ") != "azure://mktlocal.blob.core.windows.net/landing/prices/daily/2.json.gz" {
		t.Errorf("LIST gives %v", want)
	}
}

func TestCopyIntoVariant(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE V (J VARIANT)`)
	l.upload("landing", "prices/v/1.json", []byte("\ufeff[ {\"a\": 1.50,\n \"b\": \"x\\n}\"}, [2],\n 3 , \"s\" ]"))
	l.wantCopy(`COPY INTO V FROM @LANDING/v/ FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE)`, "1.json LOADED 4/4 0")
	l.want(`SELECT J FROM V`, "{\n  \"a\": 1.50,\n  \"b\": \"x\\n}\"\n}", "[\n  2\n]", "3", `"s"`)
	l.want(`SELECT J:a::NUMBER(5,2), J:b::VARCHAR FROM V WHERE J:a::FLOAT > 1`, "1.50|x\n}")
	l.exec(`TRUNCATE TABLE V`)
	l.wantCopy(`COPY INTO V FROM @LANDING/v/ FILE_FORMAT = (TYPE = JSON)`, "1.json LOADED 1/1 0")
}

func TestCopyTransform(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.upload("landing", "prices/t/1.json", []byte(row1+row2))
	l.exec(`CREATE TABLE T (S VARCHAR(5), C FLOAT, F VARCHAR, N INT)`)
	l.wantCopy(`COPY INTO T (S, C, F, N) FROM (SELECT LOWER($1:symbol::STRING), T.$1:Close::FLOAT * 2, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @LANDING/t/ T)`, "1.json LOADED 2/2 0")
	l.want(`SELECT * FROM T ORDER BY S`, "a|3|prices/t/1.json|1", "b|5|prices/t/1.json|2")
	l.upload("landing", "prices/t/2.csv", []byte("1,x\n2,y\n"))
	l.wantCopy(`COPY INTO T (N, S) FROM (SELECT $1::INT + 1, $2 FROM @LANDING/t/) FILE_FORMAT = (TYPE = CSV) PATTERN = '.*csv'`, "2.csv LOADED 2/2 0")
	l.want(`SELECT N, S FROM T WHERE F IS NULL ORDER BY 1`, "2|x", "3|y")
}

func TestCopyCSV(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE C (ID INT NOT NULL, NAME VARCHAR(10), AMOUNT NUMBER(8,2), D DATE, OK BOOLEAN)`)
	l.upload("landing", "prices/c/1.csv", []byte("\ufeffID,NAME,AMOUNT,D,OK\r\n1,\"a, \"\"b\"\"\",1.50,2024-01-02,true\r\n2,,\\N,,no\r\n"))
	l.wantCopy(`COPY INTO C FROM @LANDING/c/ FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '"')`, "1.csv LOADED 2/2 0")
	l.want(`SELECT * FROM C ORDER BY ID`, `1|a, "b"|1.50|2024-01-02T00:00:00Z|true`, "2|NULL|NULL|NULL|false")
	l.upload("landing", "prices/c/2.csv", []byte("amount|id\n7|3\nx|4\n8|5|6\n9|\n10|6"))
	l.wantCopy(`COPY INTO C FROM @LANDING/c/ FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE FIELD_DELIMITER = '|') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FILES = ('2.csv') ON_ERROR = CONTINUE`, "2.csv PARTIALLY_LOADED 2/5 3")
	l.want(`SELECT ID, AMOUNT FROM C WHERE ID > 2 ORDER BY ID`, "3|7.00", "6|10.00")
}

type parquetRow struct {
	ID   int64     `parquet:"id"`
	Name *string   `parquet:"Name,optional,zstd"`
	At   time.Time `parquet:"at,timestamp(microsecond)"`
	X    float64   `parquet:"x"`
}

func TestCopyParquet(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE P (ID INT, NAME VARCHAR, AT TIMESTAMP_NTZ, X NUMBER(6,2), MORE VARCHAR)`)
	var b bytes.Buffer
	n := "one"
	check(t, parquet.Write(&b, []parquetRow{{1, &n, time.UnixMicro(1704164645123456).UTC(), 1.5}, {2, nil, time.UnixMicro(0).UTC(), 1e7}}))
	l.upload("landing", "prices/p/1.parquet", b.Bytes())
	l.upload("landing", "prices/p/2.parquet", []byte("no parquet"))
	l.wantCopy(`COPY INTO P FROM @LANDING/p/ FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = CONTINUE`, "1.parquet PARTIALLY_LOADED 1/2 1, 2.parquet LOAD_FAILED 0/0 1")
	l.want(`SELECT * FROM P`, "1|one|2024-01-02T03:04:05.123456Z|1.50|NULL")
}

func TestCopyAvro(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	schema, err := avro.Parse(`{"type":"record","name":"r","fields":[{"name":"symbol","type":"string"},{"name":"day","type":{"type":"int","logicalType":"date"}},
		{"name":"close","type":["null","double"]},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"extra","type":{"type":"map","values":"long"}},
		{"name":"volume","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":1}}]}`)
	check(t, err)
	codec, err := ocf.ZstdCodec(nil, []zstd.DOption{})
	check(t, err)
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, schema, ocf.WithCodec(codec))
	check(t, err)
	check(t, w.Encode(map[string]any{"symbol": "A", "day": 19724, "close": 1.25, "at": int64(1704164645123456), "extra": map[string]any{"k": int64(3)}, "volume": "12.0"}))
	check(t, w.Encode(map[string]any{"symbol": "B", "day": -1, "close": nil, "at": int64(0), "extra": map[string]any{}, "volume": "2.0"}))
	check(t, w.Close())
	l.exec(`CREATE FILE FORMAT AV TYPE = AVRO`)
	l.upload("landing", "prices/a/1.avro", b.Bytes())
	l.wantCopy(`COPY INTO PRICES FROM @LANDING/a/ FILE_FORMAT = (FORMAT_NAME = AV) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE`, "1.avro LOADED 2/2 0")
	l.want(`SELECT * FROM PRICES ORDER BY 1`, "A|2024-01-02T00:00:00Z|1.25|12|2024-01-02T03:04:05.123456Z|{\n  \"k\": 3\n}", "B|1969-12-31T00:00:00Z|NULL|2|1970-01-01T00:00:00Z|{}")
}

// A decimal keeps every digit, also those that a double has no room for.
func TestCopyAvroDecimal(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	schema, err := avro.Parse(`{"type":"record","name":"r","fields":[{"name":"n","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":10}}]}`)
	check(t, err)
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, schema)
	check(t, err)
	check(t, w.Encode(map[string]any{"n": "12345678901234567890.1234567891"}))
	check(t, w.Close())
	l.exec(`CREATE TABLE D (N NUMBER(30,10))`)
	l.upload("landing", "prices/d/1.avro", b.Bytes())
	l.wantCopy(`COPY INTO D FROM @LANDING/d/ FILE_FORMAT = (TYPE = AVRO) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE`, "1.avro LOADED 1/1 0")
	l.want(`SELECT N::VARCHAR FROM D`, "12345678901234567890.1234567891")
}

func TestShowAndDescribe(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	secret := l.token("landing")
	l.exec(`CREATE STAGE PLAIN URL = 'azure://mktlocal.blob.core.windows.net/landing' COMMENT = 'p'`)
	l.exec(`CREATE FILE FORMAT CSV1 TYPE = 'CSV' FIELD_DELIMITER = '|' NULL_IF = ('', 'NULL') SKIP_HEADER = 2`)
	for q, want := range map[string][]string{
		`SHOW STAGES LIKE 'LANDING'`:                 {"url=azure://mktlocal.blob.core.windows.net/landing/prices/", "has_credentials=Y", "type=EXTERNAL", "cloud=AZURE", "database_name=MARKET", "schema_name=RAW"},
		`SHOW STAGES LIKE 'PLA%'`:                    {"has_credentials=N", "comment=p"},
		`SHOW PIPES IN SCHEMA MARKET.RAW`:            {"integration=EVENTS", "comment=in", "pattern=.*[.]json([.]gz)?", "invalid_reason=NULL", "notification_channel=https://mktlocal.queue.core.windows.net/events"},
		`SHOW FILE FORMATS LIKE 'CSV1'`:              {"type=CSV"},
		`SHOW INTEGRATIONS LIKE 'EVENTS'`:            {"type=QUEUE - AZURE_STORAGE_QUEUE", "category=NOTIFICATION", "enabled=true"},
		`SHOW NOTIFICATION INTEGRATIONS`:             {"name=EVENTS"},
		`SHOW SCHEMAS LIKE 'RAW' IN DATABASE MARKET`: {"database_name=MARKET", "is_current=Y", "owner=ACCOUNTADMIN"},
		`SHOW TABLES STARTS WITH 'PR' LIMIT 1`:       {"name=PRICES", "kind=TABLE"},
	} {
		_, rows := l.table(q)
		if len(rows) != 1 {
			t.Errorf("%s: %d rows", q, len(rows))
			continue
		}
		for _, w := range want {
			k, v, _ := strings.Cut(w, "=")
			if rows[0][k] != v {
				t.Errorf("%s: %s is %q, want %q", q, k, rows[0][k], v)
			}
		}
		if strings.Contains(fmt.Sprint(rows), "sig=") {
			t.Errorf("%s shows the token", q)
		}
	}
	props := func(q, name string) map[string]string {
		_, rows := l.table(q)
		m := map[string]string{}
		for _, r := range rows {
			m[r[name]] = r["property_value"]
		}
		if strings.Contains(fmt.Sprint(rows), secret) || strings.Contains(fmt.Sprint(rows), "sig=") {
			t.Errorf("%s shows the token", q)
		}
		return m
	}
	if m := props(`DESC FILE FORMAT CSV1`, "property"); m["TYPE"] != "CSV" || m["FIELD_DELIMITER"] != "|" || m["NULL_IF"] != "[, NULL]" || m["SKIP_HEADER"] != "2" || m["COMPRESSION"] != "AUTO" {
		t.Errorf("DESC FILE FORMAT: %v", m)
	}
	if m := props(`DESC INTEGRATION EVENTS`, "property"); m["ENABLED"] != "true" || m["DIRECTION"] != "INBOUND" || m["AZURE_TENANT_ID"] != "11111111-2222-3333-4444-555555555555" ||
		!strings.HasPrefix(m["AZURE_CONSENT_URL"], "https://login.microsoftonline.com/11111111-") || m["AZURE_MULTI_TENANT_APP_NAME"] == "" {
		t.Errorf("DESC INTEGRATION: %v", m)
	}
	if m := props(`DESC STAGE LANDING`, "property"); m["URL"] != `["azure://mktlocal.blob.core.windows.net/landing/prices/"]` || m["FORMAT_NAME"] == "" {
		t.Errorf("DESC STAGE: %v", m)
	}
	l.exec(`ALTER INTEGRATION EVENTS SET ENABLED = FALSE COMMENT = 'off'`)
	l.exec(`ALTER FILE FORMAT CSV1 SET FIELD_DELIMITER = ';' COMMENT = 'semi'`)
	l.fails(1008, "re-create", `ALTER FILE FORMAT CSV1 SET TYPE = JSON`)
	l.fails(2043, "", `SHOW TABLES IN DATABASE NOPE`)
	if got, want := len(l.rows(`SHOW TABLES IN ACCOUNT`)), 1; got != want {
		t.Errorf("SHOW TABLES IN ACCOUNT gives %d", got)
	}
	for _, k := range []string{"PIPE PRICES_IN", "STAGE LANDING", "FILE FORMAT NDJSON", "TABLE PRICES", "INTEGRATION EVENTS", "SCHEMA RAW"} {
		l.exec("DROP " + k)
		i := strings.LastIndex(k, " ")
		l.exec("DROP " + k[:i] + " IF EXISTS" + k[i:])
	}
}

// TestLoadIsFast loads what a large file of the stream holds.
func TestLoadIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("a large file")
	}
	l := newLab(t)
	l.pipeline()
	const n = 300_000
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"SYMBOL":"NYA%d","Day":"1965-12-31","CLOSE":528.69%d,"VOLUME":%d,"AT":"2024-01-02T03:04:05.123Z","more":{"a":[1,2,"x"]}}`+"\n", i%1000, i, i)
	}
	data := gz(b.String())
	l.upload("landing", "prices/daily/1.json.gz", data)
	began := time.Now()
	l.notify("events", "landing", "prices/daily/1.json.gz", false)
	l.eventually(`SELECT COUNT(*), SUM(VOLUME) FROM PRICES`, fmt.Sprintf("%d|%d", n, int64(n)*(n-1)/2))
	t.Logf("%d rows, %d bytes in %s", n, b.Len(), time.Since(began))
	if d := time.Since(began); d > time.Minute {
		t.Errorf("loading %d rows took %s", n, d)
	}
}
