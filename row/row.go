// Package row is the neutral shape of a record as it travels from a file
// through a topic into a table: named, typed fields. It answers one question
// for the packages above it: does a value of field A fit into field B, and if
// not, why.
//
// It reads shapes from an Avro schema (FromAvro) and from Snowflake column
// types (FromSnowflake). It knows nothing of Kafka, of blobs, of the stack
// language or of any connection.
package row

import (
	"fmt"
	"strings"
)

// Type is the kind of value a field holds.
type Type int

// The types of a field. Variant is any nested or mixed structure.
const (
	Unknown Type = iota
	String
	Boolean
	Int32
	Int64
	Float
	Double
	Bytes
	Decimal
	Date
	Time
	Timestamp
	Enum
	Variant
)

var typeNames = [...]string{"unknown", "string", "boolean", "int32", "int64", "float", "double",
	"bytes", "decimal", "date", "time", "timestamp", "enum", "variant"}

// String is the lower-case name of the type.
func (t Type) String() string {
	if t < 0 || int(t) >= len(typeNames) {
		return "unknown"
	}
	return typeNames[t]
}

// Unit is the resolution of a Time or Timestamp: the number of decimal
// digits of a second that are kept.
type Unit int

// The units that Avro's logical types have.
const (
	Seconds Unit = 0
	Millis  Unit = 3
	Micros  Unit = 6
	Nanos   Unit = 9
)

// Field is one named value of a record.
type Field struct {
	Name     string
	Type     Type
	Nullable bool

	Precision int  // Decimal: digits in all
	Scale     int  // Decimal: digits after the point
	Unit      Unit // Time, Timestamp
	Local     bool // Timestamp: wall-clock time without a zone
	Length    int  // String: most characters, Bytes: most bytes; 0 is without limit

	Symbols []string // Enum

	// HasDefault says that a writer may leave the field out.
	HasDefault bool
}

// Schema is the shape of a record.
type Schema struct {
	Name   string
	Fields []Field
}

// Field returns the field of that exact name.
func (s Schema) Field(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Describe is the type of f as a person reads it: "decimal(10,2)",
// "timestamp(micros, utc)", "string".
func (f Field) Describe() string {
	var b strings.Builder
	b.WriteString(f.Type.String())
	switch f.Type {
	case Decimal:
		fmt.Fprintf(&b, "(%d,%d)", f.Precision, f.Scale)
	case Time:
		fmt.Fprintf(&b, "(%s)", f.Unit)
	case Timestamp:
		zone := "utc"
		if f.Local {
			zone = "local"
		}
		fmt.Fprintf(&b, "(%s, %s)", f.Unit, zone)
	case String, Bytes:
		if f.Length > 0 {
			fmt.Fprintf(&b, "(%d)", f.Length)
		}
	}
	return b.String()
}

// String is the unit's name, "millis" for Millis.
func (u Unit) String() string {
	switch u {
	case Seconds:
		return "seconds"
	case Millis:
		return "millis"
	case Micros:
		return "micros"
	case Nanos:
		return "nanos"
	}
	return fmt.Sprintf("%d digits", int(u))
}

// Plain is a name without case and without what is no letter or digit: what people mean to be one name.
func Plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127 {
			return r
		}
		return -1
	}, strings.ToLower(name))
}
