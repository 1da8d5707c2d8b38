// Package rowfile writes and reads files of rows: NDJSON, Avro object
// container files and Parquet. A row goes in as the Avro datum that it is in
// the topic.
//
// It knows nothing of names, blobs or offsets.
package rowfile

import (
	"fmt"
	"slices"
	"strings"

	"mkt/stream/codec"
)

// The formats of files.
const (
	JSON    = "json"    // one object a line
	Avro    = "avro"    // Avro specification, "Object Container Files"
	Parquet = "parquet" // with data pages of version 1, the one that Snowflake reads
)

// Formats are the formats, the default first.
var Formats = []string{JSON, Avro, Parquet}

// Compressions are those that a format has, the default first. JSON files are
// compressed as a whole, the others inside. In Avro, gzip is the codec deflate.
func Compressions(format string) []string {
	if format == JSON {
		return []string{"gzip", "zstd", "none"}
	}
	return []string{"gzip", "zstd", "snappy", "none"}
}

// Check says what is wrong with a format and a compression, if anything is.
func Check(format, compression string) error {
	if !slices.Contains(Formats, format) {
		return fmt.Errorf("format %q is not supported; it must be %s", format, strings.Join(Formats, " or "))
	}
	if all := Compressions(format); !slices.Contains(all, compression) {
		return fmt.Errorf("compression %q is not supported in files of format %q; it must be %s", compression, format, strings.Join(all, " or "))
	}
	return nil
}

// Suffix is what the name of a file ends with.
func Suffix(format, compression string) string {
	if format != JSON {
		return "." + format
	}
	switch compression {
	case "gzip":
		return ".json.gz"
	case "zstd":
		return ".json.zst"
	}
	return ".json"
}

// Writer builds a file in memory. It is for one goroutine.
type Writer interface {
	// Add appends a row. It says unfit when the datum has no form in the
	// file (Unfit), which then is as it was; any other error ends the file.
	Add(datum []byte) (unfit, err error)
	// Stored is how many bytes the file has so far, without what is not
	// compressed yet.
	Stored() int64
	// Memory is about how many bytes the Writer holds.
	Memory() int64
	// Close ends the file.
	Close() error
	// File is the file once it is closed.
	File() *Output
}

// New begins a file of rows of one schema. Without a schema it is a file that
// never gets a row.
func New(format, compression string, schema *codec.Schema) (Writer, error) {
	if err := Check(format, compression); err != nil {
		return nil, err
	}
	if format == JSON {
		return &lines{schema: schema, text: Text{Compression: compression}}, nil
	}
	if schema == nil {
		schema = nothing
	}
	if format == Avro {
		return newAvro(compression, schema)
	}
	return newParquet(compression, schema)
}

// nothing is the schema of a file without rows. No column of a table has such
// a name.
var nothing = func() *codec.Schema {
	s, err := codec.Parse(0, `{"type":"record","name":"mkt_nothing","fields":[{"name":"mkt_nothing","type":["null","string"]}]}`)
	if err != nil {
		panic(err)
	}
	return s
}()

// Unfit says why a datum has no form in files of a format: it is no datum of
// its schema or, in JSON, a value has no text. scratch may be nil; it is
// returned to be used again.
func Unfit(format string, schema *codec.Schema, datum, scratch []byte) ([]byte, error) {
	if format == JSON {
		return schema.AppendJSON(scratch[:0], datum)
	}
	return scratch, schema.Valid(datum)
}
