package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// price has a column of every type that a source reads, and a nested one.
type price struct {
	Index  string    `parquet:"Index"`
	Date   int32     `parquet:"Date,date"`
	Close  *float64  `parquet:"Adj Close,optional"`
	Small  float32   `parquet:"Small"`
	Volume int64     `parquet:"Volume"`
	U32    uint32    `parquet:"U32"`
	U64    uint64    `parquet:"U64"`
	Amount int64     `parquet:"Amount,decimal(2:12)"`
	Rate   int32     `parquet:"Rate,decimal(3:5)"`
	At     time.Time `parquet:"At,timestamp(microsecond)"`
	Open   bool      `parquet:"Open"`
	Raw    []byte    `parquet:"Raw"`
	ID     [16]byte  `parquet:"ID,uuid"`
	Tags   []string  `parquet:"Tags,list"`
}

var someDay = time.Date(2024, 2, 29, 12, 30, 15, 123456000, time.UTC)

func prices(from, n int) []price {
	out := make([]price, n)
	for i := range out {
		f := float64(from+i) + 0.1
		out[i] = price{Index: fmt.Sprintf("I%d", (from+i)%7), Date: int32(19782 + from + i), Close: &f, Small: 0.5, Volume: int64(from + i), U32: 1<<32 - 1,
			U64: 1<<64 - 1, Amount: -5, Rate: 12345, At: someDay, Open: true, Raw: []byte{0, 0xff}, Tags: []string{"a"}}
		if (from+i)%3 == 0 {
			out[i].Close = nil
		}
	}
	return out
}

