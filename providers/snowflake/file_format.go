package snowflake

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// FileFormat describes snowflake_file_format.
var FileFormat = &spec.Kind{
	Name: "snowflake_file_format", System: System,
	Doc: "How files are read. An option that the stack does not name has Snowflake's default.",
	Example: `snowflake_file_format "json" {
  schema  = "MARKET.RAW"
  type    = "JSON"
  options = { TIME_FORMAT = "AUTO" }
}
`,
	ID: idOf("schema"),
	Attrs: append(nameAttrs("Name of the file format.", "schema", "Schema that holds the file format.", "snowflake_schema"),
		spec.Attr{Name: "type", Type: cty.String, Required: true, Doc: "`CSV`, `JSON`, `AVRO`, `ORC`, `PARQUET` or `XML`.",
			Check: oneOf("CSV", "JSON", "AVRO", "ORC", "PARQUET", "XML"), Norm: upper,
			Change: spec.Replaced("a file format keeps its type; pipes that name it stop (STOPPED_FILE_FORMAT_DROPPED) and must be made again")},
		spec.Attr{Name: "options", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String),
			Doc:   "Options by their names in CREATE FILE FORMAT, such as `TIME_FORMAT`, `STRIP_OUTER_ARRAY` or `FIELD_DELIMITER`. A list is written `('', 'null')`.",
			Check: checkOptions, Norm: normOptions, Change: optionsChange},
		commentAttr(),
	),
	Check: func(v cty.Value) []spec.Problem {
		o := objectOf(v)
		if !o.set("type") || !o.set("options") || !o["options"].IsWhollyKnown() {
			return nil
		}
		var problems []spec.Problem
		for name := range o.stringMap("options") {
			def, known := formatOptions[strings.ToUpper(name)]
			if known && len(def.types) > 0 && !slices.Contains(def.types, strings.ToUpper(o.str("type"))) {
				problems = append(problems, spec.Problem{Path: cty.GetAttrPath("options").IndexString(name), Summary: "Option of another file type",
					Detail: fmt.Sprintf("%s is an option of %s, not of %s. Remove it.", strings.ToUpper(name), strings.Join(def.types, ", "), strings.ToUpper(o.str("type")))})
			}
		}
		return problems
	},
}

// formatOption is an option of a file format: what it is when nobody says, and how it is written.
type formatOption struct {
	def   string
	form  form
	types []string // of files it is for; none: all
}

type form int

const (
	word_  form = iota // a bare word or number
	quoted             // text; AUTO and NONE stay bare words
	listed             // a list of texts
)

