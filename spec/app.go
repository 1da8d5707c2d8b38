package spec

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
)

// The defaults of a consumer's roll block, which hold as well when the block is absent.
const (
	DefaultRollRows  = 100_000
	DefaultRollBytes = "64MiB"
	DefaultRollEvery = "10s"
)

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
					"Rows of one key stay in order. Without it, the row's number is the key."},
			{Name: "rate", Type: cty.String, Default: cty.StringVal("max"), Check: CheckRate, Norm: NormRate,
				Doc: "How many rows to send, such as `0.5/s` (one every two seconds), `30/m` or `max`."},
			{Name: "speed", Type: cty.String, Check: checkSpeed,
				Doc: "Sends rows as far apart as the times in them are, so many times faster: `60x` sends an hour in a minute, `1x` as it was. Rows whose time lies before that of the last one are sent without a wait. It needs `time`, and is bounded by `rate`."},
			{Name: "time", Type: cty.String, Row: true,
				Doc: "The column that tells when a row came about, a date or a timestamp, written as `row.Date`; for `speed`, `from` and `to`."},
			{Name: "from", Type: cty.String, Check: checkMoment,
				Doc: "Leaves out the rows whose `time` is before this, such as `2008-01-01` or `2008-01-01T12:00:00Z`."},
			{Name: "to", Type: cty.String, Check: checkMoment,
				Doc: "Leaves out the rows whose `time` is this or after it."},
			{Name: "on_error", Type: cty.String, Default: cty.StringVal("stop"), Check: OneOf("stop", "skip", "dead_letter"),
				Doc: "What to do with a row that does not fit the schema: `stop`, `skip` it, or keep it as a `dead_letter` and go on."},
			{Name: "properties", Type: cty.Map(cty.String),
				Doc: "Settings of the Kafka client that sends, by librdkafka's names, such as `\"linger.ms\" = \"50\"`, `message.max.bytes` or `transaction.timeout.ms`. Records go as they are unless `compression.type` says otherwise, as with librdkafka: `snappy` or `zstd` cost a tenth to a quarter more CPU, and save half and more of what crosses a network that is metered or slow. The connection's belong to the provider; what would lose or double rows is refused."},
		},
		Blocks: []Nested{
			{Name: "source", Label: "type", Min: 1, Max: 1,
				Doc: "Where the rows come from; the label is the kind of source, `csv`, `ndjson` or `parquet`.",
				Attrs: []Attr{
					{Name: "type", Type: cty.String, Check: OneOf("csv", "ndjson", "parquet"),
						Doc: "The kind of source: `csv`; `ndjson`, a JSON object a line; or `parquet`. An object's members are met by name: one that is missing takes the field's default, one that is no field makes a bad row, and nested ones cannot be read. " +
							"The columns of `parquet` are met by name as those of `csv` are; their types say how to read them, nested ones have to be dropped, and the line of a row is its number in the file."},
					{Name: "path", Type: cty.String, Required: true, Check: checkSourcePath,
						Doc: "The files to read, in the order of their names: a path or a pattern with `*`, `?`, `[a-z]`, `{a,b}` and, for folders of any depth, `**`; `.gz` and `.zst` are unpacked, `-` is the standard input (neither for `parquet`). " +
							"A relative path starts at the stack's directory."},
					{Name: "rename", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String),
						Doc: "New names for columns, from the header's (or an object's) name to the schema's field."},
					{Name: "drop", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String),
						Doc: "Columns to leave out, by the header's names."},
					{Name: "null", Type: cty.List(cty.String), Default: cty.ListVal([]cty.Value{cty.StringVal("")}),
						Doc: "The texts that stand for no value. In `ndjson` they are held against strings; `null` is no value in any case, nor is a null of `parquet`."},
					{Name: "delimiter", Type: cty.String, Default: cty.StringVal(","), Check: oneCharacter,
						Doc: "The character between two columns of `csv`."},
					{Name: "header", Type: cty.List(cty.String), Check: someColumns,
						Doc: "The names of the columns of `csv` files whose first line is a row already."},
					{Name: "date_format", Type: cty.String,
						Doc: "How dates are written, in Snowflake's letters, such as `DD.MM.YYYY`. Without it, `YYYY-MM-DD`."},
					{Name: "timestamp_format", Type: cty.String,
						Doc: "How timestamps are written, in Snowflake's letters, such as `DD.MM.YYYY HH24:MI:SS`, which may end with a fraction of a second. Without it, ISO 8601. A timestamp without a zone is in UTC."},
					{Name: "limit", Type: cty.Number, Check: AtLeast(1),
						Doc: "How many rows to read at most, bad ones included."},
					{Name: "follow", Type: cty.Bool, Default: cty.False,
						Doc: "Whether to wait for rows that are added later, instead of ending with the files. A row counts once its line has its end. Files that are rotated by renaming and files of later names are read one after the other; " +
							"to go on after a restart, `path` has to match the rotated ones too, such as `app.log*` (`app.log.2` comes before `app.log.1`, and that before `app.log`; so does `app.log-20240131`). An empty file is not gone on to, since its writer may still write to the one before it. A file that is cut in place stops the producer."},
				}},
			{Name: "dead_letter", Max: 1,
				Doc: "Where bad rows are kept with the reason, the file and the line, when `on_error` is `dead_letter`.",
				Attrs: []Attr{
					{Name: "topic", Type: cty.String, Refs: []string{"kafka_topic"}, Check: NotEmpty,
						Doc: "The topic to send them to: a `kafka_topic`, or a topic's name, which is made with one partition when it is missing. Without it, the producer's topic with `-dead-letter` after its name."},
				}},
		},
		Check: checkProducer,
	}
}

