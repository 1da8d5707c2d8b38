package row

import (
	"fmt"

	"github.com/twmb/avro"
)

// FromAvro reads the shape of an Avro record schema. It fails when the text
// is no Avro or its root is no record.
func FromAvro(text string) (Schema, error) {
	s, err := avro.Parse(text)
	if err != nil {
		return Schema{}, fmt.Errorf("parse avro schema: %w", err)
	}
	return FromAvroNode(s.Root().ExpandReferences())
}

// FromAvroNode is FromAvro for a schema that is parsed already, with its
// references expanded.
func FromAvroNode(root *avro.SchemaNode) (Schema, error) {
	if root.Type != "record" {
		return Schema{}, fmt.Errorf("the schema is of type %q, a record is needed", root.Type)
	}
	out := Schema{Name: root.Name}
	for i := range root.Fields {
		f := avroType(&root.Fields[i].Type)
		f.Name = root.Fields[i].Name
		f.HasDefault = root.Fields[i].HasDefault
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

// avroType maps one Avro type; logical types as in the Avro 1.12
// specification, "Logical Types". An unknown logical type is ignored, as the
// specification asks.
func avroType(n *avro.SchemaNode) Field {
	switch n.LogicalType {
	case "decimal":
		if n.Type == "bytes" || n.Type == "fixed" {
			return Field{Type: Decimal, Precision: n.Precision, Scale: n.Scale}
		}
	case "date":
		if n.Type == "int" {
			return Field{Type: Date}
		}
	case "time-millis":
		if n.Type == "int" {
			return Field{Type: Time, Unit: Millis}
		}
	case "time-micros":
		if n.Type == "long" {
			return Field{Type: Time, Unit: Micros}
		}
	}
	if u, local, ok := timestampUnit(n.LogicalType); ok && n.Type == "long" {
		return Field{Type: Timestamp, Unit: u, Local: local}
	}
	switch n.Type {
	case "string":
		return Field{Type: String}
	case "boolean":
		return Field{Type: Boolean}
	case "int":
		return Field{Type: Int32}
	case "long":
		return Field{Type: Int64}
	case "float":
		return Field{Type: Float}
	case "double":
		return Field{Type: Double}
	case "bytes":
		return Field{Type: Bytes}
	case "fixed":
		return Field{Type: Bytes, Length: n.Size}
	case "enum":
		return Field{Type: Enum, Symbols: n.Symbols}
	case "null":
		return Field{Type: Variant, Nullable: true}
	case "union":
		return avroUnion(n)
	}
	return Field{Type: Variant}
}

func avroUnion(n *avro.SchemaNode) Field {
	var values []*avro.SchemaNode
	nullable := false
	for i := range n.Branches {
		if n.Branches[i].Type == "null" {
			nullable = true
			continue
		}
		values = append(values, &n.Branches[i])
	}
	f := Field{Type: Variant}
	if len(values) == 1 {
		f = avroType(values[0])
	}
	f.Nullable = f.Nullable || nullable
	return f
}

func timestampUnit(logical string) (u Unit, local, ok bool) {
	switch logical {
	case "timestamp-millis":
		return Millis, false, true
	case "timestamp-micros":
		return Micros, false, true
	case "timestamp-nanos":
		return Nanos, false, true
	case "local-timestamp-millis":
		return Millis, true, true
	case "local-timestamp-micros":
		return Micros, true, true
	case "local-timestamp-nanos":
		return Nanos, true, true
	}
	return 0, false, false
}
