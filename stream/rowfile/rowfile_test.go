package rowfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/twmb/avro/ocf"

	"mkt/stream/codec"
)

const everything = `{"type":"record","name":"all","namespace":"x.y","fields":[
	{"name":"s","type":"string"},
	{"name":"b","type":"boolean"},
	{"name":"i","type":"int"},
	{"name":"l","type":["null","long"]},
	{"name":"f","type":"float"},
	{"name":"d","type":["double","null"]},
	{"name":"raw","type":"bytes"},
	{"name":"fix","type":{"type":"fixed","name":"four","size":4}},
	{"name":"small","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}},
	{"name":"middle","type":{"type":"fixed","name":"amount","size":8,"logicalType":"decimal","precision":16,"scale":2}},
	{"name":"large","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":10}},
	{"name":"day","type":{"type":"int","logicalType":"date"}},
	{"name":"tms","type":{"type":"int","logicalType":"time-millis"}},
	{"name":"tus","type":{"type":"long","logicalType":"time-micros"}},
	{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"tsu","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
	{"name":"lts","type":{"type":"long","logicalType":"local-timestamp-micros"}},
	{"name":"e","type":{"type":"enum","name":"side","symbols":["BUY","SELL"]}},
	{"name":"again","type":["null","x.y.side"],"default":null}]}`

var header = []string{"s", "b", "i", "l", "f", "d", "raw", "fix", "small", "middle", "large", "day", "tms", "tus", "ts", "tsu", "lts", "e"}

// texts are rows; %d stands for the number of the row.
var texts = []string{
	`say "hi" ü %d;true;-42;9223372036854775807;0.1;528.690002;00ffab;deadbeef;-1.5;-0.01;-1234567890.5;1969-12-31;23:59:59.999;01:02:03.000004;1969-12-31T23:59:59.5Z;2024-02-29T12:00:00.123456Z;0001-01-01T00:00:00;SELL`,
	`%d;false;0;;-0;;00;00000000;999999.999;99999999999999.99;9999999999999999999999999999.9999999999;9999-12-31;00:00:00;00:00:00;9999-12-31T23:59:59.999Z;;2024-02-29T12:00:00;BUY`,
	`%d;false;2147483647;-1;1e30;1e-300;61;00000001;0;0;-9999999999999999999999999999.9999999999;0001-01-01;12:00:00;12:00:00;0001-01-01T00:00:00Z;1969-12-31T23:59:59.999999Z;9999-12-31T23:59:59.999999;BUY`,
}

