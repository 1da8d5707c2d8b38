package warehouse

import (
	"context"
	"net/url"
	"strings"
)

type describeStmt struct {
	kind kind
	name objName
}

func parseDescribe(p *parser) (statement, error) {
	st := &describeStmt{}
	var err error
	if st.kind, err = p.objectKind(); err != nil {
		return nil, err
	}
	if st.kind == kindDatabase || st.kind == kindSchema || st.kind == kindWarehouse {
		return nil, errUnsupported("DESCRIBE %s", st.kind)
	}
	if st.name, err = p.name(); err != nil {
		return nil, err
	}
	p.accept("TYPE", "=", "COLUMNS")
	return st, p.end()
}

var (
	columnProps   = []string{"name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment", "policy name", "privacy domain"}
	propertyTable = []string{"property", "property_type", "property_value", "property_default"}
)

func (st *describeStmt) columns() []column {
	switch st.kind {
	case kindTable, kindView, kindDynamic:
		return newTable(columnProps...).cols
	case kindStage:
		return newTable(append([]string{"parent_property"}, propertyTable...)...).cols
	case kindFormat, kindIntegration:
		return newTable(propertyTable...).cols
	}
	return newTable(showColumns[st.kind]...).cols
}

func (st *describeStmt) run(ctx context.Context, s *session) (*result, error) {
	kinds := []kind{st.kind}
	if st.kind == kindTable {
		kinds = append(kinds, kindView, kindDynamic)
	}
	o, err := s.mustFind(st.name, kinds...)
	if err != nil {
		return nil, err
	}
	t := &table{cols: st.columns()}
	switch o.Kind {
	case kindTable, kindView, kindDynamic:
		for _, c := range o.columns() {
			t.add(c.Name, c.Type.String(), "COLUMN", flagYN(!c.NotNull), null(c.Default), flagYN(c.Primary), flagYN(c.Unique), nil, nil, null(c.Comment), nil, nil)
		}
	case kindStage:
		t.stage(o)
	case kindFormat:
		t.add("TYPE", "String", o.Format.Type, "CSV")
		for _, p := range formatProps[o.Format.Type] {
			t.add(p.name, p.typ, o.Format.shown(p), p.def)
		}
	case kindIntegration:
		t.integration(o)
	case kindPipe, kindStream, kindTask:
		t.add(s.showRow(o, [2]int64{})...)
	}
	return t.result(), nil
}

func (t *table) stage(o *object) {
	def := &formatDef{Type: "CSV"}
	if ref := o.Stage.Format; ref != nil {
		if ref.Def != nil {
			def = ref.Def
		} else {
			def = nil
			t.add("STAGE_FILE_FORMAT", "FORMAT_NAME", "String", quotedName(ref.Name), "")
		}
	}
	if def != nil {
		t.add("STAGE_FILE_FORMAT", "TYPE", "String", def.Type, "CSV")
		for _, p := range formatProps[def.Type] {
			t.add("STAGE_FILE_FORMAT", p.name, p.typ, def.shown(p), p.def)
		}
	}
	t.add("STAGE_COPY_OPTIONS", "ON_ERROR", "String", "ABORT_STATEMENT", "ABORT_STATEMENT")
	t.add("STAGE_COPY_OPTIONS", "SIZE_LIMIT", "Long", "", "")
	for _, k := range []string{"PURGE", "RETURN_FAILED_ONLY", "ENFORCE_LENGTH", "TRUNCATECOLUMNS", "FORCE"} {
		v := "false"
		if k == "ENFORCE_LENGTH" {
			v = "true"
		}
		t.add("STAGE_COPY_OPTIONS", k, "Boolean", v, v)
	}
	t.add("STAGE_LOCATION", "URL", "String", `["`+o.Stage.URL+`"]`, "")
	if o.Stage.Integration != "" {
		t.add("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", o.Stage.Integration, "")
	} else {
		t.add("STAGE_CREDENTIALS", "AZURE_SAS_TOKEN", "String", "", "") // the token is never shown
	}
	t.add("DIRECTORY", "ENABLE", "Boolean", "false", "false")
	t.add("DIRECTORY", "AUTO_REFRESH", "Boolean", "false", "false")
}

func (t *table) integration(o *object) {
	in := o.Integration
	app := strings.ToLower(o.Name) + "_snowflake_local"
	consent := "https://login.microsoftonline.com/" + url.PathEscape(in.Tenant) + "/oauth2/authorize?client_id=00000000-0000-0000-0000-000000000000&response_type=code"
	t.add("ENABLED", "Boolean", in.Enabled, "false")
	switch in.Direction {
	case "":
		t.add("STORAGE_PROVIDER", "String", "AZURE", "")
		t.add("STORAGE_ALLOWED_LOCATIONS", "List", strings.Join(in.Allowed, ","), "[]")
		t.add("STORAGE_BLOCKED_LOCATIONS", "List", strings.Join(in.Blocked, ","), "[]")
	case "OUTBOUND":
		t.add("DIRECTION", "String", in.Direction, "INBOUND")
		t.add("NOTIFICATION_PROVIDER", "String", "AZURE_EVENT_GRID", "")
		t.add("AZURE_EVENT_GRID_TOPIC_ENDPOINT", "String", in.Topic, "")
	default:
		t.add("DIRECTION", "String", in.Direction, "INBOUND")
		t.add("NOTIFICATION_PROVIDER", "String", "AZURE_STORAGE_QUEUE", "")
		t.add("AZURE_STORAGE_QUEUE_PRIMARY_URI", "String", in.QueueURI, "")
	}
	t.add("AZURE_TENANT_ID", "String", in.Tenant, "")
	t.add("AZURE_CONSENT_URL", "String", consent, "")
	t.add("AZURE_MULTI_TENANT_APP_NAME", "String", app, "")
	t.add("COMMENT", "String", o.Comment, "")
}
