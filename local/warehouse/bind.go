package warehouse

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mkt/local/dialect"
)

// bind puts the bound values into the text as literals, so that everything after it deals with one form.
// A binding with a list of values repeats the row of an INSERT … VALUES. With describe, what is not bound is NULL: a
// statement may be described before its values are known.
func bind(sql string, binds map[string]binding, describe bool) (string, error) {
	if len(binds) == 0 && !strings.Contains(sql, "?") {
		return sql, nil
	}
	toks, err := dialect.Tokens(sql)
	if err != nil {
		return "", err
	}
	rows := -1
	for _, b := range binds {
		if l, ok := b.Value.([]any); ok {
			if rows >= 0 && rows != len(l) {
				return "", errInvalid("bound arrays differ in length: %d and %d", rows, len(l))
			}
			rows = len(l)
		}
	}
	if rows < 0 {
		return bindText(sql, 0, len(sql), toks, binds, 0, describe)
	}
	for i, t := range toks {
		if t.Kind == dialect.Ident && t.Value == "VALUES" && i+1 < len(toks) {
			head, start := sql[:toks[i+1].Pos], toks[i+1].Pos
			end := len(strings.TrimRight(sql, "; \t\r\n"))
			var b strings.Builder
			b.WriteString(head)
			for r := range rows {
				if r > 0 {
					b.WriteString(", ")
				}
				row, err := bindText(sql, start, end, toks, binds, r, describe)
				if err != nil {
					return "", err
				}
				b.WriteString(row)
			}
			return b.String(), nil
		}
	}
	return "", errUnsupported("array bindings outside INSERT … VALUES")
}

func bindText(sql string, start, end int, toks []dialect.Token, binds map[string]binding, row int, describe bool) (string, error) {
	var out strings.Builder
	pos, n := start, 0
	for _, t := range toks {
		if t.Kind != dialect.Param || t.Text[0] == '$' || t.Pos < start || t.Pos >= end {
			continue
		}
		if t.Text != "?" && len(binds) == 0 {
			continue // the path v:1
		}
		n++
		which := strconv.Itoa(n)
		if t.Text != "?" {
			which = t.Text[1:]
		}
		b, ok := binds[which]
		if !ok && !describe {
			return "", compileError("002049", "42601", "Bind variable %s not set.", t.Text)
		}
		lit, err := b.literal(row)
		if err != nil {
			return "", err
		}
		out.WriteString(sql[pos:t.Pos])
		out.WriteString(lit)
		pos = t.Pos + len(t.Text)
	}
	out.WriteString(sql[pos:end])
	return out.String(), nil
}

// sfLiteral writes a Snowflake string literal; a backslash begins an escape there.
func sfLiteral(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// literal writes the value as drivers encode it (gosnowflake converter.go): numbers and text as text,
// dates in milliseconds, times and timestamps in nanoseconds.
func (b binding) literal(row int) (string, error) {
	v := b.Value
	if l, ok := v.([]any); ok {
		v = l[row]
	}
	if v == nil {
		return "NULL", nil
	}
	s, ok := v.(string)
	if !ok {
		s = fmt.Sprint(v)
	}
	bad := func() (string, error) { return "", errInvalid("invalid bind value %q for type %s", s, b.Type) }
	instant := func(layout, typ string) (string, error) {
		nanos, _, _ := strings.Cut(s, " ") // an offset follows in a TIMESTAMP_TZ
		n, err := strconv.ParseInt(nanos, 10, 64)
		if err != nil {
			return bad()
		}
		return sfLiteral(time.Unix(0, n).UTC().Format(layout)) + "::" + typ, nil
	}
	switch strings.ToUpper(b.Type) {
	case "FIXED", "REAL", "DECFLOAT":
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return bad()
		}
		if strings.ToUpper(b.Type) == "FIXED" && strings.Trim(s, "-0123456789.") == "" {
			return "(" + s + ")", nil
		}
		return sfLiteral(s) + "::FLOAT", nil
	case "BOOLEAN":
		t, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return bad()
		}
		return strings.ToUpper(strconv.FormatBool(t)), nil
	case "DATE":
		ms, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return bad()
		}
		return sfLiteral(time.UnixMilli(ms).UTC().Format("2006-01-02")) + "::DATE", nil
	case "TIME":
		return instant("15:04:05.000000000", "TIME")
	case "TIMESTAMP_NTZ":
		return instant("2006-01-02 15:04:05.000000000", "TIMESTAMP_NTZ")
	case "TIMESTAMP_LTZ":
		return instant("2006-01-02 15:04:05.000000000+00:00", "TIMESTAMP_LTZ")
	case "TIMESTAMP_TZ":
		if parts := strings.Fields(s); len(parts) == 2 && parts[1] != strconv.Itoa(utcOffset) {
			return "", errUnsupported("a TIMESTAMP_TZ with another offset than +00:00")
		}
		return instant("2006-01-02 15:04:05.000000000+00:00", "TIMESTAMP_TZ")
	case "BINARY":
		raw, err := hex.DecodeString(s)
		if err != nil {
			return bad()
		}
		var blob strings.Builder // the text form of DuckDB's BLOB
		for _, c := range raw {
			fmt.Fprintf(&blob, `\x%02x`, c)
		}
		return sfLiteral(blob.String()) + "::BINARY", nil
	case "VARIANT", "OBJECT", "ARRAY":
		return "PARSE_JSON(" + sfLiteral(s) + ")", nil
	}
	return sfLiteral(s), nil
}
