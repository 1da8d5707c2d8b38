package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/row"
	"mkt/stream"
	"mkt/stream/codec"
	"mkt/stream/streamtest"
)

// memTable is a database/sql driver of one table, whose rows a test sets.
type memTable struct{ rows [][]driver.Value }

func (m *memTable) Connect(context.Context) (driver.Conn, error) { return m, nil }
func (m *memTable) Driver() driver.Driver                        { return nil }
func (m *memTable) Prepare(q string) (driver.Stmt, error)        { return memStmt{m, q}, nil }
func (m *memTable) Close() error                                 { return nil }
func (m *memTable) Begin() (driver.Tx, error)                    { return nil, fmt.Errorf("read only") }

type memStmt struct {
	m     *memTable
	query string
}

func (s memStmt) Close() error                               { return nil }
func (s memStmt) NumInput() int                              { return 0 }
func (s memStmt) Exec([]driver.Value) (driver.Result, error) { return nil, fmt.Errorf("read only") }
func (s memStmt) Query([]driver.Value) (driver.Rows, error) {
	if want := `SELECT "INDEX", DATE, CLOSE, ADJ_CLOSE, VOLUME, CLOSEUSD FROM market.raw.prices`; s.query != want && s.query != "SELECT X FROM market.raw.prices" && s.query != "SELECT 1 FROM market.raw.prices" {
		return nil, fmt.Errorf("query %q, want %q", s.query, want)
	}
	return &memRows{s.m.rows, strings.Split(s.query, ",")}, nil
}

type memRows struct {
	left    [][]driver.Value
	columns []string
}

func (r *memRows) Columns() []string { return r.columns }
func (r *memRows) Close() error      { return nil }
func (r *memRows) Next(dst []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(dst, r.left[0])
	r.left = r.left[1:]
	return nil
}

type fixture struct {
	*streamtest.Stack
	cfg   Config
	table *memTable
	path  string
	n     int
}

// newFixture streams n rows, of which some are bad, and loads the files into
// the table.
func newFixture(t *testing.T, n int) *fixture {
	t.Helper()
	return newFixtureOf(t, n, "json", "gzip")
}

func newFixtureOf(t *testing.T, n int, format, compression string) *fixture {
	t.Helper()
	f := &fixture{Stack: streamtest.New(t, 3), table: &memTable{}, n: n}
	f.path = streamtest.Generate(t, f.Dir, n, func(i int) bool { return i%100 == 7 })
	f.cfg = Config{Kafka: f.Props, Registry: stream.Registry{URL: f.Registry}, Blob: f.Open,
		Producers: []stream.Producer{{Name: "prices", Topic: streamtest.Topic, Subject: streamtest.Subject, Key: "Index", OnError: stream.DeadLetter,
			Source: stream.Source{Paths: []string{f.path}, Rename: map[string]string{"Adj Close": "Adj_Close"}, Null: []string{"", "null"}}}},
		Consumers: []stream.Consumer{{Name: "blobs", Topic: streamtest.Topic, Group: "g", ContainerURL: f.Blobs, Prefix: "k/", DeadLetterPrefix: "dead/",
			Format: format, Compression: compression}},
		Tables: []Table{{Name: "market.raw.prices", Consumers: []string{"blobs"}, DB: sql.OpenDB(f.table), Columns: map[string]string{
			"Index": `"INDEX"`, "Date": "DATE", "Close": "CLOSE", "Adj_Close": "ADJ_CLOSE", "Volume": "VOLUME", "CloseUSD": "CLOSEUSD"}}},
	}
	f.stream()
	f.load()
	return f
}

func (f *fixture) stream() {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := stream.Run(ctx, stream.Config{Kafka: f.cfg.Kafka, Registry: f.cfg.Registry, Blob: f.cfg.Blob,
		Producers: f.cfg.Producers, Consumers: f.cfg.Consumers}, nil); err != nil {
		f.T.Fatal(err)
	}
}

