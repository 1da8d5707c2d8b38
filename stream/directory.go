package stream

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"mkt/row"
	"mkt/stream/codec"
)

// By puts files into directories by what their records say.
//
// A file holds records of one directory: where the next record has another, the
// file ends. So files still hold what follows each other in the log, and the
// chain is what it is without directories. The directory of a file is that of
// its first record. Everybody who writes the file that starts at an offset
// finds the same record there, and so the same name.
type By struct {
	// Directory is text with fields of the record, {Index}, and letters of its
	// time: %Y, %m, %d, %H, %M; %% is a percent sign. Empty: no directories.
	Directory string
	// Time is the field that tells the time, a date or a timestamp; empty: the
	// record's own timestamp. All in UTC.
	Time string
}

// text is By in a blob's metadata, where only plain characters may be: a
// digest, empty without directories.
func (b By) text() string {
	if b.Directory == "" {
		return ""
	}
	return fmt.Sprintf("%016x", xxhash.Sum64String(b.Directory+"\x00"+b.Time))
}

// noValue is the directory of null and of a record that cannot be read, as Hive
// has it.
const noValue = "__HIVE_DEFAULT_PARTITION__"

// byDirectory is what the directories of a partition stand in. So whether there
// are any is asked in one request.
const byDirectory = "by/"

var (
	token     = regexp.MustCompile(`%.|\{[^{}]*\}|[^%{}]+|.`)
	unplain   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	timeForms = map[string]string{"%Y": "2006", "%m": "01", "%d": "02", "%H": "15", "%M": "04"}
)

// Check says what is wrong with b, if anything is.
func (b By) Check() error {
	if b.Directory == "" {
		if b.Time != "" {
			return errors.New("time says which field the directories go by, and there is no partition_by")
		}
		return nil
	}
	varies := false
	for _, t := range token.FindAllString(b.Directory, -1) {
		switch {
		case timeForms[t] != "", strings.HasPrefix(t, "{") && len(t) > 2:
			varies = true
		case t == "%%":
		case strings.ContainsAny(t, "%{}"):
			return fmt.Errorf("partition_by %q: %q is neither one of %%Y, %%m, %%d, %%H, %%M nor a field in braces", b.Directory, t)
		case regexp.MustCompile(`[^A-Za-z0-9._=/-]`).MatchString(t):
			return fmt.Errorf("partition_by %q: directories are named with letters, digits and . _ - =, and divided by slashes", b.Directory)
		}
	}
	for part := range strings.SplitSeq(b.Directory, "/") {
		if part == "" || strings.HasSuffix(part, ".") {
			return fmt.Errorf("partition_by %q has parts that are empty or end with a dot", b.Directory)
		}
	}
	if !varies {
		return fmt.Errorf("partition_by %q is the same for every record; write it into prefix", b.Directory)
	}
	return nil
}

// directories finds the directory of records. It is for one goroutine.
type directories struct {
	by     By
	tokens []string
	schema *codec.Schema // that fields and at are for
	fields []int         // by token, -1
	at     int           // field of the time, -1
	vals   []codec.Value
	text   []byte
	last   string // was found before, and needs no new string
}

func newDirectories(by By) *directories {
	if by.Directory == "" {
		return nil
	}
	return &directories{by: by, tokens: token.FindAllString(by.Directory, -1)}
}

// of is the directory of a record, with a slash behind it. poison says that the
// datum cannot be read.
func (d *directories) of(schema *codec.Schema, datum []byte, stamp time.Time) (dir string, poison, err error) {
	if schema != d.schema {
		if err := d.compile(schema); err != nil {
			return "", nil, err
		}
	}
	if d.vals, poison = schema.Values(d.vals[:0], datum); poison != nil {
		return noValue + "/", poison, nil
	}
	at, dated := stamp.UTC(), true
	if d.at >= 0 {
		v := d.vals[d.at]
		dated = !v.Null
		if at = time.Unix(v.I, v.N).UTC(); schema.Row.Fields[d.at].Type == row.Date {
			at = time.Unix(v.I*86400, 0).UTC()
		}
	}
	d.text = d.text[:0]
	for i, t := range d.tokens {
		switch {
		case d.fields[i] >= 0:
			d.text = append(d.text, valueText(schema.Row.Fields[d.fields[i]].Type, d.vals[d.fields[i]])...)
		case timeForms[t] != "" && !dated:
			d.text = append(d.text, noValue...)
		case timeForms[t] != "":
			d.text = at.AppendFormat(d.text, timeForms[t])
		case t == "%%":
			d.text = append(d.text, '%')
		default:
			d.text = append(d.text, t...)
		}
	}
	d.text = append(d.text, '/')
	if string(d.text) != d.last {
		d.last = string(d.text)
	}
	return d.last, nil, nil
}

// compile finds the fields in a schema.
func (d *directories) compile(schema *codec.Schema) error {
	find := func(name string, types ...row.Type) (int, error) {
		for i, f := range schema.Row.Fields {
			switch {
			case f.Name != name:
			case !slices.Contains(types, f.Type):
				return -1, fmt.Errorf("partition_by %q: the field %q of schema %s is a %s, which cannot name a directory", d.by.Directory, name, schema.Row.Name, f.Type)
			default:
				return i, nil
			}
		}
		return -1, fmt.Errorf("partition_by %q: schema %s (id %d) has no field %q", d.by.Directory, schema.Row.Name, schema.ID, name)
	}
	d.fields, d.at = d.fields[:0], -1
	for _, t := range d.tokens {
		at := -1
		if strings.HasPrefix(t, "{") {
			var err error
			if at, err = find(t[1:len(t)-1], row.String, row.Enum, row.Boolean, row.Int32, row.Int64, row.Date); err != nil {
				return err
			}
		}
		d.fields = append(d.fields, at)
	}
	if d.by.Time != "" {
		at, err := find(d.by.Time, row.Date, row.Timestamp)
		if err != nil {
			return err
		}
		d.at = at
	}
	d.schema = schema
	return nil
}

// valueText is a value in a directory's name. Values that differ may have the
// same: they share a directory.
func valueText(t row.Type, v codec.Value) string {
	if v.Null {
		return noValue
	}
	var text string
	switch t {
	case row.Boolean:
		text = strconv.FormatBool(v.I == 1)
	case row.Int32, row.Int64:
		text = strconv.FormatInt(v.I, 10)
	case row.Date:
		text = time.Unix(v.I*86400, 0).UTC().Format(time.DateOnly)
	default:
		text = unplain.ReplaceAllString(string(v.B), "_")
	}
	if len(text) > 100 {
		text = text[:100]
	}
	// Azure Storage documentation, "Naming and referencing containers, blobs, and
	// metadata": no path segment should end with a dot.
	if plain := strings.TrimRight(text, "."); plain != text || text == "" {
		return plain + "_"
	}
	return text
}
