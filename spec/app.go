package spec

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// The defaults of a consumer's roll block, which hold as well when the block is absent.
const (
	DefaultRollRows  = 100_000
	DefaultRollBytes = "64MiB"
	DefaultRollEvery = "10s"
)

// Compressions are the compressions of each file format; the first one is the default.
var Compressions = map[string][]string{
	"json":    {"gzip", "zstd", "none"},
	"avro":    {"deflate", "snappy", "zstd", "none"},
	"parquet": {"snappy", "gzip", "zstd", "none"},
}

// AppKinds describes the app: what runs (producer, consumer) and what is asked (query).
func AppKinds() []*Kind { return []*Kind{Producer(), Consumer(), Query()} }

// Producer describes what sends a source's rows to a topic.
func Producer() *Kind {
	return &Kind{
		Name: "producer",
		Doc: "A producer sends the rows of a source to a topic, typed by the latest schema of a subject. " +
			"`mkt stream` runs it. It is idempotent and waits for all replicas; killed and started again, it goes on where it was.",
		Example: `producer "prices" {
  topic   = "market_data"
  subject = "market_data-value"
  key     = row.Index
  rate    = "0.5/s"
  source "csv" {
    path   = "data/*.csv"
    rename = { "Adj Close" = "Adj_Close" }
    null   = ["", "null"]
  }
  on_error = "dead_letter"
}
`,
		Attrs: []Attr{
			{Name: "topic", Type: cty.String, Required: true, Refs: []string{"kafka_topic"}, Check: NotEmpty,
				Doc: "The topic to send to: a `kafka_topic`, or the name of one that the stack does not manage."},
			{Name: "subject", Type: cty.String, Required: true, Refs: []string{"schema_subject"}, Check: NotEmpty,
				Doc: "The subject whose latest schema types the values: a `schema_subject`, or a subject's name."},
			{Name: "key", Type: cty.String, Row: true,
				Doc: "The column that gives the records' keys, written `row.Index` or `row[\"Adj Close\"]`; `row.index` is the row's number. " +
					"Rows of one key stay in order. Without it, records have no key."},
			{Name: "rate", Type: cty.String, Default: cty.StringVal("max"), Check: CheckRate, Norm: NormRate,
				Doc: "How many rows to send, such as `0.5/s` (one every two seconds), `30/m` or `max`."},
			{Name: "on_error", Type: cty.String, Default: cty.StringVal("stop"), Check: OneOf("stop", "skip", "dead_letter"),
				Doc: "What to do with a row that does not fit the schema: `stop`, `skip` it, or keep it as a `dead_letter` and go on."},
		},
		Blocks: []Nested{
			{Name: "source", Label: "type", Min: 1, Max: 1,
				Doc: "Where the rows come from; the label is the kind of source, `csv`.",
				Attrs: []Attr{
					{Name: "type", Type: cty.String, Check: OneOf("csv"), Doc: "The kind of source: `csv`."},
					{Name: "path", Type: cty.String, Required: true, Check: NotEmpty,
						Doc: "The files to read, in the order of their names: a path or a pattern with `*` and `?`, `.gz` and `.zst` are unpacked, `-` is the standard input. " +
							"A relative path starts at the stack's directory."},
					{Name: "rename", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String),
						Doc: "New names for columns, from the header's name to the schema's field."},
					{Name: "null", Type: cty.List(cty.String), Default: cty.ListVal([]cty.Value{cty.StringVal("")}),
						Doc: "The texts that stand for no value."},
					{Name: "delimiter", Type: cty.String, Default: cty.StringVal(","), Check: oneCharacter,
						Doc: "The character between two columns."},
					{Name: "follow", Type: cty.Bool, Default: cty.False,
						Doc: "Whether to wait for rows that are added later, instead of ending with the files."},
				}},
			{Name: "dead_letter", Max: 1,
				Doc: "Where bad rows are kept with the reason, the file and the line, when `on_error` is `dead_letter`.",
				Attrs: []Attr{
					{Name: "path", Type: cty.String, Check: NotEmpty,
						Doc: "The file that bad rows are appended to, a JSON object a line. Without it, a file named after the producer beside the ledger. A relative path starts at the stack's directory."},
				}},
		},
	}
}

