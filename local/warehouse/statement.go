package warehouse

import (
	"context"

	"mkt/local/dialect"
)

// parseStatement reads one statement. Queries are left as text for the dialect.
func parseStatement(sql string) (statement, error) {
	p, err := newParser(sql)
	if err != nil {
		return nil, err
	}
	first := p.peek()
	verb := ""
	if first.Kind == dialect.Ident {
		verb = first.Value
	}
	switch {
	case verb == "SELECT", verb == "WITH", verb == "VALUES", first.Text == "(":
		return &selectStmt{text: p.rest()}, nil
	case p.accept("SHOW"):
		return parseShow(p)
	case p.accept("DESC"), p.accept("DESCRIBE"):
		return parseDescribe(p)
	case p.accept("CREATE"):
		return parseCreate(p)
	case p.accept("ALTER"):
		return parseAlter(p)
	case p.accept("DROP"):
		return parseDrop(p)
	case p.accept("USE"):
		return parseUse(p)
	case p.accept("COPY", "INTO"):
		return parseCopy(p)
	case p.accept("LIST"), p.accept("LS"):
		return parseList(p)
	case p.accept("INSERT"), p.accept("UPDATE"), p.accept("DELETE"):
		return parseDML(verb, p)
	case p.accept("TRUNCATE"):
		return parseTruncate(p)
	case p.accept("GRANT"), p.accept("REVOKE"):
		return parseGrant(p, verb == "REVOKE")
	case p.accept("EXECUTE", "TASK"):
		return parseExecuteTask(p)
	case p.accept("BEGIN"), p.accept("START", "TRANSACTION"):
		if !p.accept("TRANSACTION") {
			p.accept("WORK")
		}
		if p.accept("NAME") {
			if _, err := p.ident(); err != nil {
				return nil, err
			}
		}
		return txStmt("BEGIN"), p.end()
	case p.accept("COMMIT"), p.accept("ROLLBACK"):
		p.accept("WORK")
		return txStmt(verb), p.end()
	}
	switch verb {
	case "CALL", "COMMENT", "EXECUTE", "EXPLAIN", "GET", "MERGE", "PUT", "REMOVE", "RM", "SET", "UNDROP", "UNSET", "DECLARE", "IF", "FOR":
		return nil, errUnsupported("the statement %s", verb)
	}
	return nil, errSyntax(first)
}

// objectKind reads the words of a kind of object.
func (p *parser) objectKind() (kind, error) {
	switch {
	case p.accept("FILE", "FORMAT"):
		return kindFormat, nil
	case p.accept("DYNAMIC", "TABLE"):
		return kindDynamic, nil
	case p.accept("NOTIFICATION", "INTEGRATION"), p.accept("STORAGE", "INTEGRATION"), p.accept("INTEGRATION"):
		return kindIntegration, nil
	}
	for _, k := range []kind{kindDatabase, kindSchema, kindTable, kindView, kindStage, kindPipe, kindWarehouse, kindStream, kindTask} {
		if p.accept(string(k)) {
			return k, nil
		}
	}
	t := p.peek()
	if t.Kind == dialect.Ident {
		return "", errUnsupported("%s objects", t.Value)
	}
	return "", errSyntax(t)
}

// ddl runs a change for the session.
func (s *session) ddl(ctx context.Context, change func(*ddlTx) error) error {
	if err := s.endTx(ctx); err != nil {
		return err
	}
	return s.w.ddl(ctx, s, change)
}
