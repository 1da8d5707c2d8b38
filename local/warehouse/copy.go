package warehouse

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// boundCopy is a copyDef whose names were looked up.
type boundCopy struct {
	w      *Warehouse
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
	if len(c.unsupported) > 0 {
		return nil, errUnsupported("the COPY option %s", c.unsupported[0])
	}
	b := &boundCopy{w: s.w, def: c, onErr: cmp.Or(c.OnError, onError)}
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
		if b.def.Files != nil && !slices.Contains(b.def.Files, b.relative(f.Name)) && !slices.Contains(b.def.Files, strings.TrimPrefix(strings.TrimPrefix(f.Name, b.path), "/")) {
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