// Consumer describes what writes a topic's records to files in a container.
func Consumer() *Kind {
	return &Kind{
		Name: "consumer",
		Doc: "A consumer writes the records of a topic to files in a container, in which a pipe finds them. " +
			"`mkt stream` runs it. It commits offsets only after the upload and never writes a record into two files, even when it is killed.",
		Example: `consumer "blobs" {
  topic     = "market_data"
  group     = "group1"
  container = "https://account.blob.core.windows.net/market-data"
  prefix    = "kafka-messages/"
  format    = "json"
  roll {
    rows  = 100000
    bytes = "64MiB"
    every = "10s"
  }
  dead_letter {
    prefix = "dead-letter/"
  }
}
`,
		Attrs: []Attr{
			{Name: "topic", Type: cty.String, Required: true, Refs: []string{"kafka_topic"}, Check: NotEmpty,
				Doc: "The topic to read: a `kafka_topic`, or the name of one that the stack does not manage."},
			{Name: "group", Type: cty.String, Label: true, Check: NotEmpty,
				Doc: "The consumer group, which remembers how far it has read."},
			{Name: "from", Type: cty.String, Default: cty.StringVal("earliest"), Check: OneOf("earliest", "latest"),
				Doc: "Where a group that has read nothing yet begins: `earliest` or `latest`."},
			{Name: "container", Type: cty.String, Required: true, Refs: []string{"azure_container"}, Check: NotEmpty,
				Doc: "The container to write to: an `azure_container`, or the URL of one that the stack does not manage."},
			{Name: "prefix", Type: cty.String, Default: cty.StringVal(""), Check: blobPrefix,
				Doc: "What the files' names begin with, such as `kafka-messages/`."},
			{Name: "format", Type: cty.String, Default: cty.StringVal("json"), Check: OneOf("json", "avro", "parquet"),
				Doc: "The format of the files: `json` (an object a line), `avro` or `parquet`."},
			{Name: "compression", Type: cty.String, Check: OneOf("none", "gzip", "zstd", "snappy", "deflate"),
				Doc: "How the files are compressed. `json`: `gzip` (default), `zstd`, `none`. `avro`: `deflate` (default), `snappy`, `zstd`, `none`. `parquet`: `snappy` (default), `gzip`, `zstd`, `none`."},
			{Name: "on_error", Type: cty.String, Check: OneOf("stop", "skip", "dead_letter"),
				Doc: "What to do with a record that cannot be decoded: `stop`, `skip` it, or keep it as a `dead_letter` and go on. The default is `dead_letter` where the block of that name is given, else `stop`."},
		},
		Blocks: []Nested{
			{Name: "roll", Max: 1,
				Doc: "When a file is full; whatever comes first. A file also ends where the schema changes.",
				Attrs: []Attr{
					{Name: "rows", Type: cty.Number, Default: cty.NumberIntVal(DefaultRollRows), Check: AtLeast(1), Doc: "After so many rows."},
					{Name: "bytes", Type: cty.String, Default: cty.StringVal(DefaultRollBytes), Check: positive(CheckBytes, "0B", NormBytes), Norm: NormBytes,
						Doc: "After so many bytes, compressed, such as `64MiB`."},
					{Name: "every", Type: cty.String, Default: cty.StringVal(DefaultRollEvery), Check: positive(CheckDuration, "0s", NormDuration), Norm: NormDuration,
						Doc: "After so long, such as `10s`."},
				}},
			{Name: "dead_letter", Max: 1,
				Doc: "Where records that cannot be decoded are kept with the reason, the partition and the offset.",
				Attrs: []Attr{
					{Name: "prefix", Type: cty.String, Required: true, Check: func(v cty.Value) error {
						if err := NotEmpty(v); err != nil {
							return err
						}
						return blobPrefix(v)
					}, Doc: "What the names of dead letters begin with, in the same container. A pipe must not load from there."},
				}},
		},
		Check: checkConsumer,
	}
}

