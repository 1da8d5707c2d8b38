// Package audit proves that every source row is where it belongs, once: it
// reads the source, the topics, the files and the tables again and compares
// each hop with the one before it.
//
// Rows are compared by content, not only counted. A row has a canonical form
// (the values of the fields of the subject's latest schema), its hash goes
// into a digest that does not depend on order (codec.Multiset), and when two
// digests agree so do the rows. Only when they differ are the hops read again
// to name what is lost, doubled or changed: a changed row is one lost and one
// that is too many. Memory does not grow with the number of rows as long as
// all agree.
//
// It only reads. It prints nothing: a Report is for others to show.
package audit

import (
	"context"
	"database/sql"
	"fmt"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/row"
	"mkt/stream"
	"mkt/stream/codec"
)

// Config is what to audit. The connection values are those of stream.Config.
type Config struct {
	Kafka     map[string]string
	Registry  stream.Registry
	Blob      func(containerURL string) (*container.Client, error)
	Producers []stream.Producer
	Consumers []stream.Consumer
	Tables    []Table
	Examples  int       // most examples for a hop, 0 is 10 and less is none
	Stdin     io.Reader // never read; a source of standard input cannot be audited
}

// Table is a table that holds the rows of consumers' files.
type Table struct {
	// Name and the values of Columns go into the SELECT as they are: quoted
	// and qualified where needed.
	Name string
	// Columns maps field names to columns. A field that is not in it is not
	// compared.
	Columns   map[string]string
	Consumers []string // whose files the table is loaded from
	DB        *sql.DB
}

// Report is the result of an audit.
type Report struct {
	Hops []Hop
}

// OK says whether nothing is lost, doubled or otherwise wrong.
func (r Report) OK() bool {
	for _, h := range r.Hops {
		if !h.OK() {
			return false
		}
	}
	return true
}

// Kind is what a hop is.
type Kind string

// The hops in the order rows take them.
const (
	Source      Kind = "source"
	Topic       Kind = "topic"
	DeadLetters Kind = "dead_letters"
	Files       Kind = "files"
	TableRows   Kind = "table"
)

// Hop compares one place with what should be there.
type Hop struct {
	Kind Kind
	Name string // the producer, topic, consumer or table
	Of   string // whose rows: "producer.prices", "consumer.blobs"

	Expected int64 // rows that should be here
	Got      int64 // rows that are
	Lost     int64 // should be here and are not
	Doubled  int64 // are here and should not be, or too often

	Skipped int64 // Source: bad rows that the policy leaves out
	Bad     int64 // Source: rows that the schema does not take, skipped ones included
	Foreign int64 // Topic: records that no producer of the audit sent
	Files   int64 // Files: how many

	Examples []Example // of lost and doubled rows, and not all of them
	Problems []string  // what is wrong beside rows: a gap in a chain, a file changed
	Notes    []string  // what was not compared and why
}

// OK says whether the hop holds what it should.
func (h Hop) OK() bool {
	return h.Expected == h.Got && h.Lost == 0 && h.Doubled == 0 && len(h.Problems) == 0
}

// Example is one lost or doubled row.
type Example struct {
	Doubled bool   // otherwise lost
	Where   string // "prices.csv:17", "topic prices, partition 0, offset 5"
	Row     uint64 // of the source, 0 if not known
	Text    string // the row as it reads there
}

// auditor carries what the hops share.
type auditor struct {
	cfg     Config
	admin   *kafka.AdminClient
	schemas *stream.Schemas
	report  Report
	files   map[string]*consumerFiles // by consumer name

	strangers map[string]*sender // by the name of the producer, of the topic at hand
}

// Run audits every hop of cfg. An error means that the audit could not be
// done; what it found, good or bad, is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Examples == 0 {
		cfg.Examples = 10
	}
	a := &auditor{cfg: cfg, files: map[string]*consumerFiles{}, strangers: map[string]*sender{}}
	var err error
	if a.schemas, err = stream.NewSchemas(cfg.Registry); err != nil {
		return a.report, err
	}
	if a.admin, err = stream.NewAdmin(cfg.Kafka); err != nil {
		return a.report, err
	}
	defer a.admin.Close()
	for _, p := range cfg.Producers {
		if err := a.producer(ctx, p); err != nil {
			return a.report, fmt.Errorf("audit producer %q: %w", p.Name, err)
		}
	}
	for _, c := range cfg.Consumers {
		if err := a.consumer(ctx, c); err != nil {
			return a.report, fmt.Errorf("audit consumer %q: %w", c.Name, err)
		}
	}
	for _, t := range cfg.Tables {
		if err := a.table(ctx, t); err != nil {
			return a.report, fmt.Errorf("audit table %s: %w", t.Name, err)
		}
	}
	return a.report, nil
}

// shapeOf is the record that a topic's rows are compared as: the latest
// schema of the subject that a producer of the audit writes there. Without
// one the topic's conventional subject, "<topic>-value", is taken.
func (a *auditor) shapeOf(ctx context.Context, topic string) (*codec.Schema, error) {
	subject := topic + "-value"
	for _, p := range a.cfg.Producers {
		if p.Topic == topic {
			subject = p.Subject
		}
	}
	return a.schemas.Latest(ctx, subject)
}

// names is the set of fields that are compared, in order.
func names(fields []row.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}
