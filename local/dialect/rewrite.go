package dialect

import "strings"

// Rewrite turns one Snowflake query or expression into DuckDB SQL.
func Rewrite(sql string) (string, error) {
	toks, err := Tokens(sql)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range toks {
		switch {
		case t.Kind == Comment:
		case t.Kind == String:
			b.WriteString(Literal(t.Value) + " ")
		default:
			b.WriteString(t.Text + " ")
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// Macros lists the CREATE OR REPLACE MACRO statements that rewritten text relies on.
func Macros() []string { return nil }

// Settings lists the SET statements a DuckDB connection needs for Snowflake's semantics.
func Settings() []string {
	return []string{"SET default_null_order = 'nulls_last_on_asc_first_on_desc'"}
}

// Type gives the DuckDB type that holds a Snowflake type, such as "NUMBER(10,2)" or "TIMESTAMP_NTZ(9)".
func Type(snowflake string) (string, error) { return snowflake, nil }