func checkProducer(v cty.Value) (problems []Problem) {
	for _, attr := range []string{"speed", "from", "to"} {
		if known(v.GetAttr(attr)) && v.GetAttr("time").IsNull() {
			problems = append(problems, Problem{
				Path:    cty.GetAttrPath(attr),
				Summary: "No column tells the time",
				Detail:  fmt.Sprintf("%s goes by the times of rows, and nothing says which column has them. Add it, such as time = row.Date.", attr),
			})
		}
	}
	src := v.GetAttr("source")
	if !known(src) {
		return problems
	}
	is := func(attr, value string) bool {
		a := src.GetAttr(attr)
		return known(a) && a.AsString() == value
	}
	if header := src.GetAttr("header"); is("type", "ndjson") && known(header) {
		problems = append(problems, Problem{
			Path:    cty.GetAttrPath("source").GetAttr("header"),
			Summary: "Header of objects",
			Detail:  "The members of JSON objects have names already. Remove header; rename gives members other names.",
		})
	}
	if is("type", "parquet") {
		problems = append(problems, checkParquet(src)...)
	}
	if follow := src.GetAttr("follow"); is("path", "-") && known(follow) && follow.True() {
		problems = append(problems, Problem{
			Path:    cty.GetAttrPath("source").GetAttr("follow"),
			Summary: "Standard input cannot be followed",
			Detail:  "Standard input is read until it ends as it is. Remove follow.",
		})
	}
	return problems
}

// checkParquet finds what a source of Parquet has no use for.
func checkParquet(src cty.Value) (problems []Problem) {
	add := func(attr, summary, detail string) {
		problems = append(problems, Problem{Path: cty.GetAttrPath("source").GetAttr(attr), Summary: summary, Detail: detail})
	}
	for _, attr := range []string{"header", "date_format", "timestamp_format"} {
		if known(src.GetAttr(attr)) {
			add(attr, "Parquet says it itself", fmt.Sprintf("The columns of a Parquet file have names and types. Remove %s; rename gives columns other names.", attr))
		}
	}
	if follow := src.GetAttr("follow"); known(follow) && follow.True() {
		add("follow", "A Parquet file cannot be followed", "A Parquet file is whole or it is none, so no row is added to it later. Remove follow.")
	}
	name := src.GetAttr("path")
	if !known(name) {
		return problems
	}
	switch ext := path.Ext(name.AsString()); {
	case name.AsString() == "-":
		add("path", "Parquet from the standard input", "A Parquet file is read from its end. Name files.")
	case ext == ".gz" || ext == ".zst":
		add("path", "Compressed Parquet", "Parquet files are compressed inside, and cannot be read through another compression. Unpack them.")
	}
	return problems
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
			{Name: "partition_by", Type: cty.String, Check: checkPartitionBy,
				Doc: "Puts files into directories by what their records say, such as `date=%Y-%m-%d` or `index={Index}/month=%Y-%m`: `%Y`, `%m`, `%d`, `%H` and `%M` are of the time in UTC, a name in braces is a field. " +
					"A file ends where the next record belongs to another directory, so it is for data that is in order: where every record differs from the last, every record is a file. " +
					"Files are then named `<prefix><topic>/<topic id>/<partition>/by/<directory>/…`. Characters other than letters, digits and `. _ -` become `_`, as do dots at the end, and a null is `__HIVE_DEFAULT_PARTITION__`. Stop all of the group's consumers before you change it."},
			{Name: "time", Type: cty.String, Row: true,
				Doc: "The field that tells the time for `partition_by`, a date or a timestamp, written as `row.Date`. Without it, the time at which the record was sent."},
			{Name: "format", Type: cty.String, Default: cty.StringVal("json"), Check: OneOf("json", "avro", "parquet"),
				Doc: "The format of the files: `json`, an object a line; `avro`, object container files that hold the records as they are in the topic; or `parquet`, a column for each field. " +
					"The file format of the pipe has the same type. Snowflake reads Parquet's dates, times and decimals as such only with `USE_LOGICAL_TYPE = TRUE` and bytes with `BINARY_AS_TEXT = FALSE`, " +
					"and takes those of Avro for plain numbers: prefer `json` or `parquet` for columns of these types."},
			{Name: "compression", Type: cty.String, Default: cty.StringVal("gzip"), Check: OneOf("gzip", "zstd", "snappy", "none"),
				Doc: "How the files are compressed: `gzip`, `zstd`, `snappy` (not for `json`) or `none`. Files of `avro` and `parquet` are compressed inside, block by block, which readers find out by themselves; in `avro`, `gzip` is the codec deflate."},
			{Name: "properties", Type: cty.Map(cty.String),
				Doc: "Settings of the Kafka client that receives, by librdkafka's names, such as `\"group.protocol\" = \"consumer\"` (KIP-848), `session.timeout.ms`, `client.rack` or `fetch.message.max.bytes`. The connection's belong to the provider; what would lose or double rows is refused."},
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
				Doc: "Where records that cannot be decoded are kept with the reason, the partition and the offset. Without it, such a record stops the consumer.",
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
	format, compression := v.GetAttr("format"), v.GetAttr("compression")
	if known(format) && known(compression) && format.AsString() == "json" && compression.AsString() == "snappy" {
		problems = append(problems, Problem{
			Path:    cty.GetAttrPath("compression"),
			Summary: "No such compression of JSON files",
			Detail:  "Files of format \"json\" are compressed as a whole, with gzip or zstd. Choose one of them, or the format \"avro\" or \"parquet\".",
		})
	}
	if known(v.GetAttr("time")) && v.GetAttr("partition_by").IsNull() {
		problems = append(problems, Problem{
			Path:    cty.GetAttrPath("time"),
			Summary: "No directories by time",
			Detail:  "time says by which field partition_by divides the files, and there is no partition_by. Add it, such as partition_by = \"date=%Y-%m-%d\", or remove time.",
		})
	}
	return append(problems, checkDeadLetters(v)...)
}

