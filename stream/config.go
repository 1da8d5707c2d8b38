package stream

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/internal/clienttls"
	"mkt/row"
	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/rowfile"
	"mkt/stream/source"
)

// Config is everything a run needs to know.
type Config struct {
	// Kafka holds librdkafka properties of the connection: bootstrap.servers,
	// security and the like.
	Kafka    map[string]string
	Registry Registry
	// Blob gives the client for a container's URL. It is called once for each
	// consumer.
	Blob      func(containerURL string) (*container.Client, error)
	Producers []Producer
	Consumers []Consumer

	// Follow keeps consuming after the sources are drained, until the context
	// of Run is cancelled.
	Follow bool

	// Abort, when closed, ends the run at once: transactions are not
	// committed and uploads are dropped. Nothing is lost or doubled when the
	// run is repeated.
	Abort <-chan struct{}

	// Stdin is what the source path "-" reads; nil is standard input.
	Stdin io.Reader
}

// Registry is a schema registry with the Confluent REST API.
type Registry struct {
	URL      string
	User     string // with Password: basic authentication
	Password string
	Token    string // instead of them, a bearer token

	TLS clienttls.Files
}

// OnError says what becomes of a row that the schema does not take.
type OnError string

// The policies of a producer.
const (
	Stop       OnError = "stop"
	Skip       OnError = "skip"
	DeadLetter OnError = "dead_letter"
)

// Producer sends the rows of a source to a topic.
type Producer struct {
	Name    string
	Topic   string
	Subject string
	// Key is the column or field whose text is the record's key; empty: the
	// row number.
	Key  string
	Rate float64 // rows per second, 0 is without limit
	// Speed sends rows as far apart as the times in the field (or column)
	// Time are, so many seconds of them for each second; 0 does not.
	Speed float64
	Time  string
	// From and To leave out the rows whose time in the field Time is before
	// From or not before To; zero times do not.
	From, To time.Time
	Source
	OnError OnError // empty: Stop
	// Properties are librdkafka properties of the client that sends, over this
	// package's own (engine.CheckSender).
	Properties map[string]string
	// DeadLetterTopic is created with one partition when missing. Empty: the
	// topic's name with "-dead-letter".
	DeadLetterTopic string
}

// Source is files and how their columns meet the schema.
type Source struct {
	Format    string            // of package source: "csv" (also empty), "ndjson" or "parquet"
	Paths     []string          // globs; .gz and .zst are unpacked; "-" is standard input
	Delimiter byte              // 0 is a comma
	Rename    map[string]string // column → field
	Drop      []string          // columns to leave out
	Null      []string          // words for null; nil is the empty field alone
	Header    []string          // the columns of CSV files without a header line
	Limit     uint64            // most rows, 0 for all
	Follow    bool              // wait for rows that are added, until the context of Run is done

	// DateFormat and TimestampFormat are those of codec.Options.
	DateFormat      string
	TimestampFormat string
}

// Consumer writes the records of a topic to files in a container.
type Consumer struct {
	Name         string
	Topic        string
	Group        string
	From         string // "earliest" (also empty) or "latest": where a group without offsets starts
	ContainerURL string
	Prefix       string
	By           By     // directories below it
	Format       string // of package rowfile: "json" (also empty), "avro", "parquet"
	Compression  string // of package rowfile: "gzip" (also empty), "zstd", "none", "snappy"
	Roll         Roll
	// DeadLetterPrefix is where records go that are no datum of a schema.
	// Empty: such a record stops the consumer.
	DeadLetterPrefix string

	// Properties are librdkafka properties of the client that receives, over
	// this package's own (engine.CheckReceiver).
	Properties map[string]string

	Memory        int64         // most bytes buffered, 0 is 128 MiB
	UploadTimeout time.Duration // for one file with all retries, 0 is 2 minutes
}

