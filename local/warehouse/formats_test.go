package warehouse

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

func TestCopyAvroTypes(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	schema, err := avro.Parse(`{"type":"record","name":"r","fields":[{"name":"ok","type":"boolean"},{"name":"i","type":"int"},{"name":"f","type":"float"},
		{"name":"raw","type":"bytes"},{"name":"list","type":{"type":"array","items":["null","long"]}},{"name":"t","type":{"type":"long","logicalType":"time-micros"}},
		{"name":"n","type":"double"},{"name":"o","type":{"type":"record","name":"in","fields":[{"name":"x","type":"int"}]}},{"name":"s","type":["null","string"]}]}`)
	check(t, err)
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, schema)
	check(t, err)
	check(t, w.Encode(map[string]any{"ok": true, "i": 7, "f": float32(1.5), "raw": []byte{0, 255}, "list": []any{int64(1), nil, int64(3)}, "t": 3*time.Hour + 250*time.Millisecond,
		"n": math.NaN(), "o": map[string]any{"x": 9}, "s": `a "b"` + "\n"}))
	check(t, w.Encode(map[string]any{"ok": false, "i": -7, "f": float32(-0.25), "raw": []byte{}, "list": []any{}, "t": time.Duration(0), "n": math.Inf(-1), "o": map[string]any{"x": 0}, "s": nil}))
	check(t, w.Close())
	l.upload("landing", "prices/t/1.avro", b.Bytes())
	l.exec(`CREATE TABLE A (OK BOOLEAN, I INT, F FLOAT, RAW BINARY, LIST ARRAY, T TIME, N FLOAT, O OBJECT, S VARCHAR)`)
	l.wantCopy(`COPY INTO A FROM @LANDING/t/ FILE_FORMAT = (TYPE = AVRO) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE`, "1.avro LOADED 2/2 0")
	l.want(`SELECT OK, I, F, HEX_ENCODE(RAW), ARRAY_SIZE(LIST), LIST[2]::INT, T::VARCHAR, N::VARCHAR, O:x::INT, S FROM A ORDER BY I DESC`,
		"true|7|1.5|00FF|3|3|03:00:00.25|NaN|9|a \"b\"\n", "false|-7|-0.25||0|NULL|00:00:00|-inf|0|NULL")
}

func TestCopyParquetWhole(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	n := "one"
	var b bytes.Buffer
	check(t, parquet.Write(&b, []parquetRow{{1, &n, time.UnixMicro(0).UTC(), 1.5}, {2, nil, time.UnixMicro(0).UTC(), 2}}))
	l.upload("landing", "prices/p/1.parquet", b.Bytes())
	l.exec(`CREATE TABLE V (J VARIANT)`)
	l.wantCopy(`COPY INTO V FROM @LANDING/p/ FILE_FORMAT = (TYPE = PARQUET)`, "1.parquet LOADED 2/2 0")
	l.want(`SELECT J:id::INT, J:Name::VARCHAR FROM V ORDER BY 1`, "1|one", "2|NULL")
	l.exec(`CREATE TABLE P (ID INT, X FLOAT)`)
	l.wantCopy(`COPY INTO P FROM (SELECT $1:id::INT + 1, $1:x::FLOAT FROM @LANDING/p/) FILE_FORMAT = (TYPE = PARQUET)`, "1.parquet LOADED 2/2 0")
	l.want(`SELECT * FROM P ORDER BY 1`, "2|1.5", "3|2")
}

func TestCopyCSVOptions(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE C (ID INT, NAME VARCHAR(20), REST VARCHAR)`)
	for _, c := range []struct{ file, format, want string }{
		{"1, a b , x\n", `TRIM_SPACE = TRUE`, "1|a b|x"},
		{`2, "a b" ,x` + "\n", `TRIM_SPACE = TRUE FIELD_OPTIONALLY_ENCLOSED_BY = '"'`, "2|a b|x"},
		{`3,"a\"b\n",x` + "\n", `ESCAPE = '\\' FIELD_OPTIONALLY_ENCLOSED_BY = '"'`, "3|a\"b\n|x"},
		{"\n\r\n4,a,x\n\n", `SKIP_BLANK_LINES = TRUE`, "4|a|x"},
		{"5,n/a,\n", `NULL_IF = ('n/a') EMPTY_FIELD_AS_NULL = FALSE`, "5|NULL|"},
		{"6,a\n", `ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE`, "6|a|NULL"},
		{"7;a,b;x|", `FIELD_DELIMITER = ';' RECORD_DELIMITER = '|'`, "7|a,b|x"},
		{`8,a\tb\,c,x`, `FIELD_DELIMITER = ','`, "8|a\tb,c|x"},
	} {
		l.upload("landing", "prices/o/1.csv", []byte(c.file))
		l.exec(`TRUNCATE TABLE C`)
		l.wantCopy(`COPY INTO C FROM @LANDING/o/ FILE_FORMAT = (TYPE = CSV `+c.format+`)`, "1.csv LOADED 1/1 0")
		l.want(`SELECT * FROM C`, c.want)
	}
	l.exec(`CREATE TABLE W (LINE VARCHAR)`)
	l.upload("landing", "prices/w/1.txt", []byte("a,b\nc\n"))
	l.wantCopy(`COPY INTO W FROM @LANDING/w/ FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = NONE)`, "1.txt LOADED 2/2 0")
	l.want(`SELECT * FROM W ORDER BY 1`, "a,b", "c")
	l.upload("landing", "prices/q/1.csv", []byte(`1,"a"b,x`))
	l.fails(100038, "after a quoted field", `COPY INTO C FROM @LANDING/q/ FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '"')`)
}

func TestCopyOptions(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`CREATE TABLE J (N INT, S VARCHAR(3), O OBJECT, L ARRAY)`)
	l.upload("landing", "prices/j/1.json", []byte(`{"n": " 1 ", "s": "-", "o": {"a": 1}, "l": [1]}`+"\n"+`{"n": 2, "s": " ab ", "o": [1], "l": null}`))
	from := `COPY INTO J FROM @LANDING/j/ FILE_FORMAT = (TYPE = JSON TRIM_SPACE = TRUE NULL_IF = ('-')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE `
	l.wantCopy(from+`ON_ERROR = 'SKIP_FILE_10%'`, "1.json LOAD_FAILED 0/2 1")
	l.wantCopy(from+`ON_ERROR = 'SKIP_FILE_50%'`, "1.json PARTIALLY_LOADED 1/2 1")
	l.want(`SELECT N, S, O:a::INT, ARRAY_SIZE(L) FROM J`, "1|NULL|1|1")
	l.upload("landing", "prices/k/1.json", []byte(`{"s": "abcd"}`))
	long := `COPY INTO J FROM @LANDING/k/ FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE `
	l.fails(100038, "length limit", long+`ENFORCE_LENGTH = TRUE`)
	l.wantCopy(long+`ENFORCE_LENGTH = FALSE`, "1.json LOADED 1/1 0")
	l.want(`SELECT S FROM J WHERE N IS NULL`, "abc")
	l.fails(1008, "ON_ERROR", long+`ON_ERROR = MAYBE`)
	l.fails(1008, "MATCH_BY_COLUMN_NAME", `COPY INTO J FROM @LANDING/k/ MATCH_BY_COLUMN_NAME = SOMEHOW`)
	l.fails(2, "COPY INTO a location", `COPY INTO @LANDING/k/ FROM J`)
	l.fails(2, "table and user stages", `COPY INTO J FROM @%J`)
}
