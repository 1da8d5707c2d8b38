package warehouse

import (
	"regexp"
	"strings"

	"mkt/local/dialect"
)

// copyDef is COPY INTO as parsed, for a statement and for the body of a pipe.
type copyDef struct {
	Table   objName    `json:"table"`
	Columns []string   `json:"columns,omitempty"`
	Stage   objName    `json:"stage"`
	Path    string     `json:"path,omitempty"`   // after @stage/
	Select  string     `json:"select,omitempty"` // the list of a transforming SELECT
	Alias   string     `json:"alias,omitempty"`
	Format  *formatRef `json:"format,omitempty"`
	Pattern string     `json:"pattern,omitempty"`
	Match   string     `json:"match,omitempty"`    // "", CASE_SENSITIVE, CASE_INSENSITIVE
	OnError string     `json:"on_error,omitempty"` // "" is the default of the context
	Force   bool       `json:"force,omitempty"`
	Purge   bool       `json:"purge,omitempty"`
	Trunc   bool       `json:"truncate,omitempty"`
	Files   []string   `json:"files,omitempty"`

	refused     []string // options given that a pipe refuses
	unsupported []string // options given that nothing here does
}

// pipeRefuses lists the COPY options that a pipe does not take (Snowflake document "CREATE PIPE").
var pipeRefuses = []string{"PURGE", "FORCE", "FILES", "SIZE_LIMIT", "RETURN_FAILED_ONLY", "VALIDATION_MODE"}

var reOnError = regexp.MustCompile(`^(CONTINUE|ABORT_STATEMENT|SKIP_FILE(_[0-9]+%?)?)$`)

func (p *parser) copyDef() (*copyDef, error) {
	c := &copyDef{}
	if p.word(0, "@") || p.peek().Kind == dialect.String {
		return nil, errUnsupported("COPY INTO a location (unloading)")
	}
	var err error
	if c.Table, err = p.name(); err != nil {
		return nil, err
	}
	if p.accept("(") {
		for {
			n, err := p.ident()
			if err != nil {
				return nil, err
			}
			c.Columns = append(c.Columns, n)
			if p.accept(")") {
				break
			}
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	if p.accept("(") {
		if err := p.expect("SELECT"); err != nil {
			return nil, err
		}
		c.Select = p.until("FROM")
		if err := p.expect("FROM"); err != nil {
			return nil, err
		}
		if err := p.stagePath(c); err != nil {
			return nil, err
		}
		p.accept("AS")
		if !p.word(0, ")") {
			if c.Alias, err = p.ident(); err != nil {
				return nil, err
			}
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	} else if err := p.stagePath(c); err != nil {
		return nil, err
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	return c, c.setOptions(opts)
}

func (c *copyDef) setOptions(opts options) error {
	var err error
	for _, k := range pipeRefuses {
		for _, o := range opts {
			if o.key == k {
				c.refused = append(c.refused, k)
			}
		}
	}
	if c.Format, err = takeFormat(&opts); err != nil {
		return err
	}
	if opts.takeString("PATTERN", &c.Pattern) {
		if _, err := regexp.Compile(c.Pattern); err != nil {
			return errInvalid("invalid PATTERN [%s]: %v", c.Pattern, err)
		}
	}
	if v, ok := opts.take("MATCH_BY_COLUMN_NAME"); ok {
		switch c.Match = strings.ToUpper(v.text); c.Match {
		case "NONE":
			c.Match = ""
		case "CASE_SENSITIVE", "CASE_INSENSITIVE":
		default:
			return errInvalid("invalid value [%s] for parameter 'MATCH_BY_COLUMN_NAME'", v.text)
		}
	}
	if c.Match != "" && (c.Select != "" || c.Columns != nil) {
		return compileError("001019", "42601", "MATCH_BY_COLUMN_NAME cannot be combined with a column list or a transformation")
	}
	if v, ok := opts.take("ON_ERROR"); ok {
		c.OnError = strings.ToUpper(v.text)
		if !reOnError.MatchString(c.OnError) {
			return errInvalid("invalid value [%s] for parameter 'ON_ERROR'", v.text)
		}
	}
	for key, dst := range map[string]*bool{"FORCE": &c.Force, "PURGE": &c.Purge, "TRUNCATECOLUMNS": &c.Trunc} {
		if err := opts.takeBool(key, dst); err != nil {
			return err
		}
	}
	if v, ok := opts.take("ENFORCE_LENGTH"); ok {
		b, err := v.bool("ENFORCE_LENGTH")
		if err != nil {
			return err
		}
		c.Trunc = !b
	}
	if v, ok := opts.take("FILES"); ok {
		for _, e := range v.list {
			c.Files = append(c.Files, e.text)
		}
	}
	if c.Purge {
		c.unsupported = append(c.unsupported, "PURGE")
	}
	for _, k := range []string{"SIZE_LIMIT", "RETURN_FAILED_ONLY", "VALIDATION_MODE", "LOAD_UNCERTAIN_FILES", "INCLUDE_METADATA", "FILE_PROCESSOR"} {
		if _, ok := opts.take(k); ok {
			c.unsupported = append(c.unsupported, k)
		}
	}
	return opts.refuseRest("COPY")
}

// stagePath reads @[db.][schema.]stage[/path].
func (p *parser) stagePath(c *copyDef) error {
	if err := p.expect("@"); err != nil {
		return err
	}
	if p.word(0, "%") || p.word(0, "~") {
		return errUnsupported("table and user stages")
	}
	var err error
	if c.Stage, err = p.name(); err != nil {
		return err
	}
	if !p.word(0, "/") {
		return nil
	}
	// The path ends at white space or at a closing parenthesis; its tokens touch each other.
	start, end := p.peek().Pos+1, p.peek().Pos
	for !p.done() && p.peek().Pos == end && !p.word(0, ")") && !p.word(0, ",") {
		end = p.peek().Pos + len(p.peek().Text)
		p.i++
	}
	c.Path = p.src[start:end]
	return nil
}