func checkSourcePath(v cty.Value) error {
	if !doublestar.ValidatePathPattern(v.AsString()) {
		return errors.New(`it is no pattern: close each [ and {, and write \\[ or \\{ for one that is a part of a name`)
	}
	return NotEmpty(v)
}

var partitionBy = regexp.MustCompile(`^(?:[A-Za-z0-9._=/-]|%[YmdHM%]|\{[^{}]+\})+$`)

func checkPartitionBy(v cty.Value) error {
	s := v.AsString()
	if !partitionBy.MatchString(s) || !strings.ContainsAny(strings.ReplaceAll(s, "%%", ""), "%{") {
		return fmt.Errorf("%q names no directories; write letters of the time (%%Y %%m %%d %%H %%M) or fields in braces, as in \"date=%%Y-%%m-%%d\" or \"index={Index}\"", s)
	}
	return blobPrefix(v)
}

func checkDeadLetters(v cty.Value) []Problem {
	prefix, letters := v.GetAttr("prefix"), v.GetAttr("dead_letter")
	if !known(prefix) || !known(letters) {
		return nil
	}
	dead := letters.GetAttr("prefix")
	if !known(dead) || !strings.HasPrefix(dead.AsString(), prefix.AsString()) {
		return nil
	}
	return []Problem{{
		Path:    cty.GetAttrPath("dead_letter").GetAttr("prefix"),
		Summary: "Dead letters among the files",
		Warning: prefix.AsString() == "", // a pipe may still load from a longer one
		Detail: fmt.Sprintf("The prefix %q lies under the files' prefix %q, so a pipe that loads the files would load the dead letters too. Choose prefixes apart from each other.",
			dead.AsString(), prefix.AsString()),
	}}
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
	if s := v.AsString(); len(s) != 1 || strings.ContainsAny(s, "\"\r\n\x00") || s[0] > 126 {
		return fmt.Errorf("one character is needed, such as \",\", \";\" or \"\\t\"; not a quote or a line break")
	}
	return nil
}

func checkSpeed(v cty.Value) error { _, err := ParseSpeed(v.AsString()); return err }

// ParseSpeed reads how many times faster than real time: "60x".
func ParseSpeed(s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "x")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || strings.Trim(number, "0123456789.") != "" || n <= 0 || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is no speed; write how many times faster than the rows came about, as in \"60x\" or \"0.5x\"", s)
	}
	return n, nil
}

func checkMoment(v cty.Value) error { _, err := ParseMoment(v.AsString()); return err }

// ParseMoment reads a date, which is its midnight in UTC, or a time of RFC 3339.
func ParseMoment(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date or time; write 2008-01-31 or 2008-01-31T12:00:00Z", s)
}

func someColumns(v cty.Value) error {
	if v.LengthInt() == 0 {
		return fmt.Errorf("it names no column")
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
