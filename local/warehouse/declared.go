package warehouse

import (
	"cmp"
	"fmt"
	"strings"
)

// declared gives the types of a query's columns as their tables declare them, for those that are a table's column and
// nothing else, and those of casts to TIMESTAMP_TZ: a type without Base for any other expression, and no types at all for a query whose columns cannot be told from
// its text alone. DuckDB keeps neither lengths nor what tells OBJECT, ARRAY and TIMESTAMP_TZ from their relatives.
func (r *resolver) declared(statement any) []dataType {
	root, _ := statement.(map[string]any)
	node, _ := root["node"].(map[string]any)
	if node["type"] != "SELECT_NODE" {
		return nil
	}
	if m, ok := node["cte_map"].(map[string]any); ok {
		if list, _ := m["map"].([]any); len(list) > 0 {
			return nil
		}
	}
	from, ok := r.relations(node["from_table"])
	if !ok {
		return nil
	}
	list, _ := node["select_list"].([]any)
	var out []dataType
	for _, item := range list {
		e, _ := item.(map[string]any)
		switch e["type"] {
		case "STAR":
			cols, ok := from.star(e)
			if !ok {
				return nil
			}
			out = append(out, cols...)
		case "COLUMN_REF":
			out = append(out, from.column(e))
		case "FUNCTION":
			var d dataType
			if name := e["function_name"]; name == "mkt_tz" || name == "mkt_try_tz" {
				d = dataType{Base: "TIMESTAMP_TZ", Scale: 9}
			}
			out = append(out, d)
		default:
			out = append(out, dataType{})
		}
	}
	return out
}

// relation is a table of a FROM clause.
type relation struct {
	name    string
	columns []tableColumn
}

type relations []relation

// relations reads a FROM clause of tables and plain joins of them; ok is false for any other.
func (r *resolver) relations(node any) (relations, bool) {
	n, _ := node.(map[string]any)
	switch n["type"] {
	case "BASE_TABLE":
		var written objName
		for _, k := range []string{"catalog_name", "schema_name", "table_name"} {
			if part, _ := n[k].(string); part != "" {
				written = append(written, part)
			}
		}
		names, _ := n["column_name_alias"].([]any)
		if _, named := r.sc.named[written.last()]; named || len(names) > 0 {
			return nil, false
		}
		o, err := r.s.find(written, r.sc, kindTable)
		if err != nil || o == nil {
			return nil, false
		}
		alias, _ := n["alias"].(string)
		return relations{{cmp.Or(alias, o.Name), o.columns()}}, true
	case "EMPTY": // no FROM
		return nil, true
	case "JOIN":
		using, _ := n["using_columns"].([]any)
		if len(using) > 0 || n["ref_type"] != "REGULAR" && n["ref_type"] != "CROSS" || n["join_type"] == "SEMI" || n["join_type"] == "ANTI" {
			return nil, false
		}
		left, ok := r.relations(n["left"])
		right, ok2 := r.relations(n["right"])
		return append(left, right...), ok && ok2
	}
	return nil, false
}

// star gives the columns that a star stands for.
func (rs relations) star(e map[string]any) ([]dataType, bool) {
	for _, k := range []string{"exclude_list", "replace_list", "qualified_exclude_list", "rename_list"} {
		if list, _ := e[k].([]any); len(list) > 0 {
			return nil, false
		}
	}
	if e["expr"] != nil || e["columns"] == true {
		return nil, false
	}
	of, _ := e["relation_name"].(string)
	var out []dataType
	for _, r := range rs {
		if of == "" || r.name == of {
			for _, c := range r.columns {
				out = append(out, c.Type)
			}
		}
	}
	return out, true
}

// column gives the type of the column that a reference names.
func (rs relations) column(e map[string]any) dataType {
	names, _ := e["column_names"].([]any)
	if len(names) == 0 {
		return dataType{}
	}
	name, of := fmt.Sprint(names[len(names)-1]), ""
	if len(names) > 1 {
		of = fmt.Sprint(names[len(names)-2])
	}
	for _, r := range rs {
		for _, c := range r.columns {
			if (of == "" || r.name == of) && c.Name == name {
				return c.Type
			}
		}
	}
	return dataType{}
}

// declare describes result columns as their tables declare them.
func declare(cols []column, types []dataType) {
	if len(cols) != len(types) {
		return
	}
	for i, d := range types {
		c := &cols[i]
		switch {
		case d.Base == "VARCHAR" && c.Type == "text", d.Base == "BINARY" && c.Type == "binary":
			c.Length, c.ByteLength = d.Length, d.Length
			if c.Type == "text" {
				c.ByteLength = min(4*d.Length, maxVarchar)
			}
		case (d.Base == "OBJECT" || d.Base == "ARRAY") && c.Type == "variant", d.Base == "TIMESTAMP_TZ" && c.Type == "timestamp_ltz":
			c.Type = strings.ToLower(d.Base)
			if d.Base == "TIMESTAMP_TZ" {
				c.ByteLength = 16 // epoch, fraction and offset, as arrowField has them; Snowflake's drivers tell by it
			}
		}
	}
}
