package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"mkt/local/dialect"
)

// showStmt is SHOW [TERSE] <kind>S [LIKE 'p'] [IN …] [STARTS WITH 'p'] [LIMIT n [FROM 'name']].
type showStmt struct {
	kind   kind
	sub    string // NOTIFICATION or STORAGE for integrations, PARAMETERS, COLUMNS
	like   string
	hasPat bool
	in     kind // "", ACCOUNT, DATABASE, SCHEMA
	name   objName
	starts string
	limit  int
	from   string
}

const kindAccount kind = "ACCOUNT"

var showKinds = map[string]kind{
	"DATABASES": kindDatabase, "SCHEMAS": kindSchema, "TABLES": kindTable, "VIEWS": kindView, "STAGES": kindStage, "PIPES": kindPipe,
	"WAREHOUSES": kindWarehouse, "INTEGRATIONS": kindIntegration, "STREAMS": kindStream, "TASKS": kindTask, "PARAMETERS": "PARAMETER",
}

func parseShow(p *parser) (statement, error) {
	if p.accept("GRANTS") {
		return parseShowGrants(p)
	}
	st := &showStmt{limit: -1}
	p.accept("TERSE")
	t := p.peek()
	switch {
	case p.accept("FILE", "FORMATS"):
		st.kind = kindFormat
	case p.accept("DYNAMIC", "TABLES"):
		st.kind = kindDynamic
	case p.accept("NOTIFICATION", "INTEGRATIONS"), p.accept("STORAGE", "INTEGRATIONS"):
		st.kind, st.sub = kindIntegration, t.Value
	default:
		k, ok := showKinds[t.Value]
		if t.Kind != dialect.Ident {
			return nil, errSyntax(t)
		}
		if !ok {
			return nil, errUnsupported("SHOW %s", t.Value)
		}
		p.i++
		st.kind = k
	}
	p.accept("HISTORY")
	var err error
	if p.accept("LIKE") {
		st.hasPat = true
		if st.like, err = p.str(); err != nil {
			return nil, err
		}
	}
	if p.accept("IN") {
		switch {
		case p.accept("ACCOUNT"):
			st.in = kindAccount
		case p.accept("SESSION"):
			st.in = kindAccount
		default:
			for _, k := range []kind{kindDatabase, kindSchema} {
				if p.accept(string(k)) {
					st.in = k
				}
			}
			if st.in != "" && (p.done() || p.word(0, "STARTS") || p.word(0, "LIMIT")) {
				break // the current one
			}
			if st.name, err = p.name(); err != nil {
				return nil, err
			}
			if st.in == "" { // IN x: a database for schemas, else a schema
				st.in = kindSchema
				if st.kind == kindSchema {
					st.in = kindDatabase
				}
			}
		}
	}
	if p.accept("STARTS", "WITH") {
		if st.starts, err = p.str(); err != nil {
			return nil, err
		}
	}
	if p.accept("LIMIT") {
		if st.limit, err = p.integer(); err != nil {
			return nil, err
		}
		if p.accept("FROM") {
			if st.from, err = p.str(); err != nil {
				return nil, err
			}
		}
	}
	return st, p.end()
}

var showColumns = map[kind][]string{
	kindDatabase: {"created_on", "name", "is_default", "is_current", "origin", "owner", "comment", "options", "retention_time", "kind", "owner_role_type"},
	kindSchema:   {"created_on", "name", "is_default", "is_current", "database_name", "owner", "comment", "options", "retention_time", "owner_role_type"},
	kindTable: {"created_on", "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner", "retention_time",
		"automatic_clustering", "change_tracking", "is_external", "enable_schema_evolution", "owner_role_type", "is_event", "is_hybrid", "is_iceberg", "is_dynamic", "is_immutable"},
	kindView: {"created_on", "name", "kind", "reserved", "database_name", "schema_name", "owner", "comment", "text", "is_secure", "is_materialized", "owner_role_type", "change_tracking"},
	kindStage: {"created_on", "name", "database_name", "schema_name", "url", "has_credentials", "has_encryption_key", "owner", "comment", "region", "type", "cloud",
		"notification_channel", "storage_integration", "endpoint", "owner_role_type", "directory_enabled"},
	kindFormat: {"created_on", "name", "database_name", "schema_name", "type", "owner", "comment", "owner_role_type", "format_options"},
	kindPipe: {"created_on", "name", "database_name", "schema_name", "definition", "owner", "notification_channel", "comment", "integration", "pattern",
		"error_integration", "owner_role_type", "invalid_reason", "is_snowflake_managed"},
	kindWarehouse: {"name", "state", "type", "size", "min_cluster_count", "max_cluster_count", "started_clusters", "running", "queued", "is_default", "is_current",
		"auto_suspend", "auto_resume", "available", "provisioning", "quiescing", "other", "created_on", "resumed_on", "updated_on", "owner", "comment",
		"enable_query_acceleration", "query_acceleration_max_scale_factor", "resource_monitor", "scaling_policy", "owner_role_type"},
	kindDynamic: {"created_on", "name", "database_name", "schema_name", "cluster_by", "rows", "bytes", "owner", "target_lag", "refresh_mode", "refresh_mode_reason", "warehouse",
		"comment", "text", "automatic_clustering", "scheduling_state", "last_suspended_on", "is_clone", "is_replica", "is_iceberg", "data_timestamp", "owner_role_type"},
	kindStream: {"created_on", "name", "database_name", "schema_name", "owner", "comment", "table_name", "source_type", "base_tables", "type", "stale", "mode", "stale_after",
		"invalid_reason", "owner_role_type"},
	kindTask: {"created_on", "name", "id", "database_name", "schema_name", "owner", "comment", "warehouse", "schedule", "predecessors", "state", "definition", "condition",
		"allow_overlapping_execution", "error_integration", "last_committed_on", "last_suspended_on", "owner_role_type", "config", "budget", "task_relations", "last_suspended_reason"},
	kindIntegration: {"name", "type", "category", "enabled", "comment", "created_on"},
	"PARAMETER":     {"key", "value", "default", "level", "description", "type"},
}

