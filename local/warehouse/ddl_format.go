package warehouse

import (
	"context"
	"maps"
	"strconv"
	"strings"
)

// formatDef is a file format: the options given, by name; the others have the defaults of the type.
type formatDef struct {
	Type    string            `json:"type"`
	Options map[string]string `json:"options,omitempty"`
	NullIf  *[]string         `json:"null_if,omitempty"`
}

// formatProp is one option of a file format type as DESC FILE FORMAT lists it.
type formatProp struct{ name, typ, def string }

var formatProps = map[string][]formatProp{
	"CSV": {
		{"RECORD_DELIMITER", "String", "\\n"}, {"FIELD_DELIMITER", "String", ","}, {"FILE_EXTENSION", "String", ""}, {"SKIP_HEADER", "Integer", "0"},
		{"PARSE_HEADER", "Boolean", "false"}, {"DATE_FORMAT", "String", "AUTO"}, {"TIME_FORMAT", "String", "AUTO"}, {"TIMESTAMP_FORMAT", "String", "AUTO"},
		{"BINARY_FORMAT", "String", "HEX"}, {"ESCAPE", "String", "NONE"}, {"ESCAPE_UNENCLOSED_FIELD", "String", "\\\\"}, {"TRIM_SPACE", "Boolean", "false"},
		{"FIELD_OPTIONALLY_ENCLOSED_BY", "String", "NONE"}, {"NULL_IF", "List", "[\\\\N]"}, {"COMPRESSION", "String", "AUTO"},
		{"ERROR_ON_COLUMN_COUNT_MISMATCH", "Boolean", "true"}, {"VALIDATE_UTF8", "Boolean", "true"}, {"SKIP_BLANK_LINES", "Boolean", "false"},
		{"REPLACE_INVALID_CHARACTERS", "Boolean", "false"}, {"EMPTY_FIELD_AS_NULL", "Boolean", "true"}, {"SKIP_BYTE_ORDER_MARK", "Boolean", "true"},
		{"ENCODING", "String", "UTF8"}, {"MULTI_LINE", "Boolean", "true"},
	},
	"JSON": {
		{"FILE_EXTENSION", "String", ""}, {"DATE_FORMAT", "String", "AUTO"}, {"TIME_FORMAT", "String", "AUTO"}, {"TIMESTAMP_FORMAT", "String", "AUTO"},
		{"BINARY_FORMAT", "String", "HEX"}, {"TRIM_SPACE", "Boolean", "false"}, {"MULTI_LINE", "Boolean", "true"}, {"NULL_IF", "List", "[]"}, {"COMPRESSION", "String", "AUTO"},
		{"ENABLE_OCTAL", "Boolean", "false"}, {"ALLOW_DUPLICATE", "Boolean", "false"}, {"STRIP_OUTER_ARRAY", "Boolean", "false"},
		{"STRIP_NULL_VALUES", "Boolean", "false"}, {"IGNORE_UTF8_ERRORS", "Boolean", "false"}, {"REPLACE_INVALID_CHARACTERS", "Boolean", "false"},
		{"SKIP_BYTE_ORDER_MARK", "Boolean", "true"},
	},
	"AVRO": {
		{"TRIM_SPACE", "Boolean", "false"}, {"NULL_IF", "List", "[]"}, {"COMPRESSION", "String", "AUTO"}, {"REPLACE_INVALID_CHARACTERS", "Boolean", "false"},
	},
	"PARQUET": {
		{"TRIM_SPACE", "Boolean", "false"}, {"NULL_IF", "List", "[]"}, {"COMPRESSION", "String", "AUTO"}, {"BINARY_AS_TEXT", "Boolean", "true"},
		{"REPLACE_INVALID_CHARACTERS", "Boolean", "false"}, {"USE_LOGICAL_TYPE", "Boolean", "false"}, {"USE_VECTORIZED_SCANNER", "Boolean", "false"},
	},
}

func (f *formatDef) copy() *formatDef {
	c := *f
	c.Options = maps.Clone(f.Options)
	if c.Options == nil {
		c.Options = map[string]string{}
	}
	return &c
}

// get gives the value of an option: what was given, or the default.
func (f *formatDef) get(name string) string {
	if v, ok := f.Options[name]; ok {
		return v
	}
	for _, p := range formatProps[f.Type] {
		if p.name == name {
			return p.def
		}
	}
	return ""
}

func (f *formatDef) flag(name string) bool { return f.get(name) == "true" }

// nullIf gives the texts that mean NULL.
func (f *formatDef) nullIf() []string {
	if f.NullIf != nil {
		return *f.NullIf
	}
	if f.Type == "CSV" {
		return []string{`\N`}
	}
	return nil
}

// shown gives the value of a property as DESC shows it.
func (f *formatDef) shown(p formatProp) string {
	if p.typ != "List" {
		return f.get(p.name)
	}
	if f.NullIf == nil {
		return p.def
	}
	return "[" + strings.Join(*f.NullIf, ", ") + "]"
}