func writeParquet[T any](t testing.TB, name string, groups ...[]T) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.Compression(&parquet.Snappy), parquet.PageBufferSize(2000))
	for _, g := range groups {
		if _, err := w.Write(g); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestParquet(t *testing.T) {
	dir := t.TempDir()
	one := writeParquet(t, filepath.Join(dir, "1.parquet"), prices(1, 700), prices(701, 1000))
	writeParquet(t, filepath.Join(dir, "2.parquet"), prices(1701, 300))
	cfg := Config{Paths: []string{filepath.Join(dir, "*.parquet")}, Format: Parquet, Drop: []string{"Tags", "U32"}, Binary: []string{"Raw"}}
	headers, err := Headers(cfg)
	if err != nil || len(headers) != 2 || strings.Join(headers[0].Columns, ",") != "Index,Date,Adj Close,Small,Volume,U32,U64,Amount,Rate,At,Open,Raw,ID" {
		t.Fatalf("%v, %v", headers, err)
	}
	read := func(cfg Config) (digests []uint64) {
		r, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for n := 1; ; n++ {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return digests
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Err != nil || row.Number != uint64(n) || string(row.Fields[4]) != fmt.Sprint(n) || IsNull(row.Fields[2]) != (n%3 == 0) || row.Fields[5] != nil {
				t.Fatalf("row %d: %q %v", n, row.Fields, row.Err)
			}
			if n == 1 {
				want := `{"Index":"I1","Date":"2024-03-01","Adj Close":"1.1","Small":"0.5","Volume":"1","U64":"18446744073709551615","Amount":"-0.05",` +
					`"Rate":"12.345","At":"2024-02-29T12:30:15.123456Z","Open":"true","Raw":"00ff","ID":"00000000-0000-0000-0000-000000000000"}`
				if got := string(row.Text()); got != want {
					t.Errorf("%s\nwant\n%s", got, want)
				}
			}
			if n == 1701 && (row.Line != 1 || filepath.Base(row.File) != "2.parquet") {
				t.Errorf("row %d: %s:%d", n, row.File, row.Line)
			}
			digests = append(digests, row.Digest)
		}
	}
	before := read(cfg)
	if len(before) != 2000 || before[5] == before[6] {
		t.Fatalf("%d rows", len(before))
	}
	// Written anew with other row groups, the rows are the same; with another value, they are not.
	writeParquet(t, one, prices(1, 1700))
	if got := read(cfg); got[1999] != before[1999] || got[100] != before[100] {
		t.Error("the digest is not of the rows alone")
	}
	other := prices(1, 1700)
	other[50].Small = 0.25
	writeParquet(t, one, other)
	if got := read(cfg); got[49] != before[49] || got[50] == before[50] || got[1999] == before[1999] {
		t.Error("a row has changed, the digest has not")
	}
	cfg.Limit = 3
	if got := read(cfg); len(got) != 3 {
		t.Errorf("%d rows", len(got))
	}
}

// Types that Go's writer has no tag for.
func TestParquetTypes(t *testing.T) {
	schema := parquet.NewSchema("x", parquet.Group{
		"a": parquet.TimeAdjusted(parquet.Millisecond, false), "b": parquet.TimestampAdjusted(parquet.Nanosecond, false), "c": parquet.JSON(),
		"d": parquet.Decimal(3, 30, parquet.FixedLenByteArrayType(13)), "e": parquet.Enum(), "f": parquet.Leaf(parquet.ByteArrayType),
		"g": parquet.Optional(parquet.Leaf(parquet.Int96Type)), "h": parquet.Int(8), "i": parquet.Uint(16), "j": parquet.TimeAdjusted(parquet.Nanosecond, true)})
	name := filepath.Join(t.TempDir(), "x.parquet")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := parquet.NewGenericWriter[any](f, schema)
	negative := append(bytes.Repeat([]byte{0xff}, 12), 0xfe) // -2
	row := parquet.Row{
		parquet.Int32Value(3661001).Level(0, 0, 0), parquet.Int64Value(-1).Level(0, 0, 1), parquet.ByteArrayValue([]byte(`{"x":1}`)).Level(0, 0, 2),
		parquet.FixedLenByteArrayValue(negative).Level(0, 0, 3), parquet.ByteArrayValue([]byte("E")).Level(0, 0, 4), parquet.ByteArrayValue([]byte("text\xff\"")).Level(0, 0, 5),
		parquet.Int96Value([3]uint32{1000, 0, 2440589}).Level(0, 1, 6), parquet.Int32Value(-8).Level(0, 0, 7), parquet.Int32Value(65535).Level(0, 0, 8), parquet.Int64Value(1).Level(0, 0, 9)}
	if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(Config{Paths: []string{name}, Format: Parquet})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	want := `01:01:01.001|1969-12-31T23:59:59.999999999|{"x":1}|-0.002|E|text` + "\xff" + `"|1970-01-02T00:00:00.000001|-8|65535|00:00:00.000000001`
	if text := string(bytes.Join(got.Fields, []byte("|"))); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}

func TestParquetRefused(t *testing.T) {
	dir := t.TempDir()
	whole := writeParquet(t, filepath.Join(dir, "whole.parquet"), prices(1, 3000))
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	damaged := bytes.Clone(data)
	for i := 500; i < 2500; i++ {
		damaged[i] ^= 0x5a
	}
	for _, tt := range []struct {
		name, path, want string
		cfg              Config
	}{
		{"nested", whole, `column "Tags" is nested`, Config{}},
		{"text", file("a.csv", []byte("a,b\n1,2\n")), "is no Parquet file that can be read", Config{}},
		{"empty", file("b.parquet", nil), "is no Parquet file that can be read", Config{}},
		{"cut", file("c.parquet", data[:len(data)/2]), "is no Parquet file that can be read", Config{}},
		{"damaged", file("d.parquet", damaged), "d.parquet", Config{Drop: []string{"Tags"}}},
		{"follow", whole, "cannot be followed", Config{Follow: true}},
		{"stdin", Stdin, "standard input", Config{}},
	} {
		tt.cfg.Paths, tt.cfg.Format = []string{tt.path}, Parquet
		r, err := Open(tt.cfg)
		for err == nil {
			_, err = r.Next()
		}
		if r != nil {
			r.Close()
		}
		if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A file from who knows where is read, or is an error, and never ends the program.
func FuzzParquet(f *testing.F) {
	dir := f.TempDir()
	for _, n := range []int{0, 1, 40} {
		data, err := os.ReadFile(writeParquet(f, filepath.Join(dir, "x"), prices(1, n)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(Config{Paths: []string{name}, Format: Parquet, Drop: []string{"Tags"}, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			row, err := r.Next()
			if err != nil {
				return
			}
			if row.Err == nil && len(row.Fields) != len(r.Header()) {
				t.Fatalf("%d fields of %d columns", len(row.Fields), len(r.Header()))
			}
		}
	})
}
