package stream

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"mkt/stream/source"
	"mkt/stream/streamtest"
)

// A producer of Parquet goes on where it was, keeps what does not fit and sends
// that again once it does.
func TestParquetSource(t *testing.T) {
	t.Parallel()
	type price struct {
		Index    string   `parquet:"Index"`
		Date     int32    `parquet:"Date,date"`
		Close    *float64 `parquet:"Close,optional"`
		AdjClose float64  `parquet:"Adj Close"`
		Volume   int64    `parquet:"Volume"`
		Tags     []int32  `parquet:"Tags,list"`
	}
	s := newStack(t, 2)
	write := func(name string, from, n int) {
		t.Helper()
		rows := make([]price, n)
		for i := range rows {
			close := float64(i)
			if rows[i] = (price{Index: "A\"\n", Date: int32(from + i), Close: &close, Volume: int64(from + i)}); (from+i)%100 == 7 {
				rows[i].Close = nil
			}
		}
		f, err := os.Create(filepath.Join(s.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := parquet.NewGenericWriter[price](f)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("1.parquet", 1, 1500)
	cfg := s.config(filepath.Join(s.Dir, "*.parquet"))
	p := &cfg.Producers[0]
	p.Format, p.Drop = source.Parquet, []string{"Tags"}
	p.Limit = 1200
	if rep := s.run(cfg); rep.Producers[0].Rows != 1188 || rep.Producers[0].DeadLetters != 12 {
		t.Fatalf("%+v", rep)
	}
	p.Limit = 0
	write("2.parquet", 1501, 500)
	if rep := s.run(cfg); rep.Producers[0].Rows != 792 || rep.Producers[0].ResumedAt != 1200 {
		t.Fatalf("%+v", rep)
	}
	exactlyOnce(t, "topic", s.sentRows(cfg), 2000)
	s.Register(streamtest.Subject, mended)
	if got := s.replay(cfg); got.Rows != 20 || got.Failed != 0 {
		t.Fatalf("%+v", got)
	}
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), 2000)
	write("1.parquet", 2, 1500)
	s.fails(cfg, "the source changed before row")
	p.Drop = nil
	s.fails(cfg, `column "Tags" is nested`)
	p.Drop, p.Rename = []string{"Tags"}, nil
	s.fails(cfg, `the columns do not fit subject`)
	p.Follow = true
	s.fails(cfg, "are not for a parquet source")
}
