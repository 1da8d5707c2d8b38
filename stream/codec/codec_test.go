package codec

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

const prices = `{"type":"record","name":"market_data","fields":[
	{"name":"Index","type":"string"},
	{"name":"Date","type":{"type":"int","logicalType":"date"}},
	{"name":"Open","type":"double"},{"name":"High","type":"double"},{"name":"Low","type":"double"},
	{"name":"Close","type":"double"},{"name":"Adj_Close","type":"double"},{"name":"Volume","type":"double"},
	{"name":"CloseUSD","type":["null","double"],"default":null}]}`

const everything = `{"type":"record","name":"all","namespace":"x.y","fields":[
	{"name":"s","type":"string"},
	{"name":"b","type":"boolean"},
	{"name":"i","type":"int"},
	{"name":"l","type":["null","long"]},
	{"name":"f","type":"float"},
	{"name":"d","type":["double","null"]},
	{"name":"raw","type":"bytes"},
	{"name":"fix","type":{"type":"fixed","name":"four","size":4}},
	{"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}},
	{"name":"fdec","type":{"type":"fixed","name":"amount","size":8,"logicalType":"decimal","precision":16,"scale":2}},
	{"name":"day","type":{"type":"int","logicalType":"date"}},
	{"name":"tms","type":{"type":"int","logicalType":"time-millis"}},
	{"name":"tus","type":{"type":"long","logicalType":"time-micros"}},
	{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"tsu","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
	{"name":"lts","type":{"type":"long","logicalType":"local-timestamp-micros"}},
	{"name":"e","type":{"type":"enum","name":"side","symbols":["BUY","SELL"]}},
	{"name":"e2","type":["null","x.y.side"],"default":null},
	{"name":"note","type":"string","default":"none"},
	{"name":"opt","type":["null","string"]}]}`

var everythingRow = map[string]string{"s": `say "hi" ü`, "b": "true", "i": "-42", "l": "9223372036854775807",
	"f": "0.1", "d": "528.690002", "raw": "00ffAB", "fix": "deadbeef", "dec": "-1234567890.5", "fdec": "-0.01",
	"day": "1969-12-31", "tms": "23:59:59.999", "tus": "01:02:03.000004", "ts": "1969-12-31T23:59:59.5Z",
	"tsu": "2024-02-29 12:00:00.123456+02:00", "lts": "0001-01-01T00:00:00", "e": "SELL"}