// load copies every file into the table, as a pipe would.
func (f *fixture) load() {
	f.T.Helper()
	ctx := context.Background()
	files, err := stream.ListTopicFiles(ctx, f.Container(), "k/", streamtest.Topic)
	if err != nil {
		f.T.Fatal(err)
	}
	f.table.rows = nil
	schema, err := codec.Parse(1, streamtest.Schema)
	if err != nil {
		f.T.Fatal(err)
	}
	s := newShape(schema.Row.Fields)
	for _, file := range files {
		err := eachRow(ctx, f.Container(), file.Name, s, func(_ func() string, bad error) error {
			v := s.vals
			f.table.rows = append(f.table.rows, []driver.Value{string(v[0].B), time.Unix(v[1].I*86400, 0).UTC(), v[2].F, v[3].F, v[4].I, nil})
			return bad
		})
		if err != nil {
			f.T.Fatal(err)
		}
	}
}

func (f *fixture) audit() Report {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rep, err := Run(ctx, f.cfg)
	if err != nil {
		f.T.Fatal(err)
	}
	return rep
}

func (r Report) hop(kind Kind) Hop {
	for _, h := range r.Hops {
		if h.Kind == kind {
			return h
		}
	}
	return Hop{}
}

func TestAllAgree(t *testing.T) {
	f := newFixture(t, 5000)
	rep := f.audit()
	if !rep.OK() || len(rep.Hops) != 6 {
		t.Fatalf("%+v", rep)
	}
	want := map[Kind][2]int64{Source: {5000, 5000}, Topic: {4950, 4950}, Files: {4950, 4950}, TableRows: {4950, 4950}, DeadLetters: {50, 50}}
	for kind, w := range want {
		if h := rep.hop(kind); h.Expected != w[0] || h.Got != w[1] {
			t.Errorf("%s: %+v", kind, h)
		}
	}
	if h := rep.hop(Source); h.Bad != 50 {
		t.Errorf("%+v", h)
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct{ format, compression string }{{"avro", "gzip"}, {"avro", "zstd"}, {"parquet", "snappy"}, {"parquet", "zstd"}} {
		f := newFixtureOf(t, 3000, tt.format, tt.compression)
		rep := f.audit()
		if h := rep.hop(Files); !rep.OK() || h.Expected != 2970 || h.Got != 2970 || len(rep.Hops) != 6 {
			t.Fatalf("%s: %+v", tt.format, rep)
		}
		// A file with the rows of another is no longer what the topic holds.
		ctx := context.Background()
		files, err := stream.ListTopicFiles(ctx, f.Container(), "k/", streamtest.Topic)
		if err != nil {
			t.Fatal(err)
		}
		first, second := f.Container().NewBlockBlobClient(files[0].Name), f.Container().NewBlockBlobClient(files[len(files)-1].Name)
		props, err := first.GetProperties(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := second.DownloadStream(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(res.Body)
		if _, err := first.UploadBuffer(ctx, data, &blockblob.UploadBufferOptions{Metadata: props.Metadata}); err != nil {
			t.Fatal(err)
		}
		h := f.audit().hop(Files)
		if h.Lost != files[0].Rows || h.Doubled != files[len(files)-1].Rows || len(h.Problems) == 0 || !strings.Contains(h.Problems[0], "its metadata says") {
			t.Errorf("%s: %+v", tt.format, h)
		}
		for _, e := range h.Examples {
			if !strings.Contains(e.Text, `"Volume":`) || !strings.Contains(e.Text, `"Date":"20`) {
				t.Errorf("%s: %+v", tt.format, e)
			}
		}
		// One that is cut is an error, not a loss.
		if _, err := first.UploadBuffer(ctx, data[:len(data)/2], &blockblob.UploadBufferOptions{Metadata: props.Metadata}); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(ctx, f.cfg); err == nil || !strings.Contains(err.Error(), files[0].Name) {
			t.Errorf("%s: %v", tt.format, err)
		}
	}
}

// Rows that the producer leaves out are not missed.
func TestSpan(t *testing.T) {
	f := newFixture(t, 2000)
	p := &f.cfg.Producers[0]
	p.Time, p.From = "Date", time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)
	rep := f.audit()
	if h := rep.hop(Topic); rep.OK() || h.Doubled == 0 || h.Lost != 0 || h.Expected+h.Doubled != 1980 {
		t.Fatalf("%+v", h)
	}
}

func TestTableLostDoubledChanged(t *testing.T) {
	f := newFixture(t, 2000)
	gone := f.table.rows[10]
	f.table.rows = slices.Delete(f.table.rows, 10, 11)
	f.table.rows = append(f.table.rows, f.table.rows[20], f.table.rows[20])
	changed := slices.Clone(f.table.rows[30])
	changed[2] = 1e9
	f.table.rows[30] = changed
	rep := f.audit()
	h := rep.hop(TableRows)
	if rep.OK() || h.Lost != 2 || h.Doubled != 3 || h.Got != h.Expected+1 {
		t.Fatalf("%+v", h)
	}
	text := fmt.Sprintf("%+v", h.Examples)
	if len(h.Examples) != 4 || !strings.Contains(text, fmt.Sprintf(`"Volume":%d`, gone[4])) || !strings.Contains(text, "CLOSE=1e+09") {
		t.Errorf("%s", text)
	}
	for _, other := range []Kind{Source, Topic, Files} {
		if o := rep.hop(other); !o.OK() {
			t.Errorf("%+v", o)
		}
	}
}

func TestFileGone(t *testing.T) {
	f := newFixture(t, 2000)
	ctx := context.Background()
	files, err := stream.ListTopicFiles(ctx, f.Container(), "k/", streamtest.Topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Container().NewBlobClient(files[0].Name).Delete(ctx, nil); err != nil {
		t.Fatal(err)
	}
	rep := f.audit()
	h := rep.hop(Files)
	if h.Lost != files[0].Rows || h.Got != h.Expected-files[0].Rows || len(h.Examples) != 10 || h.Examples[0].Doubled {
		t.Fatalf("%+v", h)
	}
	if !strings.Contains(h.Examples[0].Where, "partition ") || !strings.Contains(h.Examples[0].Text, "Volume") {
		t.Errorf("%+v", h.Examples[0])
	}
	if h := rep.hop(TableRows); h.Doubled != files[0].Rows {
		t.Errorf("the table holds what no file does: %+v", h)
	}
}

// A second file over the same records is what a naive consumer leaves behind.
func TestFileTwice(t *testing.T) {
	f := newFixture(t, 2000)
	ctx := context.Background()
	files, err := stream.ListTopicFiles(ctx, f.Container(), "k/", streamtest.Topic)
	if err != nil {
		t.Fatal(err)
	}
	from := f.Container().NewBlockBlobClient(files[0].Name)
	props, err := from.GetProperties(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := from.DownloadStream(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := io.ReadAll(body.Body)
	other := strings.Replace(files[0].Name, "00.json", "01.json", 1)
	if _, err := f.Container().NewBlockBlobClient(other).UploadBuffer(ctx, data, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Container().NewBlobClient(other).SetMetadata(ctx, props.Metadata, nil); err != nil {
		t.Fatal(err)
	}
	h := f.audit().hop(Files)
	if h.Doubled != files[0].Rows || len(h.Problems) == 0 || !strings.Contains(h.Problems[0], "overlap") {
		t.Fatalf("%+v", h)
	}
}

func TestSourceGrewAndForeignRecords(t *testing.T) {
	f := newFixture(t, 2000)
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(file, "NYA,2020-01-02,1,1,2001\r\nNYA,2020-01-02,null,1,2002\r\n")
	file.Close()
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": f.Props["bootstrap.servers"], "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	topic := streamtest.Topic
	report := make(chan kafka.Event, 1)
	if err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Value: []byte("no avro")}, report); err != nil {
		t.Fatal(err)
	}
	<-report
	rep := f.audit()
	h := rep.hop(Topic)
	if h.Lost != 1 || h.Foreign != 1 || len(h.Examples) != 1 || h.Examples[0].Row != 2001 || !strings.HasSuffix(h.Examples[0].Where, ":2042") && h.Examples[0].Where == "" {
		t.Errorf("%+v", h)
	}
	if h := rep.Hops[2]; h.Kind != DeadLetters || h.Lost != 1 {
		t.Errorf("%+v", h)
	}
	if h := rep.Hops[4]; h.Kind != DeadLetters || h.Lost != 1 || h.Of != "consumer.blobs" {
		t.Errorf("%+v", h)
	}
	f.stream()
	f.load()
	if rep := f.audit(); !rep.OK() {
		t.Errorf("after another run: %+v", rep)
	}
}

func TestRetentionComparesFilesWithTheSource(t *testing.T) {
	f := newFixture(t, 2000)
	if err := f.Cluster.DeleteRecords(streamtest.Topic, 0, 5); err != nil {
		t.Fatal(err)
	}
	rep := f.audit()
	if h := rep.hop(Topic); !rep.OK() || len(h.Notes) != 1 {
		t.Fatalf("%+v", rep)
	}
	if h := rep.hop(Files); h.Expected != 1980 || h.Got != 1980 {
		t.Errorf("%+v", h)
	}
}

func TestUnreachable(t *testing.T) {
	f := newFixture(t, 10)
	f.cfg.Blob = func(string) (*container.Client, error) {
		return streamtest.OpenContainer("http://127.0.0.1:1/acct/market-data", nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := Run(ctx, f.cfg); err == nil || !strings.Contains(err.Error(), `audit consumer "blobs"`) {
		t.Error(err)
	}
}

func TestSQLValues(t *testing.T) {
	day := time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		f    row.Field
		a, b any
	}{
		"int":      {row.Field{Type: row.Int64}, int64(5), "5"},
		"float":    {row.Field{Type: row.Double}, 0.1, "0.1"},
		"negzero":  {row.Field{Type: row.Double}, 0.0, "-0"},
		"float32":  {row.Field{Type: row.Float}, float64(float32(0.1)), 0.1},
		"decimal":  {row.Field{Type: row.Decimal}, "-010.50", []byte("-10.5")},
		"date":     {row.Field{Type: row.Date}, day, "1969-12-31"},
		"ts":       {row.Field{Type: row.Timestamp}, time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC), "2020-01-02T03:04:05.000000600Z"},
		"time":     {row.Field{Type: row.Time}, time.Date(1, 1, 1, 3, 4, 5, 6000, time.UTC), "03:04:05.000006"},
		"bool":     {row.Field{Type: row.Boolean}, true, "1"},
		"bytes":    {row.Field{Type: row.Bytes}, []byte{0xde, 0xad}, "DEAD"},
		"whole":    {row.Field{Type: row.Int32}, 5.0, int64(5)},
		"zero dec": {row.Field{Type: row.Decimal}, "-0.00", "0"},
	} {
		a, err1 := sqlValue(tt.f, tt.a)
		b, err2 := sqlValue(tt.f, tt.b)
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", name, err1, err2)
		}
		if x, y := appendCanonical(nil, tt.f, a), appendCanonical(nil, tt.f, b); string(x) != string(y) {
			t.Errorf("%s: %x and %x", name, x, y)
		}
	}
}

// FuzzJSON: what is a JSON object for encoding/json gives the same values.
func FuzzJSON(f *testing.F) {
	f.Add(`{"s":"a\"b","n":1.5,"x":{"y":[1,"}"]},"l":7}`)
	f.Add(` { } `)
	f.Fuzz(func(t *testing.T, in string) {
		s := newShape([]row.Field{{Name: "s", Type: row.String}, {Name: "n", Type: row.Double}})
		err := s.setJSON([]byte(in))
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(in), &want) != nil || want == nil {
			return // the scanner may take more
		}
		var str string
		var num float64
		if json.Unmarshal(want["s"], &str) != nil || json.Unmarshal(want["n"], &num) != nil || string(want["s"]) == "null" || string(want["n"]) == "null" {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if strings.Count(in, `"s"`) == 1 && strings.Count(in, `"n"`) == 1 && strings.ToValidUTF8(in, "") == in && !strings.Contains(in, `\u`) &&
			(string(s.vals[0].B) != str || s.vals[1].F != num) {
			t.Fatalf("%q: %q, %v", in, s.vals[0].B, s.vals[1].F)
		}
	})
}

// A row is where it is: a dead letter that the schema would take now is one
// until it is sent again, and then it is in the topic.
func TestReplay(t *testing.T) {
	f := newFixture(t, 3000)
	f.Register(streamtest.Subject, strings.NewReplacer(`"Close","type":"double"`, `"Close","type":["double","null"]`,
		`"Adj_Close","type":"double"`, `"Adj_Close","type":["double","null"]`).Replace(streamtest.Schema))
	check := func(topic, dead int64, note string) {
		t.Helper()
		rep := f.audit()
		if rep.hop(Topic).Got != topic || rep.hop(DeadLetters).Got != dead || !strings.Contains(fmt.Sprint(rep.hop(DeadLetters).Notes), note) {
			t.Fatalf("%+v", rep)
		}
		for _, h := range rep.Hops {
			if h.Kind != Files && h.Kind != TableRows && !h.OK() {
				t.Errorf("%+v", h)
			}
		}
	}
	check(2970, 30, "30 of the dead letters would be taken now")
	cfg := stream.Config{Kafka: f.cfg.Kafka, Registry: f.cfg.Registry}
	if got, err := stream.ReplayProducer(t.Context(), cfg, f.cfg.Producers[0], 1); err != nil || got.Rows != 30 {
		t.Fatalf("%+v, %v", got, err)
	}
	check(3000, 0, "30 rows were dead letters and have been sent again")
	f.stream()
	check(3000, 0, "30 rows")
	if h := f.audit().hop(Files); !h.OK() || h.Got != 3000 {
		t.Errorf("%+v", h)
	}
}

// A record of a schema that the registry learns of later is a dead letter until
// it is replayed, and then in a file.
func TestReplayFiles(t *testing.T) {
	f := newFixture(t, 1000)
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": f.Props["bootstrap.servers"], "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	next := f.Register("probe", `{"type":"record","name":"probe","fields":[{"name":"a","type":"int"}]}`) + 1
	topic, report := streamtest.Topic, make(chan kafka.Event, 1)
	for _, value := range [][]byte{append([]byte{0, 0, 0, 0, byte(next)}, "\x02A\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...), []byte("no avro")} {
		if err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Value: value}, report); err != nil {
			t.Fatal(err)
		}
		<-report
	}
	f.stream()
	check := func(files, dead int64, note string) {
		t.Helper()
		rep := f.audit()
		h := rep.Hops[4]
		if got := rep.hop(Files); got.Got != files || !got.OK() || h.Got != dead || !h.OK() || !strings.Contains(fmt.Sprint(h.Notes), note) {
			t.Fatalf("%+v", rep)
		}
	}
	check(990, 2, "")
	if id := f.Register("late", strings.Replace(streamtest.Schema, "market_data", "late", 1)); id != next {
		t.Fatalf("id %d", id)
	}
	check(990, 2, "")
	cfg := stream.Config{Kafka: f.cfg.Kafka, Registry: f.cfg.Registry, Blob: f.cfg.Blob}
	if got, err := stream.ReplayConsumer(t.Context(), cfg, f.cfg.Consumers[0], 1); err != nil || got.Rows != 1 || got.Failed != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	check(991, 1, "1 records were dead letters and have been written since")
	f.load() // without the file of the replay
	if h := f.audit().hop(TableRows); h.Lost != 1 || h.Doubled != 0 {
		t.Errorf("%+v", h)
	}
}

func TestDirectories(t *testing.T) {
	f := newFixture(t, 200)
	c := &f.cfg.Consumers[0]
	c.Group, c.Prefix, c.DeadLetterPrefix, c.By = "other", "other/", "other-dead/", stream.By{Directory: "v={Volume}", Time: ""}
	c.Roll.Rows = 100
	f.cfg.Producers[0].Paths = []string{f.path}
	f.stream()
	rep := f.audit()
	if h := rep.hop(Files); !rep.OK() || h.Got != 198 || h.Files != 198 {
		t.Fatalf("%+v", rep)
	}
	files, err := stream.ListTopicFiles(t.Context(), f.Container(), "other/", streamtest.Topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Container().NewBlobClient(files[5].Name).Delete(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if h := f.audit().hop(Files); h.Lost != 1 || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "a gap before") {
		t.Errorf("%+v", h)
	}
}
