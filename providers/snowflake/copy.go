package snowflake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// refusedCopyOptions cannot stand in a pipe (Snowflake: "CREATE PIPE", usage notes).
var refusedCopyOptions = []string{"PURGE", "FORCE", "FILES", "SIZE_LIMIT", "RETURN_FAILED_ONLY", "VALIDATION_MODE"}

var copyAttrs = []spec.Attr{
	{Name: "into", Type: cty.String, Required: true, Refs: []string{"snowflake_table"}, Doc: "Table that is loaded.", Check: checkName(3), Norm: normName},
	{Name: "from", Type: cty.String, Required: true, Refs: []string{"snowflake_stage"}, Doc: "Stage with the files.", Check: checkName(3), Norm: normName},
	{Name: "path", Type: cty.String, Default: text(""), Doc: "Folder below the stage's own; all of it by default.", Check: checkPath, Norm: normPath},
	{Name: "file_format", Type: cty.String, Refs: []string{"snowflake_file_format"}, Doc: "File format of the files; the stage's by default.", Check: checkName(3), Norm: normName},
	{Name: "pattern", Type: cty.String, Default: text(""), Doc: "Regular expression that whole file names must match."},
	{Name: "match_by_column_name", Type: cty.String, Default: text("NONE"), Doc: "`CASE_INSENSITIVE` or `CASE_SENSITIVE` to load keys into columns of the same name; `NONE` to load them in order.",
		Check: matchByColumn, Norm: upper},
	{Name: "on_error", Type: cty.String, Default: text("SKIP_FILE"), Doc: "What a bad row does: `SKIP_FILE` (the default: not one row of the file is loaded, and its name stays registered), `SKIP_FILE_n`, `SKIP_FILE_n%` or `CONTINUE`.",
		Check: checkOnError, Norm: upper},
	{Name: "options", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String), Doc: "Further copy options: `TRUNCATECOLUMNS`, `ENFORCE_LENGTH`, `LOAD_UNCERTAIN_FILES`, `LOAD_MODE`.",
		Check: checkCopyOptions, Norm: func(v cty.Value) cty.Value {
			out := map[string]string{}
			for name, value := range (object{"o": v}).stringMap("o") {
				out[strings.ToUpper(name)] = strings.ToUpper(value)
			}
			return mapValue(out)
		}},
}

var matchByColumn = oneOf("CASE_SENSITIVE", "CASE_INSENSITIVE", "NONE")

var (
	onError   = regexp.MustCompile(`^(CONTINUE|SKIP_FILE|SKIP_FILE_[0-9]+%?)$`)
	plainPath = regexp.MustCompile(`^[A-Za-z0-9._=/-]*$`)
)

func checkPath(v cty.Value) error {
	s := v.AsString()
	if !plainPath.MatchString(s) || strings.Contains(s, "//") || strings.Contains(s, "--") {
		return fmt.Errorf("%q: a path has letters, digits and single . _ = / - only", s)
	}
	return nil
}

func checkOnError(v cty.Value) error {
	switch s := strings.ToUpper(v.AsString()); {
	case s == "ABORT_STATEMENT":
		return fmt.Errorf("a pipe refuses ABORT_STATEMENT: use SKIP_FILE, SKIP_FILE_n, SKIP_FILE_n%% or CONTINUE")
	case !onError.MatchString(s):
		return fmt.Errorf("%q is not one of SKIP_FILE, SKIP_FILE_n, SKIP_FILE_n%% and CONTINUE", v.AsString())
	}
	return nil
}

func checkCopyOptions(v cty.Value) error {
	for name, value := range (object{"o": v}).stringMap("o") {
		switch up := strings.ToUpper(name); {
		case slices.Contains(refusedCopyOptions, up):
			return fmt.Errorf("%s cannot be used in a pipe: %s are refused there", up, strings.Join(refusedCopyOptions, ", "))
		case !slices.Contains([]string{"TRUNCATECOLUMNS", "ENFORCE_LENGTH", "LOAD_UNCERTAIN_FILES", "LOAD_MODE"}, up):
			return fmt.Errorf("%q is no copy option that mkt knows", name)
		case !bareWord.MatchString(value):
			return fmt.Errorf("%s = %q: a word is wanted", up, value)
		}
	}
	return nil
}

func copyChange(before, after cty.Value) spec.Verdict {
	if after.IsWhollyKnown() && !before.IsNull() && !after.IsNull() && copyOf(objectOf(before)).SQL() == copyOf(objectOf(after)).SQL() {
		return spec.Verdict{Act: spec.Same}
	}
	return spec.Verdict{Act: spec.Replace, Why: historyLost}
}

// copyInto is a COPY INTO statement of a pipe.
type copyInto struct {
	into, from, format   string // qualified names; format may be ""
	path, pattern        string
	matchBy, onErrorWord string
	options              map[string]string
}

func copyOf(o object) copyInto {
	return copyInto{into: o.str("into"), from: o.str("from"), format: o.str("file_format"), path: o.str("path"), pattern: o.str("pattern"),
		matchBy: o.str("match_by_column_name"), onErrorWord: o.str("on_error"), options: o.stringMap("options")}
}

func (c copyInto) value() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"into": text(c.into), "from": text(c.from), "path": text(c.path), "file_format": orNull(c.format), "pattern": text(c.pattern),
		"match_by_column_name": text(c.matchBy), "on_error": text(c.onErrorWord), "options": mapValue(c.options),
	})
}

