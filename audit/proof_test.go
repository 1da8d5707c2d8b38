package audit

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/row"
	"mkt/stream"
	"mkt/stream/streamtest"
)

// edit replaces a text of the source once.
func (f *fixture) edit(old, with string) {
	f.T.Helper()
	data, err := os.ReadFile(f.path)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		f.T.Fatalf("no %q in the source: %v", old, err)
	}
	if err := os.WriteFile(f.path, bytes.Replace(data, []byte(old), []byte(with), 1), 0o600); err != nil {
		f.T.Fatal(err)
	}
}

// send produces a value to the topic, as somebody else does.
func (f *fixture) send(value string, headers ...kafka.Header) {
	f.T.Helper()
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": f.Props["bootstrap.servers"], "log_level": 0})
	if err != nil {
		f.T.Fatal(err)
	}
	defer p.Close()
	topic, report := streamtest.Topic, make(chan kafka.Event, 1)
	if err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 1}, Value: []byte(value), Headers: headers}, report); err != nil {
		f.T.Fatal(err)
	}
	<-report
}

// A column's type may hold more than the field's: what is no value of the field
// is none that was sent.
func TestNoValueOfTheField(t *testing.T) {
	noon := time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		f row.Field
		x any
	}{
		{row.Field{Type: row.Int64}, "3.5"}, {row.Field{Type: row.Int64}, 3.5}, {row.Field{Type: row.Int32}, ""}, {row.Field{Type: row.Double}, "abc"},
		{row.Field{Type: row.Decimal}, ""}, {row.Field{Type: row.Decimal}, "-"}, {row.Field{Type: row.Decimal}, "1e3"}, {row.Field{Type: row.Date}, noon},
		{row.Field{Type: row.Boolean}, "yes"}, {row.Field{Type: row.Bytes}, "xyz"},
	} {
		if v, err := sqlValue(tt.f, tt.x); err == nil {
			t.Errorf("%s: %v is %+v", tt.f.Type, tt.x, v)
		}
	}
	f := newFixture(t, 300)
	r := f.table.rows[5]
	r[1], r[4] = r[1].(time.Time).Add(time.Hour), fmt.Sprintf("%d.5", r[4])
	if h := f.audit().hop(TableRows); h.Lost != 1 || h.Doubled != 1 {
		t.Errorf("%+v", h)
	}
}

// Rows that stand whole in one column are counted.
func TestNoColumns(t *testing.T) {
	f := newFixture(t, 300)
	f.cfg.Tables[0].Columns = nil
	rep := f.audit()
	if h := rep.hop(TableRows); !rep.OK() || h.Got != 297 || !strings.Contains(fmt.Sprint(h.Notes), "counted") {
		t.Fatalf("%+v", rep)
	}
	f.table.rows = f.table.rows[1:]
	if h := f.audit().hop(TableRows); h.OK() || h.Lost != 1 {
		t.Errorf("%+v", h)
	}
}