func parse(t testing.TB, text string) *codec.Schema {
	t.Helper()
	s, err := codec.Parse(7, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// data is n rows of the schema everything.
func data(t testing.TB, s *codec.Schema, n int) [][]byte {
	t.Helper()
	plan, err := codec.Compile(s, header, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for i := range n {
		var fields [][]byte
		for _, f := range strings.Split(texts[i%len(texts)], ";") {
			fields = append(fields, []byte(strings.ReplaceAll(f, "%d", fmt.Sprint(i))))
		}
		datum, err := plan.Encode(nil, fields)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, datum)
	}
	return out
}

func write(t testing.TB, format, compression string, s *codec.Schema, data [][]byte) []byte {
	t.Helper()
	w, err := New(format, compression, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range data {
		if unfit, err := w.Add(d); unfit != nil || err != nil {
			t.Fatal(unfit, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return contents(t, w)
}

// read gives each row of a file as the text of its values.
func read(t testing.TB, format string, s *codec.Schema, file []byte) (rows []string) {
	t.Helper()
	var err error
	switch format {
	case Avro:
		err = EachAvro(bytes.NewReader(file), func(own *codec.Schema, datum []byte) error {
			if !reflect.DeepEqual(own.Row, s.Row) {
				t.Fatalf("the file's schema is %+v", own.Row)
			}
			rows = append(rows, values(t, s, datum))
			return nil
		})
	case Parquet:
		err = EachParquet(file, s.Row.Fields, func(v []codec.Value) error {
			rows = append(rows, show(v))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func values(t testing.TB, s *codec.Schema, datum []byte) string {
	t.Helper()
	v, err := s.Values(nil, datum)
	if err != nil {
		t.Fatal(err)
	}
	return show(v)
}

func show(v []codec.Value) string {
	var b strings.Builder
	for _, e := range v {
		fmt.Fprintf(&b, "%v %d %d %x %q, ", e.Null, e.I, e.N, math.Float64bits(e.F), e.B)
	}
	return b.String()
}

func TestRowsComeBack(t *testing.T) {
	s := parse(t, everything)
	in := data(t, s, 3000)
	for _, f := range []string{Avro, Parquet} {
		for _, c := range Compressions(f) {
			file := write(t, f, c, s, in)
			rows := read(t, f, s, file)
			if len(rows) != len(in) {
				t.Fatalf("%s, %s: %d of %d rows", f, c, len(rows), len(in))
			}
			for i, datum := range in {
				if want := values(t, s, datum); rows[i] != want {
					t.Fatalf("%s, %s, row %d:\n got %s\nwant %s", f, c, i, rows[i], want)
				}
			}
			t.Logf("%s, %s: %d bytes", f, c, len(file))
		}
	}
}

func TestLines(t *testing.T) {
	s := parse(t, everything)
	in := data(t, s, 300)
	for _, c := range Compressions(JSON) {
		var r io.Reader = bytes.NewReader(write(t, JSON, c, s, in))
		var err error
		switch c {
		case "gzip":
			r, err = gzip.NewReader(r)
		case "zstd":
			r, err = zstd.NewReader(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(out, []byte("\n")); lines != len(in) || !json.Valid(out[:bytes.IndexByte(out, '\n')]) {
			t.Errorf("%s: %d lines", c, lines)
		}
	}
}

// The header says what other readers go by.
func TestParquetTypes(t *testing.T) {
	s := parse(t, everything)
	file := write(t, Parquet, "zstd", s, data(t, s, 10))
	in, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"s": "STRING", "e": "STRING", "small": "INT32 DECIMAL(9,3)", "middle": "INT64 DECIMAL(16,2)",
		"large": "FIXED_LEN_BYTE_ARRAY DECIMAL(38,10)", "day": "DATE", "tms": "TIME(isAdjustedToUTC=false,unit=MILLIS)",
		"ts": "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "tsu": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)",
		"lts": "TIMESTAMP(isAdjustedToUTC=false,unit=MICROS)", "i": "INT(32,true)", "raw": "BYTE_ARRAY"} {
		leaf, ok := in.Schema().Lookup(name)
		if !ok {
			t.Fatalf("no column %s", name)
		}
		got := leaf.Node.Type().String()
		if l := leaf.Node.Type().LogicalType(); l != nil {
			if d, ok := l.Value.(*format.DecimalType); ok {
				got = fmt.Sprintf("%s %s", leaf.Node.Type().Kind(), d)
			}
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		if optional := slices.Contains([]string{"tsu"}, name); leaf.Node.Optional() != optional {
			t.Errorf("%s: optional is %v", name, leaf.Node.Optional())
		}
	}
	for _, g := range in.Metadata().RowGroups {
		for _, c := range g.Columns {
			for _, p := range c.MetaData.EncodingStats {
				if p.PageType == format.DataPageV2 {
					t.Fatalf("column %v has a data page of version 2", c.MetaData.PathInSchema)
				}
			}
		}
	}
}

// A general reader takes the Avro file for what it is.
func TestAvroIsReadByOthers(t *testing.T) {
	s := parse(t, everything)
	in := data(t, s, 5)
	r, err := ocf.NewReader(bytes.NewReader(write(t, Avro, "gzip", s, in)))
	if err != nil {
		t.Fatal(err)
	}
	if c := string(r.Metadata()["avro.codec"]); c != "deflate" {
		t.Errorf("codec %s", c)
	}
	var row map[string]any
	if err := r.Decode(&row); err != nil || row["s"] != `say "hi" ü 0` || row["e"] != "SELL" {
		t.Errorf("%+v, %v", row, err)
	}
}

// A schema in parts is whole in the file.
func TestReferencesAreWrittenOut(t *testing.T) {
	s, err := codec.Parse(1, `{"type":"record","name":"r","fields":[{"name":"side","type":"x.side"}]}`,
		`{"type":"enum","name":"side","namespace":"x","symbols":["BUY","SELL"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{Avro, Parquet} {
		rows := read(t, f, s, write(t, f, "none", s, [][]byte{{2}, {0}}))
		if len(rows) != 2 || !strings.Contains(rows[0], "SELL") || !strings.Contains(rows[1], "BUY") {
			t.Errorf("%s: %q", f, rows)
		}
	}
}

func TestNothing(t *testing.T) {
	for _, f := range []string{Avro, Parquet} {
		s := parse(t, everything)
		w, err := New(f, "gzip", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		switch f {
		case Avro:
			err = EachAvro(bytes.NewReader(contents(t, w)), func(*codec.Schema, []byte) error { return io.ErrUnexpectedEOF })
		case Parquet:
			err = EachParquet(contents(t, w), s.Row.Fields, func([]codec.Value) error { return io.ErrUnexpectedEOF })
		}
		if err != nil || len(contents(t, w)) == 0 {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// What does not fit leaves the file as it was.
func TestUnfit(t *testing.T) {
	text := `{"type":"record","name":"r","fields":[{"name":"s","type":"string"},{"name":"d","type":"double"},
		{"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":0}},
		{"name":"t","type":{"type":"int","logicalType":"time-millis"}}]}`
	s := parse(t, text)
	good := []byte("\x02a\x00\x00\x00\x00\x00\x00\x00\x00\x02\x05\x00")
	nan := slices.Concat([]byte("\x02a"), []byte("\x00\x00\x00\x00\x00\x00\xf8\x7f"), []byte("\x02\x05\x00"))
	for name, tt := range map[string]struct {
		datum []byte
		in    []string // formats that take it
		want  string
	}{
		"cut short":    {good[:5], nil, "cut short"},
		"trailing":     {append(slices.Clone(good), 0), nil, "bytes follow"},
		"no UTF-8":     {append([]byte("\x02\xff"), good[2:]...), nil, "UTF-8"},
		"time":         {slices.Concat(good[:len(good)-1], []byte{1}), nil, "time of day"},
		"NaN":          {nan, []string{Avro, Parquet}, "NaN"},
		"many digits":  {slices.Concat(good[:10], []byte("\x04\x03\xe8\x00")), []string{JSON}, "more digits"},
		"a good datum": {good, Formats, ""},
	} {
		for _, f := range Formats {
			w, err := New(f, "none", s)
			if err != nil {
				t.Fatal(err)
			}
			unfit, err := w.Add(tt.datum)
			takes := slices.Contains(tt.in, f)
			if err != nil || takes != (unfit == nil) || !takes && !strings.Contains(unfit.Error(), tt.want) {
				t.Errorf("%s, %s: %v, %v", name, f, unfit, err)
			}
			if _, same := Unfit(f, s, tt.datum, nil); (same == nil) != takes {
				t.Errorf("%s, %s: Unfit says %v", name, f, same)
			}
			if unfit, err := w.Add(good); unfit != nil || err != nil {
				t.Errorf("%s, %s: after it %v, %v", name, f, unfit, err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			want := 1
			if takes {
				want = 2
			}
			got := bytes.Count(contents(t, w), []byte("\n"))
			if f != JSON {
				got = len(read(t, f, s, contents(t, w)))
			}
			if got != want {
				t.Errorf("%s, %s: %d rows, want %d", name, f, got, want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ format, compression, want string }{
		{"json", "snappy", "must be gzip or zstd or none"}, {"orc", "gzip", "json or avro or parquet"}, {"avro", "snappy", ""}, {"parquet", "none", ""},
	} {
		if err := Check(tt.format, tt.compression); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: %v", tt.format, tt.compression, err)
		}
	}
}

// FuzzRead: a broken file is an error, never a panic.
func FuzzRead(f *testing.F) {
	s := parse(f, everything)
	f.Add(write(f, Avro, "zstd", s, data(f, s, 3)))
	f.Add(write(f, Parquet, "snappy", s, data(f, s, 3)))
	f.Fuzz(func(t *testing.T, file []byte) {
		EachAvro(bytes.NewReader(file), func(*codec.Schema, []byte) error { return nil })
		EachParquet(file, s.Row.Fields, func([]codec.Value) error { return nil })
	})
}

func BenchmarkAdd(b *testing.B) {
	s := parse(b, `{"type":"record","name":"market_data","fields":[{"name":"Index","type":"string"},
		{"name":"Date","type":{"type":"int","logicalType":"date"}},{"name":"Open","type":"double"},{"name":"High","type":"double"},
		{"name":"Low","type":"double"},{"name":"Close","type":"double"},{"name":"Adj_Close","type":"double"},{"name":"Volume","type":"double"},
		{"name":"CloseUSD","type":"double"}]}`)
	names := []string{"Index", "Date", "Open", "High", "Low", "Close", "Adj_Close", "Volume", "CloseUSD"}
	plan, err := codec.Compile(s, names, codec.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var in [][]byte
	for i := range 10000 {
		v := fmt.Sprintf("%.6f", 500+float64(i)*0.37)
		datum, err := plan.Encode(nil, [][]byte{[]byte("NYA"), []byte("2020-01-02"), []byte(v), []byte(v), []byte(v), []byte(v), []byte(v), []byte(fmt.Sprint(i * 1000)), []byte(v)})
		if err != nil {
			b.Fatal(err)
		}
		in = append(in, datum)
	}
	for _, f := range Formats {
		for _, c := range Compressions(f) {
			b.Run(f+"/"+c, func(b *testing.B) {
				b.ReportAllocs()
				w, err := New(f, c, s)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for b.Loop() {
					if unfit, err := w.Add(in[n%len(in)]); unfit != nil || err != nil {
						b.Fatal(unfit, err)
					}
					if n++; n%100_000 == 0 {
						if w, err = New(f, c, s); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// contents is a closed file.
func contents(t testing.TB, w Writer) []byte {
	t.Helper()
	b, err := io.ReadAll(w.File().Reader())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