// parseFormat reads TYPE and options. With typ set the type may be left out.
func parseFormat(opts *options, typ string) (*formatDef, error) {
	f := &formatDef{Type: typ}
	if v, ok := opts.take("TYPE"); ok {
		f.Type = strings.ToUpper(v.text)
	}
	if f.Type == "" {
		f.Type = "CSV"
	}
	if formatProps[f.Type] == nil {
		if f.Type == "ORC" || f.Type == "XML" || f.Type == "CUSTOM" {
			return nil, errUnsupported("file format type %s", f.Type)
		}
		return nil, errInvalid("invalid value [%s] for parameter 'TYPE'", f.Type)
	}
	return f, f.set(opts)
}

func (f *formatDef) set(opts *options) error {
	f.Options = maps.Clone(f.Options)
	if f.Options == nil {
		f.Options = map[string]string{}
	}
	for _, p := range formatProps[f.Type] {
		v, ok := opts.take(p.name)
		if !ok {
			continue
		}
		switch p.typ {
		case "Boolean":
			b, err := v.bool(p.name)
			if err != nil {
				return err
			}
			f.Options[p.name] = strconv.FormatBool(b)
		case "Integer":
			if n, err := strconv.Atoi(v.text); err != nil || n < 0 {
				return errInvalid("invalid value [%s] for parameter '%s'", v.text, p.name)
			}
			f.Options[p.name] = v.text
		case "List":
			list := []string{}
			if !v.isList {
				list = append(list, v.text)
			}
			for _, e := range v.list {
				list = append(list, e.text)
			}
			f.NullIf = &list
		default:
			if v.isList {
				return errInvalid("invalid value for parameter '%s': a string is needed", p.name)
			}
			f.Options[p.name] = v.text
			if !v.quoted || p.name == "COMPRESSION" {
				f.Options[p.name] = strings.ToUpper(v.text)
			}
		}
	}
	if c := f.get("COMPRESSION"); c != "AUTO" && c != "NONE" && c != "GZIP" && c != "ZSTD" && !(f.Type == "PARQUET" && (c == "SNAPPY" || c == "LZO")) {
		return errUnsupported("COMPRESSION = %s", c)
	}
	return nil
}

type createFormat struct {
	head
	def     *formatDef
	comment string
}

func parseCreateFormat(p *parser, h head) (statement, error) {
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	st := &createFormat{head: h}
	opts.takeString("COMMENT", &st.comment)
	if st.def, err = parseFormat(&opts, ""); err != nil {
		return nil, err
	}
	if err := opts.refuseRest("FILE FORMAT"); err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *createFormat) run(ctx context.Context, s *session) (*result, error) {
	return s.createObject(ctx, st.head, &object{Format: st.def, Comment: st.comment}, nil)
}

func setFormat(d *ddlTx, o *object, opts options) error {
	f := o.Format.copy()
	if v, ok := opts.take("TYPE"); ok && !strings.EqualFold(v.text, f.Type) {
		return errInvalid("the type of a file format cannot be changed from %s to %s: re-create it", f.Type, v.text)
	}
	if err := f.set(&opts); err != nil {
		return err
	}
	o.Format = f
	return opts.refuseRest("FILE FORMAT")
}

// formatRef is FILE_FORMAT = (…): a named format or options.
type formatRef struct {
	Name objName    `json:"name,omitempty"` // qualified once it is stored
	Def  *formatDef `json:"def,omitempty"`
	// What a pipe saw when it was created, to tell that the format went away.
	ID int64 `json:"id,omitempty"`
}

// takeFormat removes FILE_FORMAT from options.
func takeFormat(opts *options) (*formatRef, error) {
	v, ok := opts.take("FILE_FORMAT")
	if !ok {
		return nil, nil
	}
	if !v.isList {
		n, err := parseName(v.text)
		if err != nil {
			return nil, err
		}
		return &formatRef{Name: n}, nil
	}
	in := v.opts
	if name, ok := in.take("FORMAT_NAME"); ok {
		if len(in) > 0 {
			return nil, in.refuseRest("FILE_FORMAT with FORMAT_NAME")
		}
		n, err := parseName(name.text)
		if err != nil {
			return nil, err
		}
		return &formatRef{Name: n}, nil
	}
	def, err := parseFormat(&in, "")
	if err != nil {
		return nil, err
	}
	return &formatRef{Def: def}, in.refuseRest("FILE_FORMAT")
}

// resolveFormat completes the name of a format and checks that it exists.
func (s *session) resolveFormat(ref *formatRef, db, schema string) (*formatRef, error) {
	if ref == nil || ref.Def != nil {
		return ref, nil
	}
	o, err := s.find(ref.Name, scope{db: db, schema: schema}, kindFormat)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errNotFound(kindFormat, ref.Name.String())
	}
	return &formatRef{Name: objName{o.DB, o.Schema, o.Name}, ID: o.ID}, nil
}

// format gives the options of a reference; nil if the named format is gone.
func (c *catalog) format(ref *formatRef) *formatDef {
	if ref.Def != nil {
		return ref.Def
	}
	o := c.get(keyOf(kindFormat, ref.Name[0], ref.Name[1], ref.Name[2]))
	if o == nil || ref.ID != 0 && o.ID != ref.ID {
		return nil
	}
	return o.Format
}