// Roll says when a file is full: whichever comes first. 0 takes the default:
// 100,000 rows, 64 MiB (as stored), 10 s.
type Roll struct {
	Rows  int64
	Bytes int64
	Every time.Duration
}

const (
	txnRows  = 100_000
	rpcLimit = 60 * time.Second // one exchange with the broker, retries included
	// answerLimit is how long a broker has for an answer before it is asked again.
	answerLimit = 15 * time.Second
	// contactLimit is how long an unreachable broker is asked again.
	contactLimit = 30 * time.Second
	uploaders    = 4 // parallel uploads of one consumer
)

// txnAge is how old a transaction becomes. It is shorter in tests that want many.
var txnAge = time.Second

// config is the source as package source reads it for a schema.
func (s Source) config(schema *codec.Schema, stdin io.Reader) source.Config {
	cfg := source.Config{Paths: s.Paths, Format: s.Format, Delimiter: s.Delimiter, Header: s.Header, Drop: s.Drop,
		Limit: s.Limit, Follow: s.Follow, Stdin: stdin}
	if s.Format == source.NDJSON {
		cfg.Header = s.members(schema)
	}
	if s.Format == source.Parquet {
		cfg.Binary = s.binary(schema)
	}
	return cfg
}

// members is the names that the fields of a schema have in objects.
func (s Source) members(schema *codec.Schema) []string {
	named := map[string][]string{}
	for from, to := range s.Rename {
		named[to] = append(named[to], from)
	}
	out := []string{}
	for _, field := range schema.Flat() {
		if from := named[field]; len(from) > 0 {
			slices.Sort(from)
			out = append(out, from...)
		} else if _, moved := s.Rename[field]; !moved && !slices.Contains(s.Drop, field) {
			out = append(out, field)
		}
	}
	return out
}

// binary is the columns that fill fields of bytes.
func (s Source) binary(schema *codec.Schema) []string {
	var out []string
	for _, f := range schema.Row.Fields {
		if f.Type != row.Bytes {
			continue
		}
		if _, moved := s.Rename[f.Name]; !moved {
			out = append(out, f.Name)
		}
		for from, to := range s.Rename {
			if to == f.Name {
				out = append(out, from)
			}
		}
	}
	return out
}

// Options is how package codec matches the source's columns.
func (s Source) Options() codec.Options {
	return codec.Options{Rename: s.Rename, Drop: s.Drop, Null: s.Null, DateFormat: s.DateFormat, TimestampFormat: s.TimestampFormat}
}

// Reader opens the source, typed by a schema, before its first row. A source
// that is followed ends where it ends now.
func (s Source) Reader(schema *codec.Schema, stdin io.Reader) (*source.Reader, error) {
	return source.Open(s.config(schema, stdin))
}

// Compile makes the plan for a file's header.
func (p Producer) Compile(schema *codec.Schema, file string, header []string) (*codec.Plan, error) {
	plan, err := codec.Compile(schema, header, p.Options())
	switch {
	case err == nil:
		return plan, nil
	case p.Format == source.Parquet:
		return nil, fmt.Errorf("%s: the columns do not fit subject %q: %w", file, p.Subject, err)
	case p.Format == source.NDJSON:
		return nil, fmt.Errorf("%s: objects do not fit subject %q: %w", file, p.Subject, err)
	}
	return nil, fmt.Errorf("%s:1: the header does not fit subject %q: %w", file, p.Subject, err)
}

// keyColumn is the column that rows are keyed by, -1 for the row's number.
func (p Producer) keyColumn(file string, header []string) (int, error) {
	if p.Key == "" {
		return -1, nil
	}
	for i, col := range header {
		if col == p.Key || p.Rename[col] == p.Key {
			return i, nil
		}
	}
	return -1, fmt.Errorf("%s:1: there is no column %q to key by", file, p.Key)
}

// DeadLetters is the dead-letter topic's name.
func (p Producer) DeadLetters() string {
	if p.DeadLetterTopic != "" {
		return p.DeadLetterTopic
	}
	return p.Topic + "-dead-letter"
}

