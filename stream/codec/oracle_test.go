package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/avro"

	"mkt/row"
)

// oracle encodes a row by way of Go values and the general library.
func oracle(t testing.TB, s *Schema, text map[string]string) []byte {
	t.Helper()
	v := map[string]any{}
	for _, f := range s.Row.Fields {
		if raw, ok := text[f.Name]; ok {
			val, err := goValue(f, raw)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			v[f.Name] = val
		}
	}
	out, err := s.avro.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func goValue(f row.Field, text string) (any, error) {
	if f.Nullable && text == "" {
		return nil, nil
	}
	switch f.Type {
	case row.String:
		if !utf8.ValidString(text) {
			return nil, errors.New("not UTF-8")
		}
		return text, nil
	case row.Enum:
		return text, nil
	case row.Boolean:
		return strconv.ParseBool(text)
	case row.Int32:
		v, err := strconv.ParseInt(text, 10, 32)
		return int32(v), err
	case row.Int64:
		return strconv.ParseInt(text, 10, 64)
	case row.Float:
		v, err := strconv.ParseFloat(text, 32)
		return float32(v), err
	case row.Double:
		return strconv.ParseFloat(text, 64)
	case row.Bytes:
		return hex.DecodeString(text)
	case row.Decimal:
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			return nil, errors.New("no number")
		}
		return r, nil
	case row.Date:
		return time.Parse(time.DateOnly, text)
	case row.Time:
		d, err := time.Parse("15:04:05.999999999", text)
		return d.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), err
	case row.Timestamp:
		for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999"} {
			if v, err := time.Parse(layout, text); err == nil {
				return v, nil
			}
		}
		return nil, errors.New("no timestamp")
	}
	return nil, errors.New("no such type")
}

// FuzzEncode: whatever the plan encodes, the general library encodes to the
// same bytes from values that the standard library parsed.
func FuzzEncode(f *testing.F) {
	f.Add("NYA", "true", int64(-5), 528.690002, "00ff", "-12.5", "1965-12-31", "23:59:59.999", "2024-02-29T12:00:00.5Z")
	f.Add("", "0", int64(1)<<62, math.Copysign(0, -1), "", "0", "0001-01-01", "00:00:00", "9999-12-31T23:59:59Z")
	schema, err := Parse(1, everything)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s, b string, l int64, d float64, raw, dec, day, clock, ts string) {
		text := map[string]string{"s": s, "b": b, "i": strconv.FormatInt(int64(int32(l)), 10), "l": strconv.FormatInt(l, 10),
			"f": strconv.FormatFloat(d, 'g', -1, 32), "d": strconv.FormatFloat(d, 'f', -1, 64), "raw": raw, "fix": "01020304",
			"dec": dec, "fdec": "1.5", "day": day, "tms": clock, "tus": clock, "ts": ts, "tsu": ts,
			"lts": strings.TrimSuffix(ts, "Z"), "e": "BUY", "opt": s}
		header, fields := split(schema, text)
		p, err := Compile(schema, header, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Encode(nil, fields)
		if err != nil {
			return
		}
		// Short forms that the plan takes and time.Parse does not.
		for name, v := range text {
			field, _ := schema.Row.Field(name)
			if _, err := goValue(field, v); err != nil {
				return
			}
		}
		if want := oracle(t, schema, text); !bytes.Equal(got, want) {
			t.Fatalf("%q\n got %x\nwant %x", text, got, want)
		}
		out, err := schema.AppendJSON(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if back["s"] != s || back["d"] != d && d != 0 {
			t.Fatalf("%s: lost %q or %v", out, s, d)
		}
	})
}

// FuzzDatum: any bytes either are a datum for both or for neither, and what
// both decode is the same.
func FuzzDatum(f *testing.F) {
	text := `{"type":"record","name":"r","fields":[{"name":"s","type":"string"},{"name":"n","type":["null","long"]},
		{"name":"a","type":{"type":"array","items":["null","string","double"]}},{"name":"m","type":{"type":"map","values":"int"}},
		{"name":"b","type":"boolean"}]}`
	schema, err := Parse(1, text)
	if err != nil {
		f.Fatal(err)
	}
	lib := avro.MustParse(text)
	seed, err := lib.Encode(map[string]any{"s": "x", "n": int64(5), "a": []any{"y", nil, 2.5}, "m": map[string]any{"k": int32(1)}, "b": true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, datum []byte) {
		got, err := schema.AppendJSON(nil, datum)
		schema.Values(nil, datum)
		valid := schema.Valid(datum)
		var v map[string]any
		rest, libErr := lib.Decode(datum, &v)
		if valid == nil && (libErr != nil || len(rest) > 0) {
			t.Fatalf("%x is valid, and the library says %v", datum, libErr)
		}
		if err != nil {
			return
		}
		if valid != nil {
			t.Fatalf("%x has the text %s and is not valid: %v", datum, got, valid)
		}
		if libErr != nil || len(rest) > 0 {
			t.Fatalf("%x: the plan gives %s, the library %v", datum, got, libErr)
		}
		if !json.Valid(got) {
			t.Fatalf("%x: %s is no JSON", datum, got)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		json.Unmarshal(got, &a)
		json.Unmarshal(want, &b)
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) {
			t.Fatalf("%x:\n got %s\nwant %s", datum, x, y)
		}
	})
}