func parse(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Parse(7, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// split takes a row map apart into header and fields, in schema order.
func split(s *Schema, row map[string]string) (header []string, fields [][]byte) {
	for _, f := range s.Row.Fields {
		if v, ok := row[f.Name]; ok {
			header = append(header, f.Name)
			fields = append(fields, []byte(v))
		}
	}
	return header, fields
}

func TestEveryTypeToJSON(t *testing.T) {
	s := parse(t, everything)
	header, fields := split(s, everythingRow)
	p, err := Compile(s, header, Options{})
	if err != nil {
		t.Fatal(err)
	}
	datum, err := p.Encode(nil, fields)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.AppendJSON(nil, datum)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"s":"say \"hi\" ü","b":true,"i":-42,"l":9223372036854775807,"f":0.1,"d":528.690002,` +
		`"raw":"00ffab","fix":"deadbeef","dec":"-1234567890.5000","fdec":"-0.01","day":"1969-12-31",` +
		`"tms":"23:59:59.999","tus":"01:02:03.000004","ts":"1969-12-31T23:59:59.500Z",` +
		`"tsu":"2024-02-29T10:00:00.123456Z","lts":"0001-01-01T00:00:00.000000","e":"SELL","e2":null,"note":"none","opt":null}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := oracle(t, s, everythingRow); !bytes.Equal(again, datum) {
		t.Errorf("the plan gives %x\n the library %x", datum, again)
	}
	vals, err := s.Values(nil, datum)
	if err != nil || len(vals) != len(s.Row.Fields) {
		t.Fatal(err, len(vals))
	}
	for i, name := range []string{"s", "b", "i"} {
		if v := vals[i]; v.Null || string(v.B) != map[string]string{"s": everythingRow["s"]}[name] && name == "s" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestHeaderThatDoesNotFit(t *testing.T) {
	s := parse(t, prices)
	header := strings.Split("Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD", ",")
	full := Options{Rename: map[string]string{"Adj Close": "Adj_Close"}}
	if _, err := Compile(s, header, full); err != nil {
		t.Error(err)
	}
	if _, err := Compile(s, header[:8], full); err != nil {
		t.Errorf("a nullable field needs no column: %v", err)
	}
	for name, tt := range map[string]struct {
		header []string
		opt    Options
		want   string
	}{
		"rename":          {header, Options{}, `column "Adj Close" is no field of schema market_data; did you mean rename = { "Adj Close" = "Adj_Close" }?`},
		"stranger":        {append([]string{"Extra"}, header...), full, `column "Extra" is no field of schema market_data; rename it to one or drop it`},
		"missing":         {header[1:], full, `field "Index" has no column, no default, and is not nullable`},
		"twice":           {append([]string{"Index"}, header...), full, `two columns fill the field "Index"`},
		"rename nothing":  {header, Options{Rename: map[string]string{"Adj Close": "Adj_Close", "X": "Y"}}, `there is no column "X"`},
		"rename to what?": {header, Options{Rename: map[string]string{"Adj Close": "Adj"}}, `renamed to "Adj", which is no field`},
	} {
		_, err := Compile(s, tt.header, tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if _, err := Compile(s, append([]string{"Extra"}, header...), Options{Rename: full.Rename, Drop: []string{"Extra"}}); err != nil {
		t.Errorf("a dropped column: %v", err)
	}
	nested := parse(t, `{"type":"record","name":"n","fields":[{"name":"a","type":{"type":"array","items":"int"}}]}`)
	if _, err := Compile(nested, []string{"a"}, Options{}); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Error(err)
	}
}

func TestBadFields(t *testing.T) {
	s := parse(t, everything)
	header, fields := split(s, everythingRow)
	p, err := Compile(s, header, Options{Null: []string{"", "null"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]string{
		"i":    {"2147483648", "1.0", "", "null", "1x", "-", "99999999999999999999999"},
		"l":    {"9223372036854775808", "x"},
		"b":    {"yes"},
		"f":    {"NaN", "inf", "0x1p3", "1_0", "1e40", "."},
		"d":    {"NaN", "1e400", "1.2.3", "--1", "Infinity"},
		"raw":  {"abc", "zz"},
		"fix":  {"dead"},
		"dec":  {"1.23456", "12345678901234567.0001", "1e3", "-", "x"},
		"fdec": {"123456789012345.67"},
		"day":  {"2023-02-29", "2023-13-01", "23-01-01", "2023/01/01", "2023-1-1"},
		"tms":  {"24:00:00", "12:00:00.1234", "12", "12:60"},
		"ts":   {"2023-01-01T25:00", "2023-01-01T00:00:00+1", "2023-01-01T00:00:00.1234Z", "yesterday"},
		"lts":  {"2023-01-01T00:00:00Z"},
		"e":    {"HOLD"},
		"s":    {"\xff", "null"},
	} {
		for _, text := range bad {
			row := make([][]byte, len(fields))
			copy(row, fields)
			for i, h := range header {
				if h == name {
					row[i] = []byte(text)
				}
			}
			dst, err := p.Encode([]byte("keep"), row)
			if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) || string(dst) != "keep" {
				t.Errorf("%s = %q: %v, %q", name, text, err, dst)
			}
		}
	}
}

func TestNumbersAgreeWithStrconv(t *testing.T) {
	for _, text := range []string{"0", "-0", "1", "528.690002", "1539850000", "0.1", "1e22", "1e23", "9007199254740993",
		"123456789012345678901234567890", "4.9e-324", "1.7976931348623157e308", "+5", ".5", "5.", "00012.50", "0.000000000000000000000001"} {
		got, err := parseDouble([]byte(text))
		var want float64
		if _, e := fmt.Sscan(strings.TrimPrefix(text, "+"), &want); e != nil {
			t.Fatal(e)
		}
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestNestedToJSON(t *testing.T) {
	text := `{"type":"record","name":"tree","fields":[{"name":"v","type":["null","int","string"]},
		{"name":"kids","type":{"type":"array","items":"tree"}},{"name":"m","type":{"type":"map","values":"double"}}]}`
	s := parse(t, text)
	leaf := map[string]any{"v": "x", "kids": []any{}, "m": map[string]any{}}
	v := map[string]any{"v": int32(1), "kids": []any{leaf, leaf}, "m": map[string]any{"a\n": 1.5}}
	datum, err := avro.MustParse(text).Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.AppendJSON(nil, datum)
	want := `{"v":1,"kids":[{"v":"x","kids":[],"m":{}},{"v":"x","kids":[],"m":{}}],"m":{"a\n":1.5}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNotANumberHasNoJSON(t *testing.T) {
	s := parse(t, `{"type":"record","name":"n","fields":[{"name":"x","type":"double"}]}`)
	datum, _ := avro.MustParse(`{"type":"record","name":"n","fields":[{"name":"x","type":"double"}]}`).Encode(map[string]any{"x": math.NaN()})
	if out, err := s.AppendJSON([]byte("keep"), datum); err == nil || !strings.Contains(err.Error(), `"x"`) || string(out) != "keep" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestMultiset(t *testing.T) {
	var a, b, c Multiset
	for i := range 1000 {
		a.Add(fmt.Append(nil, i))
		b.Add(fmt.Append(nil, 999-i))
		c.Add(fmt.Append(nil, i/2*2))
	}
	if a != b || a == c {
		t.Errorf("%v %v %v", a, b, c)
	}
	back, err := ParseMultiset(a.Text())
	if err != nil || back != a {
		t.Errorf("%v, %v", back, err)
	}
}

func TestSchemaRefused(t *testing.T) {
	for _, text := range []string{"", "{", `"int"`, `{"type":"record","name":"r","fields":[{"name":"a","type":"nosuch"}]}`} {
		if _, err := Parse(1, text); err == nil {
			t.Errorf("%q must be refused", text)
		}
	}
	if _, err := Parse(1, `{"type":"record","name":"r","fields":[{"name":"a","type":"o"}]}`, `{"type":"enum","name":"o","symbols":["A"]}`); err != nil {
		t.Errorf("a reference: %v", err)
	}
}

// The hot path must not allocate.
func TestNoAllocation(t *testing.T) {
	s := parse(t, prices)
	row := bytes.Split([]byte("NYA,1965-12-31,528.690002,528.690002,528.690002,528.690002,528.690002,0,528.690002"), []byte(","))
	p, err := Compile(s, strings.Split("Index,Date,Open,High,Low,Close,Adj_Close,Volume,CloseUSD", ","), Options{})
	if err != nil {
		t.Fatal(err)
	}
	datum, text := make([]byte, 0, 1000), make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		d, _ := p.Encode(datum, row)
		s.AppendJSON(text, d)
	}); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	s := parse(b, prices)
	row := bytes.Split([]byte("NYA,1965-12-31,528.690002,528.690002,528.690002,528.690002,528.690002,0,528.690002"), []byte(","))
	p, _ := Compile(s, strings.Split("Index,Date,Open,High,Low,Close,Adj_Close,Volume,CloseUSD", ","), Options{})
	dst := make([]byte, 0, 1000)
	for b.Loop() {
		p.Encode(dst, row)
	}
}

func BenchmarkJSON(b *testing.B) {
	s := parse(b, prices)
	row := bytes.Split([]byte("NYA,1965-12-31,528.690002,528.690002,528.690002,528.690002,528.690002,0,528.690002"), []byte(","))
	p, _ := Compile(s, strings.Split("Index,Date,Open,High,Low,Close,Adj_Close,Volume,CloseUSD", ","), Options{})
	datum, _ := p.Encode(nil, row)
	dst := make([]byte, 0, 1000)
	for b.Loop() {
		s.AppendJSON(dst, datum)
	}
}