func (p Producer) check() error {
	switch {
	case p.Name == "" || p.Topic == "" || p.Subject == "":
		return fmt.Errorf("producer %q: name, topic and subject are needed", p.Name)
	case p.Rate < 0 || p.Speed < 0 || math.IsInf(p.Rate+p.Speed, 0):
		return fmt.Errorf("producer %q: the rate or the speed is negative or infinite; 0 is without limit", p.Name)
	case p.Time == "" && (p.Speed > 0 || !p.From.IsZero() || !p.To.IsZero()):
		return fmt.Errorf("producer %q: speed, from and to need the field that tells the time", p.Name)
	case p.Delimiter > 127 || p.Delimiter == '"' || p.Delimiter == '\n' || p.Delimiter == '\r':
		return fmt.Errorf("producer %q: %q cannot be a delimiter", p.Name, p.Delimiter)
	}
	switch p.Format {
	case "", source.CSV:
	case source.NDJSON:
		if p.Header != nil {
			return fmt.Errorf("producer %q: a header is for a csv source; the members of objects have names", p.Name)
		}
	case source.Parquet:
		if p.Header != nil || p.Follow || p.DateFormat != "" || p.TimestampFormat != "" {
			return fmt.Errorf("producer %q: header, follow, date_format and timestamp_format are not for a parquet source: its files are whole and their columns have names and types", p.Name)
		}
	default:
		return fmt.Errorf("producer %q: the source is of format %q; it must be csv, ndjson or parquet", p.Name, p.Format)
	}
	switch p.OnError {
	case "", Stop, Skip, DeadLetter:
		return properties("producer", p.Name, p.Properties, engine.CheckSender)
	}
	return fmt.Errorf("producer %q: on_error is %q; it must be stop, skip or dead_letter", p.Name, p.OnError)
}

// properties says what is wrong with the properties of a client.
func properties(what, name string, set map[string]string, check func(name, value string) error) error {
	var problems []error
	for _, property := range slices.Sorted(maps.Keys(set)) {
		if err := check(property, set[property]); err != nil {
			problems = append(problems, fmt.Errorf("%s %q: property %q: %w", what, name, property, err))
		}
	}
	return errors.Join(problems...)
}

// withDefaults checks c and fills in what it leaves out.
func (c Consumer) withDefaults() (Consumer, error) {
	if c.Name == "" || c.Topic == "" || c.Group == "" || c.ContainerURL == "" {
		return c, fmt.Errorf("consumer %q: name, topic, group and container are needed", c.Name)
	}
	c.From, c.Format = cmp.Or(c.From, "earliest"), cmp.Or(c.Format, rowfile.JSON)
	c.Compression = cmp.Or(c.Compression, "gzip")
	if err := rowfile.Check(c.Format, c.Compression); err != nil {
		return c, fmt.Errorf("consumer %q: %w", c.Name, err)
	}
	if err := c.By.Check(); err != nil {
		return c, fmt.Errorf("consumer %q: %w", c.Name, err)
	}
	if c.From != "earliest" && c.From != "latest" {
		return c, fmt.Errorf("consumer %q: from %q is not supported; it must be earliest or latest", c.Name, c.From)
	}
	if err := properties("consumer", c.Name, c.Properties, engine.CheckReceiver); err != nil {
		return c, err
	}
	if c.Roll.Rows <= 0 {
		c.Roll.Rows = 100_000
	}
	if c.Roll.Bytes <= 0 {
		c.Roll.Bytes = 64 << 20
	}
	if c.Roll.Every <= 0 {
		c.Roll.Every = 10 * time.Second
	}
	if c.Memory <= 0 {
		c.Memory = 128 << 20
	}
	if c.UploadTimeout <= 0 {
		c.UploadTimeout = 2 * time.Minute
	}
	return c, nil
}