// SQL writes the statement; what has its default is left out.
func (c copyInto) SQL() string {
	name := func(s string) string {
		n, _ := ParseName(s)
		return n.SQL()
	}
	var b strings.Builder
	b.WriteString("COPY INTO " + name(c.into) + " FROM @" + name(c.from))
	if c.path != "" {
		b.WriteString("/" + c.path)
	}
	if c.pattern != "" {
		b.WriteString(" PATTERN = " + literal(c.pattern))
	}
	if c.format != "" {
		b.WriteString(" FILE_FORMAT = (FORMAT_NAME = " + literal(name(c.format)) + ")")
	}
	if c.matchBy != "" && c.matchBy != "NONE" {
		b.WriteString(" MATCH_BY_COLUMN_NAME = " + c.matchBy)
	}
	if c.onErrorWord != "" {
		word := c.onErrorWord
		if strings.HasSuffix(word, "%") {
			word = literal(word)
		}
		b.WriteString(" ON_ERROR = " + word)
	}
	for _, o := range sortedKeys(c.options) {
		b.WriteString(" " + o + " = " + c.options[o])
	}
	return b.String()
}

// CopyFiles writes the statement that loads just these files of a pipe's copy block, by the table's own load history and not the pipe's. The
// names are as seen from where the block copies from, and at most 1000 (Snowflake: "COPY INTO <table>", FILES).
func CopyFiles(copy cty.Value, files []string) string {
	c := copyOf(objectOf(copy))
	c.pattern = "" // they are named
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = literal(f)
	}
	return c.SQL() + " FILES = (" + strings.Join(names, ", ") + ")"
}

// parseCopy reads the definition of a pipe. Names that are not qualified belong to the pipe's own schema.
func parseCopy(definition string, schema Name) (copyInto, error) {
	p := copyParser{src: definition, ws: words(definition), schema: schema}
	c := p.statement()
	if p.failed {
		return copyInto{}, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("the pipe's statement is not one that a copy block can say: %s", shorten(definition)),
			Hint: "mkt manages pipes that copy files as they are, without a SELECT over the stage."}
	}
	return c, nil
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

type copyParser struct {
	src    string
	ws     []word
	i      int
	schema Name
	failed bool
}

func (p *copyParser) peek() word {
	if p.i < len(p.ws) {
		return p.ws[p.i]
	}
	return word{}
}

func (p *copyParser) next() word {
	w := p.peek()
	p.i++
	return w
}

func (p *copyParser) expect(texts ...string) {
	for _, t := range texts {
		if !p.next().is(t) {
			p.failed = true
		}
	}
}

func (p *copyParser) statement() copyInto {
	c := copyInto{matchBy: "NONE", onErrorWord: "SKIP_FILE", options: map[string]string{}}
	p.expect("COPY", "INTO")
	c.into = p.name()
	p.expect("FROM")
	if w := p.peek(); w.quoted == '\'' { // '@stage/path'
		inner := copyParser{src: w.unquote(), ws: words(w.unquote()), schema: p.schema}
		p.i++
		c.from, c.path = inner.stage()
		p.failed = p.failed || inner.failed
	} else {
		c.from, c.path = p.stage()
	}
	for !p.failed && p.i < len(p.ws) && p.peek().text != ";" {
		p.option(&c)
	}
	return c
}

func (p *copyParser) name() string {
	var parts []string
	for {
		w := p.next()
		if w.text == "" || w.quoted != 0 && w.quoted != '"' {
			p.failed = true
			return ""
		}
		parts = append(parts, w.text)
		if p.peek().text != "." || p.peek().spaced {
			break
		}
		p.i++
	}
	return p.qualify(strings.Join(parts, "."))
}

func (p *copyParser) qualify(s string) string {
	n, err := ParseName(s)
	if err != nil || len(p.schema) != 2 {
		p.failed = true
		return ""
	}
	return append(append(Name{}, p.schema[:3-len(n)]...), n...).String()
}

// stage reads @name/path; the path ends at white space.
func (p *copyParser) stage() (name, path string) {
	p.expect("@")
	name = p.name()
	if p.peek().text == "/" && !p.peek().spaced {
		p.i++
		for p.i < len(p.ws) && !p.peek().spaced {
			path += p.next().text
		}
		p.failed = p.failed || checkPath(text(path)) != nil
	}
	return name, normPath(text(path)).AsString()
}

func (p *copyParser) option(c *copyInto) {
	name := strings.ToUpper(p.next().text)
	p.expect("=")
	if name == "FILE_FORMAT" {
		p.expect("(", "FORMAT_NAME", "=")
		if w := p.peek(); w.quoted == '\'' {
			p.i++
			c.format = p.qualify(w.unquote())
		} else {
			c.format = p.name()
		}
		p.expect(")")
		return
	}
	w := p.next()
	value := w.text
	if w.quoted == '\'' {
		value = w.unquote()
	}
	for w.quoted == 0 && p.peek().text == "%" { // SKIP_FILE_10%
		value += p.next().text
	}
	up := strings.ToUpper(value)
	var ok bool
	switch name {
	case "PATTERN":
		c.pattern, ok = value, w.quoted == '\''
	case "MATCH_BY_COLUMN_NAME":
		c.matchBy, ok = up, matchByColumn(text(value)) == nil
	case "ON_ERROR":
		c.onErrorWord, ok = up, checkOnError(text(value)) == nil
	case "TRUNCATECOLUMNS", "ENFORCE_LENGTH", "LOAD_UNCERTAIN_FILES", "LOAD_MODE":
		c.options[name], ok = up, bareWord.MatchString(value)
	}
	p.failed = p.failed || !ok
}
