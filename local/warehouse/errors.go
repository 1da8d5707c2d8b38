package warehouse

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mkt/local/dialect"
)

// sqlError is an error as a Snowflake client sees it: a six-digit code and an SQLSTATE.
type sqlError struct {
	Code  string
	State string
	Msg   string
}

func (e *sqlError) Error() string { return e.Code + " (" + e.State + "): " + e.Msg }

func compileError(code, state, format string, args ...any) *sqlError {
	return &sqlError{Code: code, State: state, Msg: "SQL compilation error:\n" + fmt.Sprintf(format, args...)}
}

func errNotFound(kind kind, name string) *sqlError {
	return compileError("002003", "02000", "%s '%s' does not exist or not authorized.", kind.title(), name)
}

func errObjectNotFound(name string) *sqlError {
	return compileError("002003", "42S02", "Object '%s' does not exist or not authorized.", name)
}

func errExists(name string) *sqlError {
	return compileError("002002", "42710", "Object '%s' already exists.", name)
}

func errUnsupported(format string, args ...any) *sqlError {
	return &sqlError{Code: "000002", State: "0A000", Msg: "Unsupported feature: the embedded warehouse does not support " + fmt.Sprintf(format, args...) + "."}
}

func errInvalid(format string, args ...any) *sqlError {
	return compileError("001008", "22023", format, args...)
}

func errSyntax(t dialect.Token) *sqlError {
	what := t.Text
	switch {
	case t.Line == 0:
		what = "<EOF>"
	case t.Kind == dialect.String:
		what = "a string" // it may be a secret
	}
	return compileError("001003", "42000", "syntax error line %d at position %d unexpected '%s'.", t.Line, max(t.Col-1, 0), what)
}

func errNoDatabase() *sqlError {
	return &sqlError{Code: "090105", State: "22000", Msg: "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name."}
}

func errNoSchema() *sqlError {
	return &sqlError{Code: "090106", State: "22000", Msg: "Cannot perform operation. This session does not have a current schema. Call 'USE SCHEMA', or use a qualified name."}
}

var (
	reColumn   = regexp.MustCompile(`(?:Referenced column|Table|Referenced table) "([^"]+)"`)
	rePhysical = regexp.MustCompile(`(?:\bdata\.)?"?\bt\d+\b"?`)
	reDropped  = regexp.MustCompile(`^Catalog Error: Table with name t\d+ does not exist`)
)

// mapError turns any error of a statement into one with a Snowflake code.
func mapError(err error) *sqlError {
	if se, ok := errors.AsType[*sqlError](err); ok {
		return se
	}
	if un, ok := errors.AsType[*dialect.Unsupported](err); ok {
		return errUnsupported("%s (line %d, position %d)", un.What, un.Line, max(un.Col-1, 0))
	}
	if sy, ok := errors.AsType[*dialect.SyntaxError](err); ok {
		return compileError("001003", "42000", "%s", sy.Error())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || strings.HasPrefix(err.Error(), "INTERRUPT") {
		return &sqlError{Code: "000604", State: "57014", Msg: "SQL execution canceled"}
	}
	msg := err.Error()
	switch {
	case strings.HasPrefix(msg, "Binder Error"):
		if m := reColumn.FindStringSubmatch(msg); m != nil {
			return compileError("000904", "42000", "invalid identifier '%s'", m[1])
		}
		return compileError("001044", "42P13", "%s", strings.TrimPrefix(msg, "Binder Error: "))
	case strings.HasPrefix(msg, "Conversion Error"):
		return &sqlError{Code: "100038", State: "22018", Msg: strings.TrimPrefix(msg, "Conversion Error: ")}
	case strings.HasPrefix(msg, "Invalid Input Error: "+checkMark):
		return checkError(strings.TrimPrefix(msg, "Invalid Input Error: "+checkMark))
	case strings.HasPrefix(msg, "Invalid Input Error: "+dialect.UnsupportedMark):
		return errUnsupported("%s", strings.TrimPrefix(msg, "Invalid Input Error: "+dialect.UnsupportedMark))
	case strings.HasSuffix(msg, "Division by zero"):
		return &sqlError{Code: "100051", State: "22012", Msg: "Division by zero"}
	case strings.HasPrefix(msg, "Out of Range Error"), strings.HasPrefix(msg, "Invalid Input Error"):
		return &sqlError{Code: "100039", State: "22003", Msg: msg}
	case strings.HasPrefix(msg, "Not implemented Error"):
		return errUnsupported("%s", strings.TrimPrefix(msg, "Not implemented Error: "))
	}
	return &sqlError{Code: "000603", State: "XX000", Msg: "SQL execution internal error: " + rePhysical.ReplaceAllString(msg, "table")}
}

// conflict says whether DuckDB refused a transaction because another one got there first.
func conflict(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "onflict") && strings.Contains(err.Error(), "TransactionContext"))
}

// dropped says whether a table that a statement was compiled for was dropped or replaced before it ran.
func dropped(err error) bool { return err != nil && reDropped.MatchString(err.Error()) }