// formatOptions are the options of CREATE FILE FORMAT (Snowflake's document of that name), with their defaults.
var formatOptions = map[string]formatOption{
	"COMPRESSION": {"AUTO", word_, nil}, "TRIM_SPACE": {"FALSE", word_, nil}, nullIf: {`('\\N')`, listed, nil},
	"REPLACE_INVALID_CHARACTERS": {"FALSE", word_, nil}, "FILE_EXTENSION": {"", quoted, []string{"CSV", "JSON"}},
	"DATE_FORMAT": {"AUTO", quoted, []string{"CSV", "JSON"}}, "TIME_FORMAT": {"AUTO", quoted, []string{"CSV", "JSON"}},
	"TIMESTAMP_FORMAT": {"AUTO", quoted, []string{"CSV", "JSON"}}, "BINARY_FORMAT": {"HEX", word_, []string{"CSV", "JSON"}},
	"MULTI_LINE":   {"TRUE", word_, []string{"CSV", "JSON"}},
	"ENABLE_OCTAL": {"FALSE", word_, []string{"JSON"}}, "ALLOW_DUPLICATE": {"FALSE", word_, []string{"JSON"}},
	"STRIP_OUTER_ARRAY": {"FALSE", word_, []string{"JSON"}}, "STRIP_NULL_VALUES": {"FALSE", word_, []string{"JSON"}},
	"IGNORE_UTF8_ERRORS": {"FALSE", word_, []string{"JSON", "XML"}}, "SKIP_BYTE_ORDER_MARK": {"TRUE", word_, []string{"CSV", "JSON", "XML"}},
	"RECORD_DELIMITER": {"\n", quoted, []string{"CSV"}}, "FIELD_DELIMITER": {",", quoted, []string{"CSV"}},
	"PARSE_HEADER": {"FALSE", word_, []string{"CSV"}}, "SKIP_HEADER": {"0", word_, []string{"CSV"}}, "SKIP_BLANK_LINES": {"FALSE", word_, []string{"CSV"}},
	"ESCAPE": {"NONE", quoted, []string{"CSV"}}, "ESCAPE_UNENCLOSED_FIELD": {`\`, quoted, []string{"CSV"}},
	"FIELD_OPTIONALLY_ENCLOSED_BY": {"NONE", quoted, []string{"CSV"}}, "ERROR_ON_COLUMN_COUNT_MISMATCH": {"TRUE", word_, []string{"CSV"}},
	"EMPTY_FIELD_AS_NULL": {"TRUE", word_, []string{"CSV"}}, "ENCODING": {"UTF8", quoted, []string{"CSV"}}, "VALIDATE_UTF8": {"TRUE", word_, []string{"CSV"}},
	"SNAPPY_COMPRESSION": {"TRUE", word_, []string{"PARQUET"}}, "BINARY_AS_TEXT": {"TRUE", word_, []string{"PARQUET"}},
	"USE_LOGICAL_TYPE": {"FALSE", word_, []string{"PARQUET"}}, "USE_VECTORIZED_SCANNER": {"FALSE", word_, []string{"PARQUET"}},
	"PRESERVE_SPACE": {"FALSE", word_, []string{"XML"}}, "STRIP_OUTER_ELEMENT": {"FALSE", word_, []string{"XML"}},
	"DISABLE_AUTO_CONVERT": {"FALSE", word_, []string{"XML"}}, "DISABLE_SNOWFLAKE_DATA": {"FALSE", word_, []string{"XML"}},
}

var bareWord = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func checkOptions(v cty.Value) error {
	for name, value := range (object{"o": v}).stringMap("o") {
		def, known := formatOptions[strings.ToUpper(name)]
		switch {
		case !known:
			return fmt.Errorf("%q is no option of a file format that mkt knows", name)
		case def.form == word_ && !bareWord.MatchString(value):
			return fmt.Errorf("%s = %q: a word or number is wanted", name, value)
		case def.form == listed && parseList(value) == nil:
			return fmt.Errorf("%s = %q: write a list, as in ('', 'null')", name, value)
		}
	}
	return nil
}

// parseList reads ('a', 'b'); nil when it is no such list.
func parseList(s string) []string {
	ws := words(s)
	if len(ws) < 2 || ws[0].text != "(" || ws[len(ws)-1].text != ")" {
		return nil
	}
	out := []string{}
	for i, w := range ws[1 : len(ws)-1] {
		switch {
		case i%2 == 1 && w.text != ",", i%2 == 0 && w.quoted != '\'':
			return nil
		case i%2 == 0:
			out = append(out, w.unquote())
		}
	}
	return out
}

func writeList(items []string) string {
	quotedItems := make([]string, len(items))
	for i, s := range items {
		quotedItems[i] = literal(s)
	}
	return "(" + strings.Join(quotedItems, ", ") + ")"
}

func normOptions(v cty.Value) cty.Value {
	if !v.IsWhollyKnown() {
		return v
	}
	out := map[string]string{}
	for name, value := range (object{"o": v}).stringMap("o") {
		name = strings.ToUpper(name)
		out[name] = normOption(name, value)
	}
	return mapValue(out)
}

func normOption(name, value string) string {
	def := formatOptions[name]
	up := strings.ToUpper(value)
	switch {
	case def.form == listed && parseList(value) != nil:
		return writeList(parseList(value))
	case def.form == word_, up == "AUTO", up == "NONE" && def.form == quoted, name == "ENCODING":
		return up
	case def.form == quoted:
		return escapes.Replace(value)
	}
	return value
}

// escapes are the sequences that people write in delimiters.
var escapes = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t")

// optionsChange compares what is in force: options that are not named have their defaults.
func optionsChange(before, after cty.Value) spec.Verdict {
	if !after.IsWhollyKnown() {
		return spec.Verdict{Act: spec.InPlace}
	}
	if len(changedOptions(object{"options": before}, object{"options": after})) == 0 {
		return spec.Verdict{Act: spec.Same}
	}
	return spec.Verdict{Act: spec.InPlace}
}

// changedOptions gives the options whose effective value differs, with their value in after.
func changedOptions(before, after object) map[string]string {
	b, a := before.stringMap("options"), after.stringMap("options")
	effective := func(m map[string]string, name string) string {
		if v, ok := m[name]; ok {
			return v
		}
		return formatOptions[name].def
	}
	out := map[string]string{}
	for name := range formatOptions {
		was, is := effective(b, name), effective(a, name)
		if name == nullIf && b[name] == "" && a[name] == noTexts {
			continue // readOptions leaves NULL_IF out only where the empty list is the default
		}
		if was != is {
			out[name] = is
		}
	}
	return out
}

// NULL_IF alone has another default for CSV, \N, than for the other types, no text at all.
const (
	nullIf  = "NULL_IF"
	noTexts = "()"
)

func writeOptions(options map[string]string) string {
	var b strings.Builder
	for _, name := range sortedKeys(options) {
		value := options[name]
		if formatOptions[name].form == quoted && value != "AUTO" && value != "NONE" {
			value = literal(value)
		}
		b.WriteString(" " + name + " = " + value)
	}
	return b.String()
}

var fileFormatKind = &kind{spec: FileFormat, noun: "FILE FORMAT", plural: "FILE FORMATS", parent: "schema",
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		options, err := readOptions(r["type"], r["format_options"])
		if err != nil {
			return nil, err
		}
		return object{"type": upper(text(r["type"])), "options": mapValue(options)}, nil
	},
	create: func(n Name, o object) []string {
		return []string{"CREATE FILE FORMAT " + n.SQL() + " TYPE = " + o.str("type") + writeOptions(o.stringMap("options")) + setComment(o)}
	},
	update: func(n Name, before, after object) []string {
		k := &kind{noun: "FILE FORMAT"}
		var out []string
		set := changedOptions(before, after)
		if _, named := after.stringMap("options")[nullIf]; set[nullIf] != "" && !named && after.str("type") != "CSV" {
			set[nullIf] = noTexts
		}
		if len(set) > 0 {
			out = append(out, k.alter(n, "SET"+writeOptions(set)))
		}
		return append(out, k.alterComment(n, before, after)...)
	},
	carries: func(ctx context.Context, p *Provider, n Name, _ row, c copyInto) (bool, error) {
		if c.format != "" || c.from == "" {
			return c.format == n.String(), nil
		}
		stage, err := ParseName(c.from)
		if err != nil {
			return false, err
		}
		described, err := p.client.query(ctx, "DESCRIBE STAGE "+stage.SQL())
		if notFound(err) {
			return false, nil // the pipe has stopped already
		}
		return stageFormat(stage, described).String() == n.String(), err
	},
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		return stops(ctx, p, n, "STOPPED_FILE_FORMAT_DROPPED", func(c copyInto) string { return c.format })
	},
}

// readOptions reads the JSON that SHOW FILE FORMATS gives, and leaves the defaults out.
func readOptions(fileType, options string) (map[string]string, error) {
	out := map[string]string{}
	if options == "" {
		return out, nil
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(options), &all); err != nil {
		return nil, providers.Errorf(providers.Unknown, "read format_options: %w", err)
	}
	for name, v := range all {
		def, known := formatOptions[name]
		if !known || len(def.types) > 0 && !slices.Contains(def.types, strings.ToUpper(fileType)) {
			continue
		}
		var s string
		switch v := v.(type) {
		case nil:
			continue
		case []any:
			items := make([]string, len(v))
			for i := range v {
				items[i] = fmt.Sprint(v[i])
			}
			if s = writeList(items); len(items) == 0 && strings.ToUpper(fileType) != "CSV" {
				continue // the other types' default
			}
		default:
			s = fmt.Sprint(v)
		}
		if s = normOption(name, s); s != def.def || name == nullIf {
			out[name] = s
		}
	}
	return out, nil
}
