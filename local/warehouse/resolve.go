package warehouse

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"mkt/local/dialect"
)

const maxViewDepth = 32

// scope is where unqualified names are looked up.
type scope struct {
	db, schema string
	depth      int               // of views within views
	named      map[string]string // relations that stand for table functions, as DuckDB SQL
}

func (s *session) scope() scope { return scope{db: s.db, schema: s.schema, named: map[string]string{}} }

// compile turns a Snowflake query into DuckDB SQL over physical tables.
//
// The dialect's text still names tables as the user does. DuckDB's own parser tells where each table and
// column reference begins, and the names there are replaced in the text, so nothing else of it changes.
func (s *session) compile(ctx context.Context, query string, sc scope) (string, error) {
	duck, _, err := s.compileDeclared(ctx, query, sc)
	return duck, err
}

// compileDeclared is compile that also gives the declared types of the query's columns, as resolver.declared does.
func (s *session) compileDeclared(ctx context.Context, query string, sc scope) (string, []dataType, error) {
	query, err := s.replaceFunctions(ctx, query, sc)
	if err != nil {
		return "", nil, err
	}
	duck, err := dialect.Rewrite(query)
	if err != nil {
		return "", nil, err
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return "", nil, err
	}
	return s.resolve(ctx, conn, duck, sc)
}

func (s *session) resolve(ctx context.Context, conn *sql.Conn, duck string, sc scope) (string, []dataType, error) {
	var tree string
	if err := conn.QueryRowContext(ctx, `SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR`, duck).Scan(&tree); err != nil {
		return "", nil, err
	}
	dec := json.NewDecoder(strings.NewReader(tree))
	dec.UseNumber()
	var ast struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Type       string `json:"error_type"`
		Statements []any  `json:"statements"`
	}
	if err := dec.Decode(&ast); err != nil {
		return "", nil, err
	}
	if ast.Error {
		if ast.Type == "parser" {
			return "", nil, compileError("001003", "42000", "%s", ast.Message)
		}
		return "", nil, errUnsupported("this query (%s)", ast.Message)
	}
	if len(ast.Statements) != 1 {
		return "", nil, compileError("001003", "42000", "one query expected, %d found", len(ast.Statements))
	}
	r := &resolver{ctx: ctx, s: s, sc: sc, text: duck}
	if err := r.walk(ast.Statements[0], nil); err != nil {
		return "", nil, err
	}
	return r.apply(), r.declared(ast.Statements[0]), nil
}

type splice struct {
	start, end int
	text       string
}

type resolver struct {
	ctx     context.Context
	s       *session
	sc      scope
	text    string
	splices []splice
}

func (r *resolver) apply() string {
	sort.Slice(r.splices, func(i, j int) bool { return r.splices[i].start < r.splices[j].start })
	var b strings.Builder
	pos := 0
	for _, sp := range r.splices {
		if sp.start < pos { // the same reference, seen twice in the tree
			continue
		}
		b.WriteString(r.text[pos:sp.start])
		b.WriteString(sp.text)
		pos = sp.end
	}
	b.WriteString(r.text[pos:])
	return b.String()
}

// tableFunctions are the DuckDB table functions a query may reach; the others read files or internals.
var tableFunctions = map[string]bool{
	"unnest": true, "range": true, "generate_series": true, "json_each": true, "json_tree": true, "repeat": true, "repeat_row": true,
}

func (r *resolver) walk(node any, ctes map[string]bool) error {
	switch n := node.(type) {
	case []any:
		for _, c := range n {
			if err := r.walk(c, ctes); err != nil {
				return err
			}
		}
	case map[string]any:
		if m, ok := n["cte_map"].(map[string]any); ok {
			ctes = maps.Clone(ctes)
			if ctes == nil {
				ctes = map[string]bool{}
			}
			list, _ := m["map"].([]any)
			for _, e := range list {
				entry, _ := e.(map[string]any)
				name, _ := entry["key"].(string)
				if recursive(entry["value"]) {
					ctes[name] = true
				}
				if err := r.walk(entry["value"], ctes); err != nil {
					return err
				}
				ctes[name] = true
			}
		}
		switch n["type"] {
		case "BASE_TABLE":
			return r.table(n, ctes)
		case "COLUMN_REF":
			return r.column(n)
		case "TABLE_FUNCTION":
			if f, ok := n["function"].(map[string]any); ok {
				if name := fmt.Sprint(f["function_name"]); !tableFunctions[strings.ToLower(name)] && !strings.HasPrefix(strings.ToLower(name), "sf_") {
					return errUnsupported("the table function %s", strings.ToUpper(name))
				}
			}
		}
		for k, c := range n {
			if k == "cte_map" {
				continue
			}
			if err := r.walk(c, ctes); err != nil {
				return err
			}
		}
	}
	return nil
}

func recursive(cte any) bool {
	v, _ := cte.(map[string]any)
	q, _ := v["query"].(map[string]any)
	n, _ := q["node"].(map[string]any)
	return n["type"] == "RECURSIVE_CTE_NODE"
}

// position gives the range of the dotted name that a node refers to.
func (r *resolver) position(n map[string]any) (start, end int, err error) {
	loc, _ := n["query_location"].(json.Number)
	at, e := loc.Int64()
	if e != nil || at < 0 || int(at) >= len(r.text) {
		return 0, 0, errors.New("a reference without a position in the query")
	}
	start = int(at)
	end = nameEnd(r.text, start)
	if end == start {
		return 0, 0, fmt.Errorf("no name at position %d of the query", start)
	}
	return start, end, nil
}

