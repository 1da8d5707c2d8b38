package stream

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/rowfile"
	"mkt/stream/source"
	"mkt/stream/streamtest"
)

// hotRows writes a file of n rows without quotes, and returns its plan.
func hotRows(t testing.TB, n int) (*codec.Schema, *source.Reader, *codec.Plan) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("Index,Date,Close,Adj_Close,Volume,CloseUSD\n")
	for i := range n {
		fmt.Fprintf(&b, "NYA,2021-05-%02d,528.690002,%d.25,%d,17.5\n", 1+i%28, i, i)
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	schema, err := codec.Parse(1, streamtest.Schema)
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(source.Config{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	if _, err := src.Next(); err != nil {
		t.Fatal(err)
	}
	plan, err := codec.Compile(schema, src.Header(), codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return schema, src, plan
}

// TestProducerAllocatesNothing takes rows from the bytes of a file to the batch
// that goes to the client.
func TestProducerAllocatesNothing(t *testing.T) {
	schema, src, plan := hotRows(t, 12_000)
	p := &producer{cfg: Producer{Name: "p", Topic: "t"}, run: &run{}, schema: schema, header: HeaderOf("p"),
		plan: plan, planFor: src.Header(), largest: largestRecord, open: true, began: time.Now()}
	ctx := t.Context()
	row := func() {
		r, err := src.Next()
		if err == nil {
			err = p.wait(ctx, src, r)
		}
		if err == nil {
			err = p.row(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.batch.Len() == batchRows-1 { // the next would be handed over
			p.batch.Reset()
		}
	}
	for range 2 * batchRows {
		row() // buffers grow to what a batch takes
	}
	if n := testing.AllocsPerRun(5000, row); n != 0 {
		t.Errorf("a row allocates %v times", n)
	}
}

// TestConsumerAllocatesNothing takes records from the client's memory to a
// file, for each format that copies bytes.
func TestConsumerAllocatesNothing(t *testing.T) {
	schema, src, plan := hotRows(t, 100)
	r, err := src.Next()
	if err != nil {
		t.Fatal(err)
	}
	value, err := plan.Encode([]byte{0, 0, 0, 0, 1}, r.Fields)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{rowfile.JSON, "gzip"}, {rowfile.JSON, "zstd"}, {rowfile.Avro, "zstd"}, {rowfile.Avro, "none"}} {
		t.Run(c[0]+" "+c[1], func(t *testing.T) {
			con := &consumer{cfg: Consumer{Topic: "t", Format: c[0], Compression: c[1], Roll: Roll{Rows: 1 << 40, Bytes: 1 << 40}},
				run: &run{}, schema: schema, parts: map[int32]*partition{0: {}}}
			ctx, offset := t.Context(), int64(0)
			take := func() {
				if err := con.message(ctx, engine.Record{Offset: offset, Value: value}); err != nil {
					t.Fatal(err)
				}
				offset++
			}
			for range 10_000 {
				take()
			}
			// What is compressed grows in a buffer, block by block: none of it
			// is for a row.
			if n := testing.AllocsPerRun(20_000, take); n != 0 {
				t.Errorf("a row allocates %v times", n)
			}
		})
	}
}