// A text in the place of a zero is not zero.
func TestNoNumberIsNotZero(t *testing.T) {
	s := newShape([]row.Field{{Name: "x", Type: row.Double}})
	var seen []uint64
	for _, cell := range []driver.Value{0.0, "abc"} {
		f := Table{Name: "market.raw.prices", Columns: map[string]string{"x": "X"}, DB: sql.OpenDB(&memTable{rows: [][]driver.Value{{cell}}})}
		if err := f.side(t.Context(), s)(func(h uint64, _ func() Example) error { seen = append(seen, h); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 || seen[0] == seen[1] {
		t.Errorf("%x", seen)
	}
}

// The row at which a producer stops is in neither topic nor dead letters, and
// the last one as well.
func TestRowThatStopsTheProducer(t *testing.T) {
	f := newFixture(t, 300)
	f.cfg.Producers[0].OnError = stream.Stop
	if rep := f.audit(); !rep.OK() {
		t.Fatalf("%+v", rep) // its dead letters of before are where they belong
	}
	f.edit(",300\r\n", ",300\r\nNYA,2020-01-02,null,1,301\r\n")
	rep := f.audit()
	if h := rep.hop(Topic); rep.OK() || h.Lost != 1 || len(h.Examples) != 1 || h.Examples[0].Row != 301 {
		t.Errorf("%+v", h)
	}
	if h := rep.hop(Source); h.Bad != 4 || !strings.Contains(fmt.Sprint(h.Notes), "1 rows do not fit") {
		t.Errorf("%+v", h)
	}
}

// Records that retention dropped before a consumer came are in no file, and it
// is the source that says so.
func TestRetentionBeforeTheConsumer(t *testing.T) {
	f := newFixture(t, 2000)
	if err := f.Cluster.DeleteRecords(streamtest.Topic, 0, 100); err != nil {
		t.Fatal(err)
	}
	c := &f.cfg.Consumers[0]
	c.Group, c.Prefix, c.DeadLetterPrefix = "late", "late/", "late-dead/"
	f.stream()
	rep := f.audit()
	if h := rep.hop(Files); rep.OK() || h.Expected != 1980 || h.Lost == 0 || h.Got+h.Lost != 1980 {
		t.Errorf("%+v", h)
	}
	c.From = "latest" // was never to read them
	if h := f.audit().hop(Files); !h.OK() {
		t.Errorf("%+v", h)
	}
	c.From = ""
	f.cfg.Producers[0].Paths = []string{"-"} // there is only the topic to go by
	if h := f.audit().hop(Files); !h.OK() || h.Got == 0 {
		t.Errorf("%+v", h)
	}
}

// Of standard input there are the numbers of its rows.
func TestStandardInput(t *testing.T) {
	f := newFixture(t, 300)
	f.cfg.Producers[0].Paths = []string{"-"}
	rep := f.audit()
	if h := rep.hop(Topic); !rep.OK() || h.Got != 297 || rep.hop(Source).Got != 300 {
		t.Fatalf("%+v", rep)
	}
	for _, row := range []byte{5, 46} { // the number 5 again, and 302, before which 301 is missing
		number := []byte{0, 0, 0, 0, 0, 0, row / 46, row, 0, 0, 0, 0, 0, 0, 0, 0}
		f.send("x", kafka.Header{Key: stream.HeaderOf("prices"), Value: number})
	}
	if h := f.audit().hop(Topic); h.Lost != 1 || h.Doubled != 1 || h.Examples[0].Row != 301 || h.Examples[1].Row != 5 {
		t.Errorf("%+v", h)
	}
}

// A consumer of the latest records misses what came since it began, and not
// what was there before, whether or not it has written a file.
func TestLatest(t *testing.T) {
	f := newFixture(t, 300)
	c := &f.cfg.Consumers[0]
	c.Group, c.Prefix, c.DeadLetterPrefix, c.From, f.cfg.Tables = "late", "late/", "", "latest", nil
	check := func(lost, got int64) {
		t.Helper()
		h := f.audit().hop(Files)
		if h.Lost != lost || h.Got != got || !strings.Contains(fmt.Sprint(h.Notes), "from the latest") {
			t.Errorf("%+v", h)
		}
	}
	check(0, 0) // nobody has run it
	f.stream()
	check(0, 0)
	f.edit(",300\r\n", ",300\r\nI01,2020-01-02,1,1,301\r\n")
	consumers := f.cfg.Consumers
	f.cfg.Consumers = nil
	f.stream()
	f.cfg.Consumers = consumers
	check(1, 0)
	f.stream()
	check(0, 1)
}

// What the dead-letter topic has dropped is nowhere.
func TestDeadLettersDropped(t *testing.T) {
	f := newFixture(t, 2000)
	p := f.cfg.Producers[0]
	if err := f.Cluster.DeleteRecords(p.DeadLetters(), 0, 5); err != nil {
		t.Fatal(err)
	}
	h := f.audit().hop(DeadLetters)
	if h.OK() || h.Expected != 20 || h.Lost == 0 || h.Got+h.Lost != 20 || !strings.Contains(fmt.Sprint(h.Notes), "retention") {
		t.Errorf("%+v", h)
	}
}

// A bad row that reads otherwise now is not the one in the dead letters.
func TestDeadLetterOfAnotherText(t *testing.T) {
	f := newFixture(t, 300)
	f.edit("NYA,2020-01-02,null,null,107\r\n", "NYA,2020-01-03,null,null,107\r\n")
	if h := f.audit().hop(DeadLetters); h.Lost != 1 || h.Doubled != 1 || h.Examples[0].Row != 107 || !strings.Contains(h.Examples[1].Text, "2020-01-02") {
		t.Errorf("%+v", h)
	}
}

// A consumer without dead letters stops at a record that it cannot read.
func TestRecordThatStopsTheConsumer(t *testing.T) {
	f := newFixture(t, 300)
	f.cfg.Consumers[0].DeadLetterPrefix = ""
	if rep := f.audit(); !rep.OK() {
		t.Fatalf("%+v", rep)
	}
	f.send("no avro")
	rep := f.audit()
	if h := rep.Hops[4]; h.Kind != DeadLetters || h.Of != "consumer.blobs" || h.Lost != 1 || len(h.Notes) != 1 {
		t.Errorf("%+v", rep)
	}
}

// A producer that gets another name sends its source again.
func TestProducerRenamed(t *testing.T) {
	f := newFixture(t, 300)
	f.cfg.Producers[0].Name = "other"
	f.edit(",300\r\n", ",300\r\nI01,2020-01-02,1,1,301\r\n")
	f.stream()
	f.send("no avro")
	h := f.audit().hop(Topic)
	if h.OK() || h.Expected != 298 || h.Got != 298+297 || h.Doubled != 297 || h.Lost != 0 || h.Foreign != 1 || !strings.Contains(fmt.Sprint(h.Problems), `a producer "prices"`) {
		t.Errorf("%+v", h)
	}
	f.edit("\r\nI", "\r\nJ") // another source
	if h := f.audit().hop(Topic); h.Foreign != 298 || len(h.Problems) != 0 {
		t.Errorf("%+v", h)
	}
}

// Groups that write under one prefix find each other's files there, and a pipe
// loads them once.
func TestGroupsOfOnePrefix(t *testing.T) {
	f := newFixture(t, 300)
	second := f.cfg.Consumers[0]
	second.Name, second.Group = "second", "second"
	f.cfg.Consumers = append(f.cfg.Consumers, second)
	f.cfg.Tables[0].Consumers = append(f.cfg.Tables[0].Consumers, "second")
	f.stream()
	rep := f.audit()
	if h := rep.hop(TableRows); !rep.OK() || h.Got != 297 || h.Files != rep.hop(Files).Files {
		t.Errorf("%+v", rep)
	}
}

// A consumer's dead letter holds the record that it is about.
func TestDeadRecordChanged(t *testing.T) {
	f := newFixture(t, 300)
	f.send("no avro")
	f.stream()
	if h := f.audit().Hops[4]; !h.OK() || h.Got != 1 || h.Files != 1 {
		t.Fatalf("%+v", h)
	}
	letters, err := stream.ListTopicFiles(t.Context(), f.Container(), "dead/", streamtest.Topic)
	if err != nil || len(letters) != 1 {
		t.Fatal(letters, err)
	}
	blob := f.Container().NewBlockBlobClient(letters[0].Name)
	props, err := blob.GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	if err := eachLine(t.Context(), f.Container(), letters[0].Name, func(line []byte) error { text = string(line); return nil }); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	fmt.Fprintln(z, strings.Replace(text, "bm8gYXZybw==", "bm8gQXZybw==", 1))
	z.Close()
	if _, err := blob.UploadBuffer(t.Context(), body.Bytes(), &blockblob.UploadBufferOptions{Metadata: props.Metadata}); err != nil {
		t.Fatal(err)
	}
	if h := f.audit().Hops[4]; h.Lost != 1 || h.Doubled != 1 || h.Examples[0].Text != "no avro" || h.Examples[1].Text != "no Avro" {
		t.Errorf("%+v", h)
	}
}

// A topic that was re-created gets the whole source again, and the table has
// each row twice until somebody takes one out.
func TestSentAgain(t *testing.T) {
	f := newFixture(t, 300)
	if err := f.Cluster.DeleteTopic(streamtest.Topic); err != nil {
		t.Fatal(err)
	}
	if err := f.Cluster.CreateTopic(streamtest.Topic, 3, nil); err != nil {
		t.Fatal(err)
	}
	// One row has left the source since: it is in the table once, and stays there.
	f.edit(",300\r\n", ",301\r\n")
	f.stream()
	first, columns := f.table.rows, f.cfg.Tables[0].Columns
	f.load()
	twice := f.table.rows
	rep := f.audit()
	h := rep.hop(TableRows)
	if rep.OK() || h.Expected != 298 || h.Got != 594 || h.Doubled != 296 || h.Lost != 0 || !strings.Contains(fmt.Sprint(h.Notes), "296 rows of a topic that is gone") {
		t.Fatalf("%+v", h)
	}
	f.cfg.Tables[0].Columns = nil // counts say it, too
	if h := f.audit().hop(TableRows); h.Expected != 298 || h.Got != 594 || h.Doubled != 296 {
		t.Errorf("%+v", h)
	}
	f.cfg.Tables[0].Columns = columns
	f.table.rows = append(first, twice[len(twice)-1])
	for _, r := range twice {
		if r[4] == int64(301) {
			f.table.rows[len(first)] = r
		}
	}
	if rep := f.audit(); !rep.OK() {
		t.Errorf("%+v", rep.hop(TableRows))
	}
}