// nameEnd gives the end of the dotted identifier that begins at i.
func nameEnd(s string, i int) int {
	for {
		begin := i
		if i < len(s) && s[i] == '"' {
			for i++; i < len(s); i++ {
				if s[i] == '"' {
					if i+1 < len(s) && s[i+1] == '"' {
						i++
						continue
					}
					break
				}
			}
			i = min(i+1, len(s))
		} else {
			for i < len(s) && (s[i] == '_' || s[i] == '$' || s[i] >= 0x80 || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] >= '0' && s[i] <= '9') {
				i++
			}
		}
		if i == begin {
			return i
		}
		j := i
		for j < len(s) && (s[j] == ' ' || s[j] == '\n' || s[j] == '\t' || s[j] == '\r') {
			j++
		}
		if j >= len(s) || s[j] != '.' {
			return i
		}
		j++
		for j < len(s) && (s[j] == ' ' || s[j] == '\n' || s[j] == '\t' || s[j] == '\r') {
			j++
		}
		i = j
	}
}

func (r *resolver) table(n map[string]any, ctes map[string]bool) error {
	str := func(k string) string { s, _ := n[k].(string); return s }
	cat, schema, name, alias := str("catalog_name"), str("schema_name"), str("table_name"), str("alias")
	if cat == "" && schema == "" && ctes[name] {
		return nil
	}
	if n["at_clause"] != nil {
		return errUnsupported("time travel")
	}
	start, end, err := r.position(n)
	if err != nil {
		return err
	}
	var rel string
	var written objName
	for _, p := range []string{cat, schema, name} {
		if p != "" {
			written = append(written, p)
		}
	}
	if named, ok := r.sc.named[name]; ok && len(written) == 1 {
		rel = named
	} else if schema == "INFORMATION_SCHEMA" {
		if rel, err = r.s.informationSchema(cmp.Or(cat, r.sc.db), name); err != nil {
			return err
		}
	} else {
		o, err := r.s.find(written, r.sc, kindTable, kindView, kindDynamic)
		if err != nil {
			return err
		}
		if o == nil {
			if stream, _ := r.s.find(written, r.sc, kindStream); stream != nil {
				return errUnsupported("reading a stream (%s)", stream.full())
			}
			return errObjectNotFound(written.String())
		}
		if tz := r.s.timezone(); o.Table != nil && tz != "UTC" && slices.ContainsFunc(o.Table.Columns, func(c tableColumn) bool { return c.Type.Base == "TIMESTAMP_TZ" }) {
			return errUnsupported("reading columns of TIMESTAMP_TZ, as %s has, in a session whose TIMEZONE is %s and not UTC", o.full(), tz)
		}
		rel = o.physical()
		if o.View != nil {
			if r.sc.depth >= maxViewDepth {
				return compileError("001790", "42601", "view %s is nested too deeply", o.full())
			}
			body, err := r.s.compile(r.ctx, o.View.Text, scope{db: o.DB, schema: o.Schema, depth: r.sc.depth + 1, named: map[string]string{}})
			if err != nil {
				return err
			}
			rel = "(" + body + ")"
			if len(o.View.Names) > 0 {
				rel = "(SELECT * FROM (" + body + ") AS v(" + quoteAll(o.View.Names) + "))"
			}
		}
	}
	if alias == "" {
		rel += " AS " + dialect.Quote(name)
	}
	r.splices = append(r.splices, splice{start, end, rel})
	return nil
}

// column shortens a column reference that names the schema too: the table has an alias by now.
func (r *resolver) column(n map[string]any) error {
	names, _ := n["column_names"].([]any)
	if len(names) < 3 {
		return nil
	}
	start, end, err := r.position(n)
	if err != nil {
		return nil //nolint:nilerr // without a place in the text there is nothing to shorten
	}
	last := make([]string, 0, 2)
	for _, p := range names[len(names)-2:] {
		last = append(last, dialect.Quote(fmt.Sprint(p)))
	}
	r.splices = append(r.splices, splice{start, end, strings.Join(last, ".")})
	return nil
}

func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = dialect.Quote(n)
	}
	return strings.Join(q, ", ")
}

// qualify completes a name with the current database and schema.
func qualify(n objName, k kind, db, schema string) (key, error) {
	level := k.level()
	if len(n) > level {
		return key{}, compileError("001003", "42000", "a %s name has at most %d parts: %s", strings.ToLower(string(k)), level, n)
	}
	switch level {
	case 1:
		return keyOf(k, "", "", n[0]), nil
	case 2:
		if len(n) == 2 {
			db = n[0]
		}
		if db == "" {
			return key{}, errNoDatabase()
		}
		return keyOf(k, db, "", n.last()), nil
	}
	if len(n) == 3 {
		db = n[0]
	}
	if len(n) >= 2 {
		schema = n[len(n)-2]
	}
	if db == "" {
		return key{}, errNoDatabase()
	}
	if schema == "" {
		return key{}, errNoSchema()
	}
	return keyOf(k, db, schema, n.last()), nil
}

// find looks an object of one of the kinds up, which share a name space; nil if there is none.
func (s *session) find(n objName, sc scope, kinds ...kind) (*object, error) {
	k, err := qualify(n, kinds[0], sc.db, sc.schema)
	if err != nil {
		return nil, err
	}
	o := s.w.cat.get(k)
	for _, want := range kinds {
		if o != nil && o.Kind == want {
			return o, nil
		}
	}
	return nil, nil
}

// mustFind is find with the error of a missing object.
func (s *session) mustFind(n objName, kinds ...kind) (*object, error) {
	o, err := s.find(n, s.scope(), kinds...)
	if err == nil && o == nil {
		err = errNotFound(kinds[0], n.String())
	}
	return o, err
}