func checkConsumer(v cty.Value) (problems []Problem) {
	at := func(names ...string) (p cty.Path) {
		for _, name := range names {
			p = p.GetAttr(name)
		}
		return p
	}
	format, compression := v.GetAttr("format"), v.GetAttr("compression")
	if known(format) && known(compression) && !contains(Compressions[format.AsString()], compression.AsString()) {
		problems = append(problems, Problem{Path: at("compression"), Summary: "Compression does not fit the format",
			Detail: fmt.Sprintf("Files of format %q can be compressed with %s, not with %q.",
				format.AsString(), list(Compressions[format.AsString()]), compression.AsString())})
	}
	letters := v.GetAttr("dead_letter")
	if onError := v.GetAttr("on_error"); known(onError) && onError.AsString() == "dead_letter" && letters.IsKnown() && letters.IsNull() {
		problems = append(problems, Problem{Path: at("on_error"), Summary: "No place for dead letters",
			Detail: "on_error is \"dead_letter\", so the consumer needs a dead_letter block with a prefix."})
	}
	if prefix := v.GetAttr("prefix"); known(prefix) && known(letters) {
		if dead := letters.GetAttr("prefix"); known(dead) && strings.HasPrefix(dead.AsString(), prefix.AsString()) {
			problems = append(problems, Problem{Path: at("dead_letter", "prefix"), Summary: "Dead letters among the files", Warning: prefix.AsString() == "",
				Detail: fmt.Sprintf("The prefix %q lies under the files' prefix %q, so a pipe that loads the files would load the dead letters too. Choose prefixes apart from each other.",
					dead.AsString(), prefix.AsString())})
		}
	}
	return problems
}

// Query describes a named question.
func Query() *Kind {
	return &Kind{
		Name: "query",
		Doc:  "A query is a named question to the warehouse. `mkt query NAME` asks it and prints the answer.",
		Example: `query "volatility" {
  description = "Rows of each index."
  sql = <<-SQL
    SELECT "Index", COUNT(*) FROM stock_market_data GROUP BY 1
  SQL
}
`,
		Attrs: []Attr{
			{Name: "description", Type: cty.String, Doc: "What the answer says."},
			{Name: "sql", Type: cty.String, Required: true, Check: NotEmpty, Norm: trimmed,
				Doc: "The statement, one SELECT. It can refer to the stack: `${snowflake_table.prices.name}`."},
		},
	}
}

func known(v cty.Value) bool { return v.IsKnown() && !v.IsNull() }

func trimmed(v cty.Value) cty.Value { return cty.StringVal(strings.TrimSpace(v.AsString())) }

func oneCharacter(v cty.Value) error {
	s := v.AsString()
	if r, size := utf8.DecodeRuneInString(s); len(s) != size || size == 0 || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError {
		return fmt.Errorf("one character is needed, such as \",\", \";\" or \"\\t\"; not a quote or a line break")
	}
	return nil
}

func blobPrefix(v cty.Value) error {
	s := v.AsString()
	switch {
	case strings.HasPrefix(s, "/"):
		return fmt.Errorf("%q begins with a slash; a blob's name does not", s)
	case strings.Contains(s, "//") || s != "" && strings.TrimSuffix(path.Clean(s), "/") != strings.TrimSuffix(s, "/"):
		return fmt.Errorf("%q has empty, \".\" or \"..\" parts", s)
	case strings.Contains(s, `\`):
		return fmt.Errorf("%q holds a backslash; write slashes", s)
	}
	return nil
}

// positive adds to a check that the normal form is not zero.
func positive(check func(cty.Value) error, zero string, norm func(cty.Value) cty.Value) func(cty.Value) error {
	return func(v cty.Value) error {
		if err := check(v); err != nil {
			return err
		}
		if norm(v).AsString() == zero {
			return fmt.Errorf("it must be more than zero")
		}
		return nil
	}
}
