package row

import (
	"strings"
	"testing"
)

func TestFromAvro(t *testing.T) {
	s, err := FromAvro(`{"type":"record","name":"All","fields":[
		{"name":"s","type":"string"},
		{"name":"n","type":["null","double"],"default":null},
		{"name":"r","type":["long","null"]},
		{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
		{"name":"day","type":{"type":"int","logicalType":"date"}},
		{"name":"tm","type":{"type":"int","logicalType":"time-millis"}},
		{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"lts","type":{"type":"long","logicalType":"local-timestamp-millis"}},
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A","BB"]}},
		{"name":"e2","type":"E"},
		{"name":"f","type":{"type":"fixed","name":"F","size":4}},
		{"name":"a","type":{"type":"array","items":"int"}}
	]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"string", "double?", "int64?", "decimal(10,2)", "date", "time(millis)",
		"timestamp(micros, utc)", "timestamp(millis, local)", "enum", "enum", "bytes(4)", "variant"}
	for i, f := range s.Fields {
		got := f.Describe()
		if f.Nullable {
			got += "?"
		}
		if got != want[i] {
			t.Errorf("%s: got %s, want %s", f.Name, got, want[i])
		}
	}
	if f, _ := s.Field("n"); !f.HasDefault {
		t.Error("n has a default")
	}
	if _, err := FromAvro(`"string"`); err == nil {
		t.Error("a schema that is no record must be refused")
	}
	if _, err := FromAvro(`{`); err == nil {
		t.Error("text that is no Avro must be refused")
	}
}

func TestFromSnowflake(t *testing.T) {
	for typ, want := range map[string]string{
		"VARCHAR(256)": "string(256)", "string": "string(16777216)", "CHAR": "string(1)",
		"number( 10 , 2 )": "decimal(10,2)", "INT": "decimal(38,0)", "double  precision": "double",
		"FLOAT": "double", "BOOLEAN": "boolean", "BINARY": "bytes(8388608)", "DATE": "date",
		"TIME(3)": "time(millis)", "DATETIME": "timestamp(nanos, local)",
		"TIMESTAMP_TZ(6)": "timestamp(micros, utc)", "timestamp(6) with time zone": "timestamp(micros, utc)",
		"VARIANT": "variant",
	} {
		f, err := FromSnowflake(typ)
		if err != nil || f.Describe() != want {
			t.Errorf("%s: got %s, %v, want %s", typ, f.Describe(), err, want)
		}
	}
	for _, typ := range []string{"", "GEOMETRY9", "NUMBER(", "NUMBER(39,0)", "NUMBER(5,6)", "DATE(3)", "VARCHAR(x)", "TIME(10)", "NUMBER(1,1,1)"} {
		if _, err := FromSnowflake(typ); err == nil {
			t.Errorf("%q must be refused", typ)
		}
	}
}

func TestFits(t *testing.T) {
	col := func(typ string) Field {
		f, err := FromSnowflake(typ)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	tests := []struct {
		name string
		a    Field
		b    Field
		want string // part of the only problem, empty for none
	}{
		{"string", Field{Type: String}, col("VARCHAR(10)"), ""},
		{"long into number", Field{Type: Int64}, col("NUMBER(38,0)"), ""},
		{"long into short number", Field{Type: Int64}, col("NUMBER(10,0)"), "19 digits before"},
		{"long into float", Field{Type: Int64}, col("FLOAT"), "exact to 15"},
		{"int into float", Field{Type: Int32}, col("FLOAT"), ""},
		{"double into float column", Field{Type: Double}, col("FLOAT"), ""},
		{"double into number", Field{Type: Double}, col("NUMBER(10,2)"), "round"},
		{"double into date", Field{Type: Double}, col("DATE"), "is double, the target is date"},
		{"decimal scale", Field{Type: Decimal, Precision: 10, Scale: 4}, col("NUMBER(10,2)"), "4 digits after"},
		{"decimal digits", Field{Type: Decimal, Precision: 10, Scale: 0}, col("NUMBER(10,2)"), "10 digits before"},
		{"decimal", Field{Type: Decimal, Precision: 10, Scale: 2}, col("NUMBER(12,2)"), ""},
		{"date", Field{Type: Date}, col("DATE"), ""},
		{"date into timestamp", Field{Type: Date}, col("TIMESTAMP_NTZ"), ""},
		{"timestamp into date", Field{Type: Timestamp, Unit: Millis}, col("DATE"), "the target is date"},
		{"utc into ntz", Field{Type: Timestamp, Unit: Micros}, col("TIMESTAMP_NTZ(6)"), ""},
		{"micros into millis", Field{Type: Timestamp, Unit: Micros}, col("TIMESTAMP_NTZ(3)"), "exact to micros"},
		{"local into tz", Field{Type: Timestamp, Unit: Micros, Local: true}, col("TIMESTAMP_TZ"), "without a zone"},
		{"nullable", Field{Type: Date, Nullable: true}, Field{Type: Date}, "not nullable"},
		{"enum into short text", Field{Type: Enum, Symbols: []string{"LONG"}}, col("VARCHAR(3)"), "4 characters"},
		{"array into text", Field{Type: Variant}, col("VARCHAR"), "is variant"},
		{"array into variant", Field{Type: Variant}, col("VARIANT"), ""},
		{"fixed into binary", Field{Type: Bytes, Length: 16}, col("BINARY(8)"), "16 bytes"},
	}
	for _, tt := range tests {
		got := Fits(tt.a, tt.b)
		switch {
		case tt.want == "" && len(got) != 0:
			t.Errorf("%s: %v, want none", tt.name, got)
		case tt.want != "" && (len(got) != 1 || !strings.Contains(string(got[0]), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFitsItself(t *testing.T) {
	for typ := String; typ <= Variant; typ++ {
		f := Field{Type: typ, Precision: 10, Scale: 2, Unit: Millis, Length: 3, Symbols: []string{"A"}}
		if got := Fits(f, f); len(got) != 0 {
			t.Errorf("%s does not fit itself: %v", typ, got)
		}
	}
}

func FuzzFromSnowflake(f *testing.F) {
	f.Add("NUMBER(10,2)")
	f.Add("TIMESTAMP (3) WITH TIME ZONE")
	f.Fuzz(func(t *testing.T, typ string) {
		if got, err := FromSnowflake(typ); err == nil && got.Type == Unknown {
			t.Errorf("%q has no type and no error", typ)
		}
	})
}
