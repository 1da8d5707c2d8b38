package codec

import (
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	const schema = `{"type":"record","name":"r","fields":[{"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
		{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}}]}`
	s := parse(t, schema)
	for _, tt := range []struct{ date, stamp, row, want string }{
		{"DD.MM.YYYY", "DD.MM.YYYY HH24:MI:SS", "29.02.2024|31.12.1969 23:59:59.000001|01.01.2020 00:00:00", `"2024-02-29","at":"1969-12-31T23:59:59.000001Z","local":"2020-01-01T00:00:00`},
		{"MON DD, YYYY", "MM/DD/YYYY HH12:MI AM TZH:TZM", "Mar 01, 2020|01/02/2020 12:30 PM +02:00|01/02/2020 12:30 AM +00:00", `"2020-03-01","at":"2020-01-02T10:30:00`},
		{"YY-MM-DD", `YYYY-MM-DD"T"HH24:MI:SS.FF`, "|2020-01-02T03:04:05.5|2020-01-02T03:04:05.25", `null,"at":"2020-01-02T03:04:05.5`},
		{"DD.MM.YYYY", "", "30.02.2024|2020-01-02T00:00:00Z|2020-01-02T00:00:00", `!field "day": "30.02.2024" does not have the form DD.MM.YYYY`},
		{"", "YYYY-MM-DD HH24:MI:SS TZH:TZM", "2020-01-02|2020-01-02 00:00:00 +00:00|2020-01-02 00:00:00 +01:00", `!has a zone`},
		{"", "YYYY-MM-DD HH24:MI:SS", "2020-01-02|2020-01-02 00:00:00|2020-01-02 00:00:00.0001", `!more digits of a second`},
		{"DD.MM", "", "", "!has no year"},
		{"YYYY-QQ", "", "", `!"QQ", which is no element`},
	} {
		var got string
		p, err := Compile(s, []string{"day", "at", "local"}, Options{DateFormat: tt.date, TimestampFormat: tt.stamp})
		if err == nil {
			var fields [][]byte
			for _, f := range strings.Split(tt.row, "|") {
				fields = append(fields, []byte(f))
			}
			var datum []byte
			if datum, err = p.Encode(nil, fields); err == nil {
				text, _ := s.AppendJSON(nil, datum)
				got = string(text)
			}
		}
		if want, fails := strings.CutPrefix(tt.want, "!"); fails != (err != nil) || fails && !strings.Contains(err.Error(), want) || !fails && !strings.Contains(got, want) {
			t.Errorf("%q %q: %s, %v", tt.date, tt.row, got, err)
		}
	}
}

// A field that a row does not have takes the default; null is null whatever
// the words.
func TestMissingAndNull(t *testing.T) {
	s := parse(t, `{"type":"record","name":"r","fields":[{"name":"a","type":["null","string"]},{"name":"b","type":"long","default":7},{"name":"c","type":"string"},
		{"name":"nested","type":{"type":"array","items":"int"},"default":[]}]}`)
	if flat := strings.Join(s.Flat(), ","); flat != "a,b,c" {
		t.Fatal(flat)
	}
	p, err := Compile(s, s.Flat(), Options{Null: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	for want, fields := range map[string][][]byte{
		`{"a":null,"b":7,"c":"null","nested":[]}`: {Null, nil, []byte("null")},
		`{"a":"","b":1,"c":"","nested":[]}`:       {{}, []byte("1"), {}},
		"!is null":                                {nil, Null, {}},
		"!the row has none":                       {nil, nil, nil},
	} {
		datum, err := p.Encode(nil, fields)
		var got []byte
		if err == nil {
			got, _ = s.AppendJSON(nil, datum)
		}
		if msg, fails := strings.CutPrefix(want, "!"); fails != (err != nil) || fails && !strings.Contains(err.Error(), msg) || !fails && string(got) != want {
			t.Errorf("%s: %s, %v", want, got, err)
		}
	}
}