func (st *showStmt) columns() []column { return newTable(showColumns[st.kind]...).cols }

// likePattern turns a LIKE pattern into an expression; SHOW compares without case.
func likePattern(like string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?is)^`)
	for i := 0; i < len(like); i++ {
		switch c := like[i]; {
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		case c == '\\' && i+1 < len(like):
			i++
			b.WriteString(regexp.QuoteMeta(like[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(like[i : i+1]))
		}
	}
	return regexp.MustCompile(b.String() + "$")
}

// scopeOf gives the database and schema that SHOW looks into; empty means all.
func (st *showStmt) scopeOf(s *session) (db, schema string, err error) {
	level := st.kind.level()
	if level == 1 {
		return "", "", nil
	}
	in := st.in
	if in == "" { // the current schema, else the current database, else the account
		if level == 2 || s.schema == "" {
			return s.db, "", nil
		}
		return s.db, s.schema, nil
	}
	if in == kindAccount {
		return "", "", nil
	}
	missing := func(k kind, n string) error {
		return &sqlError{Code: "002043", State: "02000", Msg: fmt.Sprintf("SQL compilation error:\nObject does not exist, or operation cannot be performed: %s %s.", k.title(), n)}
	}
	if in == kindDatabase {
		db = s.db
		if st.name != nil {
			if len(st.name) > 1 {
				return "", "", missing(in, st.name.String())
			}
			db = st.name[0]
		}
		if db == "" {
			return "", "", errNoDatabase()
		}
		if s.w.cat.get(keyOf(kindDatabase, "", "", db)) == nil {
			return "", "", missing(in, db)
		}
		return db, "", nil
	}
	n := st.name
	if n == nil {
		if s.schema == "" {
			return "", "", errNoSchema()
		}
		n = objName{s.db, s.schema}
	}
	o, err := s.find(n, s.scope(), kindSchema)
	if err != nil {
		return "", "", err
	}
	if o == nil {
		return "", "", missing(kindSchema, n.String())
	}
	return o.DB, o.Name, nil
}

func (st *showStmt) run(ctx context.Context, s *session) (*result, error) {
	t := newTable(showColumns[st.kind]...)
	if st.kind == "PARAMETER" {
		return st.showParameters(s, t)
	}
	db, schema, err := st.scopeOf(s)
	if err != nil {
		return nil, err
	}
	var pat *regexp.Regexp
	if st.hasPat {
		pat = likePattern(st.like)
	}
	list := s.w.cat.list(st.kind, func(o *object) bool {
		switch {
		case db != "" && o.DB != db, schema != "" && o.Schema != schema:
			return false
		case pat != nil && !pat.MatchString(o.Name), !strings.HasPrefix(o.Name, st.starts), st.from != "" && o.Name <= st.from:
			return false
		case st.sub == "NOTIFICATION" && o.Integration.Direction == "", st.sub == "STORAGE" && o.Integration.Direction != "":
			return false
		}
		return true
	})
	if st.limit >= 0 && len(list) > st.limit {
		list = list[:st.limit]
	}
	sizes := map[int64][2]int64{}
	if st.kind == kindTable {
		if sizes, err = s.w.tableSizes(ctx, list); err != nil {
			return nil, err
		}
	}
	for _, o := range list {
		t.add(s.showRow(o, sizes[o.ID])...)
	}
	return t.result(), nil
}

func (st *showStmt) showParameters(s *session, t *table) (*result, error) {
	known := map[string]string{"TIMEZONE": "UTC", "QUOTED_IDENTIFIERS_IGNORE_CASE": "false", "AUTOCOMMIT": "true", "MULTI_STATEMENT_COUNT": "1"}
	keys := []string{"AUTOCOMMIT", "MULTI_STATEMENT_COUNT", "QUOTED_IDENTIFIERS_IGNORE_CASE", "TIMEZONE"}
	for _, k := range keys {
		if st.hasPat && !likePattern(st.like).MatchString(k) {
			continue
		}
		level := ""
		if _, ok := s.params[k]; ok {
			level = "SESSION"
		}
		t.add(k, cmp.Or(s.params[k], known[k]), known[k], level, "", "STRING")
	}
	return t.result(), nil
}
