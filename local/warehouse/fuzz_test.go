package warehouse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mkt/local/dialect"
)

// FuzzParseStatement wants no panic, and an error with a Snowflake code or a statement.
func FuzzParseStatement(f *testing.F) {
	for _, s := range []string{
		pricesTable, pricesPipe, `CREATE OR REPLACE VIEW A.B.V (X COMMENT 'c') COMMENT = 'v' AS SELECT 1`,
		`ALTER TABLE T MODIFY (COLUMN A SET DATA TYPE NUMBER(10,2), B DROP DEFAULT)`, `ALTER TABLE IF EXISTS T ADD COLUMN A INT DEFAULT F(1, ')') NOT NULL`,
		`CREATE STAGE S URL='azure://a.blob.core.windows.net/c' CREDENTIALS=(AZURE_SAS_TOKEN='x') FILE_FORMAT=(TYPE=CSV NULL_IF=('a','b'))`,
		`COPY INTO T (A,B) FROM (SELECT $1:a::INT, $2 FROM @S/p/q.json T) PATTERN='.*' ON_ERROR='SKIP_FILE_10%'`, `SHOW TERSE TABLES LIKE 'a\\_%' IN SCHEMA "x"."y" STARTS WITH 'a' LIMIT 3 FROM 'b'`,
		`DESC FILE FORMAT F`, `DROP SCHEMA IF EXISTS A..B CASCADE`, `UPDATE T SET A = (SELECT 1), B = 2 FROM U WHERE X`, `DELETE FROM T USING U WHERE 1=1`, `INSERT INTO T (A) VALUES (1)`,
		`ALTER SESSION SET A = 'b', C = -3`, `USE ROLE "x"`, `ALTER PIPE P REFRESH PREFIX='a' MODIFIED_AFTER='2024-01-01'`, `LIST @S/a PATTERN='x'`,
		`CREATE TABLE T (A INT`, `CREATE`, `ALTER TABLE`, `(`, `"`, `CREATE TABLE IDENTIFIER('a.b') (X INT)`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		st, err := parseStatement(s)
		if err == nil && st == nil {
			t.Fatal("neither statement nor error")
		}
		var se *sqlError
		var sy *dialect.SyntaxError
		if err != nil && !errors.As(err, &se) && !errors.As(err, &sy) {
			t.Fatalf("error without a code: %v", err)
		}
		if d, ok := st.(describer); ok && err == nil {
			d.columns()
		}
	})
}

// FuzzJSONLines wants the values of any stream of valid JSON back, and for anything else no more lines than bytes.
func FuzzJSONLines(f *testing.F) {
	for _, s := range []string{`{"a":1}` + "\n" + `{"b":[1,{"c":"}\n"}]}`, `[{"a":1},{"b":2}]`, "{\n\"a\"\n:\n[\n1\n]\n}", `{"a":1} {"b":2}3 "x" null`, `{"a":"b` + "\n" + `{"c":1}`, `{"\u0061":1}`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, strip bool) {
		var want []any
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		var valid bool
		for {
			var v any
			if err := dec.Decode(&v); err != nil {
				valid = err == io.EOF
				break
			}
			want = append(want, v)
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		l := newJSONLines(w, strip)
		if err := l.copy(strings.NewReader(s)); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		var slow bytes.Buffer
		w.Reset(&slow)
		if err := newJSONLines(w, strip).copy(iotest.OneByteReader(strings.NewReader(s))); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if slow.String() != out.String() {
			t.Fatalf("byte by byte %q, at once %q", slow.String(), out.String())
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) > len(s)+1 {
			t.Fatalf("%d lines from %d bytes", len(lines), len(s))
		}
		// Values side by side without white space between them are ambiguous; objects are not.
		for _, v := range want {
			if _, ok := v.(map[string]any); !ok {
				return
			}
		}
		if !valid || len(want) == 0 {
			return
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d: %q", len(lines), len(want), out.String())
		}
		for i, line := range lines {
			a, _ := json.Marshal(want[i])
			var v any
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			b, _ := json.Marshal(v)
			if !bytes.Equal(a, b) {
				t.Fatalf("line %d is %s, want %s", i, b, a)
			}
			for k := range v.(map[string]any) {
				if !l.keys[k] && strings.ToValidUTF8(k, "") == k && !strings.Contains(k, "\ufffd") {
					t.Fatalf("key %q is missing in %v", k, l.keys)
				}
			}
		}
	})
}

// FuzzParseEvent wants no panic and a blob name in what it accepts.
func FuzzParseEvent(f *testing.F) {
	f.Add(`{"topic":"/a/b","subject":"/blobServices/default/containers/c/blobs/x/y","eventType":"Microsoft.Storage.BlobCreated","eventTime":"2024-01-01T00:00:00Z"}`)
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, s string) {
		if ev, ok, err := parseEvent(s); ok && (err != nil || ev.container == "" || ev.path == "") {
			t.Fatalf("accepted %+v, %v", ev, err)
		}
	})
}
