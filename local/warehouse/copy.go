package warehouse

import (
	"context"
	"regexp"
	"strconv"
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

	refused []string // options given that a pipe refuses
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
		return errUnsupported("PURGE")
	}
	for _, k := range []string{"SIZE_LIMIT", "RETURN_FAILED_ONLY", "VALIDATION_MODE", "LOAD_UNCERTAIN_FILES", "INCLUDE_METADATA", "FILE_PROCESSOR"} {
		if _, ok := opts.take(k); ok {
			for _, r := range c.refused {
				if r == k { // a pipe says so in Snowflake's own words
					return nil
				}
			}
			return errUnsupported("the COPY option %s", k)
		}
	}
	return opts.refuseRest("COPY")
}

// stagePath reads @[db.][schema.]stage[/path].
func (p *parser) stagePath(c *copyDef) error {
	if t := p.peek(); t.Kind == dialect.String && strings.HasPrefix(t.Value, "@") {
		in, err := newParser(t.Value)
		if err != nil {
			return err
		}
		p.i++
		if err := in.stagePath(c); err != nil {
			return err
		}
		return in.end()
	} else if t.Kind == dialect.String {
		return errUnsupported("COPY from a location that is no stage")
	}
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

// boundCopy is a copyDef whose names were looked up.
type boundCopy struct {
	def    *copyDef
	table  *object
	stage  *object
	format *formatDef
	onErr  string
	path   string // prefix of blob names in the container
}

// bindCopy looks up what a COPY names, unqualified names in db and schema.
func (s *session) bindCopy(c *copyDef, db, schema, onError string) (*boundCopy, error) {
	sc := scope{db: db, schema: schema}
	b := &boundCopy{def: c, onErr: orDefault(c.OnError, onError)}
	var err error
	if b.table, err = s.find(c.Table, sc, kindTable); err != nil {
		return nil, err
	}
	if b.table == nil {
		return nil, errNotFound(kindTable, c.Table.String())
	}
	if b.stage, err = s.find(c.Stage, sc, kindStage); err != nil {
		return nil, err
	}
	if b.stage == nil {
		return nil, errNotFound(kindStage, c.Stage.String())
	}
	ref, err := s.resolveFormat(c.Format, db, schema)
	if err != nil {
		return nil, err
	}
	if ref == nil {
		ref = b.stage.Stage.Format
	}
	if ref == nil {
		ref = &formatRef{Def: &formatDef{Type: "CSV"}}
	}
	if b.format = s.w.cat.format(ref); b.format == nil {
		return nil, errNotFound(kindFormat, ref.Name.String())
	}
	for _, n := range c.Columns {
		if _, err := b.table.Table.find(n); err != nil {
			return nil, err
		}
	}
	if c.Match != "" && b.format.Type == "CSV" && !b.format.flag("PARSE_HEADER") {
		return nil, compileError("001019", "42601", "MATCH_BY_COLUMN_NAME with CSV needs PARSE_HEADER = TRUE")
	}
	if c.Match == "" && c.Select == "" && b.format.Type != "CSV" {
		cols := c.Columns
		if cols == nil {
			cols = b.table.names()
		}
		if len(cols) != 1 || !b.table.Table.Columns[b.table.Table.index(cols[0])].Type.semi() {
			return nil, compileError("002019", "0A000", "%s file format can produce one and only one column of type variant, object, or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy with transformation.", b.format.Type)
		}
	}
	b.path = joinPath(b.stage, c.Path)
	return b, nil
}

// joinPath gives the prefix of blob names under a path of a stage.
func joinPath(stage *object, path string) string {
	_, _, base := stage.Stage.location()
	if base != "" && path != "" && !strings.HasSuffix(base, "/") {
		base += "/"
	}
	return base + path
}

// matches says whether a blob belongs to the COPY. The pattern must match the whole blob name, or the
// part after the stage's own path.
func (b *boundCopy) matches(blob string) bool {
	if !strings.HasPrefix(blob, b.path) {
		return false
	}
	if b.def.Pattern == "" {
		return true
	}
	re, err := regexp.Compile(`^(?:` + b.def.Pattern + `)$`)
	return err == nil && (re.MatchString(blob) || re.MatchString(b.relative(blob)))
}

// relative gives the blob name after the stage's path, as load history shows it.
func (b *boundCopy) relative(blob string) string {
	_, _, base := b.stage.Stage.location()
	return strings.TrimPrefix(strings.TrimPrefix(blob, base), "/")
}

type copyStmt struct{ def *copyDef }

func parseCopy(p *parser) (statement, error) {
	c, err := p.copyDef()
	if err != nil {
		return nil, err
	}
	return &copyStmt{c}, p.end()
}

var copyColumns = []string{"file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error", "first_error_line", "first_error_character", "first_error_column_name"}

func (st *copyStmt) run(ctx context.Context, s *session) (*result, error) {
	b, err := s.bindCopy(st.def, s.db, s.schema, "ABORT_STATEMENT")
	if err != nil {
		return nil, err
	}
	if s.inTx {
		return nil, errUnsupported("COPY INTO inside a transaction")
	}
	blobs, err := s.w.listBlobs(ctx, b.stage, b.path)
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	if !b.def.Force {
		if seen, err = s.w.copiedFiles(ctx, b.table.ID); err != nil {
			return nil, err
		}
	}
	var todo []blobInfo
	for _, f := range blobs {
		if b.def.Files != nil && !contains(b.def.Files, b.relative(f.Name), strings.TrimPrefix(strings.TrimPrefix(f.Name, b.path), "/")) {
			continue
		}
		if b.matches(f.Name) && seen[b.stage.blobURL(f.Name)] != f.ETag {
			todo = append(todo, f)
		}
	}
	if len(todo) == 0 {
		return textResult(typeCopy, "status", "Copy executed with 0 files processed."), nil
	}
	loads, err := s.w.copyFiles(ctx, b, todo)
	if err != nil {
		return nil, err
	}
	t := newTable(copyColumns...)
	for i := 2; i < 6; i++ {
		t.cols[i] = numberColumn(copyColumns[i])
	}
	for _, l := range loads {
		first := make([]any, 4)
		if l.first != nil {
			first = []any{l.first.message, l.first.line, l.first.char, l.first.column}
		}
		t.add(append([]any{b.stage.blobURL(l.file.Name), strings.ToUpper(strings.ReplaceAll(l.status, " ", "_")), l.parsed, l.loaded, l.limit, l.errors}, first...)...)
	}
	r := t.result()
	r.typeID = typeCopy
	return r, nil
}

func contains(list []string, any ...string) bool {
	for _, s := range list {
		for _, a := range any {
			if s == a {
				return true
			}
		}
	}
	return false
}

// errorLimit gives the number of errors at which a file is dropped; for the two that have no limit, the
// number of rows plus one. whole says whether one error drops the file.
func errorLimit(onError string, rows int64) int64 {
	rest, ok := strings.CutPrefix(onError, "SKIP_FILE")
	switch {
	case onError == "CONTINUE":
		return rows + 1
	case !ok || rest == "":
		return 1
	}
	if pct, ok := strings.CutSuffix(rest[1:], "%"); ok {
		n, _ := strconv.ParseInt(pct, 10, 64)
		return max(1, rows*n/100+1)
	}
	n, _ := strconv.ParseInt(rest[1:], 10, 64)
	return max(1, n)
}

type listStmt struct{ def copyDef }

func parseList(p *parser) (statement, error) {
	st := &listStmt{}
	if err := p.stagePath(&st.def); err != nil {
		return nil, err
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("PATTERN", &st.def.Pattern)
	if err := opts.refuseRest("LIST"); err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *listStmt) columns() []column { return newTable("name", "size", "md5", "last_modified").cols }

func (st *listStmt) run(ctx context.Context, s *session) (*result, error) {
	o, err := s.mustFind(st.def.Stage, kindStage)
	if err != nil {
		return nil, err
	}
	b := &boundCopy{def: &st.def, stage: o, path: joinPath(o, st.def.Path)}
	blobs, err := s.w.listBlobs(ctx, o, b.path)
	if err != nil {
		return nil, err
	}
	t := newTable("name", "size", "md5", "last_modified")
	t.cols[1] = numberColumn("size")
	for _, f := range blobs {
		if b.matches(f.Name) {
			t.add(o.blobURL(f.Name), f.Size, f.MD5, f.Modified.UTC().Format("Mon, 2 Jan 2006 15:04:05 GMT"))
		}
	}
	return t.result(), nil
}
