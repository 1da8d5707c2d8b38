package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

func flagYN(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}

// showRow gives the cells of an object in the order of showColumns.
func (s *session) showRow(o *object, size [2]int64) []any {
	const roleType = "ROLE"
	switch o.Kind {
	case kindDatabase:
		return []any{o.Created, o.Name, "N", flagYN(o.Name == s.db), "", o.Owner, o.Comment, "", strconv.Itoa(o.retention()), "STANDARD", roleType}
	case kindSchema:
		return []any{o.Created, o.Name, "N", flagYN(o.DB == s.db && o.Name == s.schema), o.DB, o.Owner, o.Comment, "", strconv.Itoa(o.retention()), roleType}
	case kindTable:
		k := "TABLE"
		if o.Table.Transient {
			k = "TRANSIENT"
		}
		clustering := "OFF"
		if o.Table.ClusterBy != "" {
			clustering = "ON"
		}
		return []any{o.Created, o.Name, o.DB, o.Schema, k, o.Comment, o.Table.ClusterBy, size[0], size[1], o.Owner, strconv.Itoa(o.retention()),
			clustering, "OFF", "N", "N", roleType, "N", "N", "N", "N", "N"}
	case kindView:
		return []any{o.Created, o.Name, "", "", o.DB, o.Schema, o.Owner, o.Comment, o.View.Create, o.View.Secure, false, roleType, "OFF"}
	case kindStage:
		return []any{o.Created, o.Name, o.DB, o.Schema, o.Stage.URL, flagYN(o.Stage.Token != ""), flagYN(o.Stage.Encryption == "AZURE_CSE"), o.Owner, o.Comment, nil, "EXTERNAL", "AZURE",
			nil, null(o.Stage.Integration), nil, roleType, "N"}
	case kindFormat:
		return []any{o.Created, o.Name, o.DB, o.Schema, o.Format.Type, o.Owner, o.Comment, roleType, o.Format.json()}
	case kindPipe:
		return s.pipeRow(o)
	case kindDynamic:
		d := o.Dynamic
		return []any{o.Created, o.Name, o.DB, o.Schema, "", 0, 0, o.Owner, d.Lag, d.Mode, nil, d.Warehouse, o.Comment, o.View.Create, "OFF", "ACTIVE", nil, "false", "false", "false", s.w.now(), roleType}
	case kindStream:
		return s.streamRow(o)
	case kindTask:
		return s.taskRow(o)
	case kindWarehouse:
		w := o.Warehouse
		return []any{o.Name, w.State, "STANDARD", w.Size, "1", "1", "1", "0", "0",
			flagYN(o.Name == defaultWarehouse), flagYN(o.Name == s.wh), strconv.Itoa(w.AutoSuspend), w.AutoResume, "100", "0", "0", "0", o.Created, o.Created, o.Created,
			o.Owner, o.Comment, "false", "8", "null", "STANDARD", roleType}
	case kindIntegration:
		category := "NOTIFICATION"
		if o.Integration.Direction == "" {
			category = "STORAGE"
		}
		return []any{o.Name, o.Integration.typeName(), category, o.Integration.Enabled, o.Comment, o.Created}
	}
	return nil
}

func (s *session) pipeRow(o *object) []any {
	p := o.Pipe
	var channel any
	if in := s.w.cat.get(keyOf(kindIntegration, "", "", p.Integration)); p.AutoIngest && in != nil {
		channel = in.Integration.QueueURI
	}
	var invalid any
	if state := s.w.cat.state(o); strings.HasPrefix(state, "STOPPED") {
		invalid = state
	}
	return []any{o.Created, o.Name, o.DB, o.Schema, p.Text, o.Owner, channel, null(o.Comment), null(p.Integration), null(p.Copy.Pattern),
		null(p.ErrorInt), "ROLE", invalid, "N"}
}

// json gives all options of a format, as SHOW FILE FORMATS does.
func (f *formatDef) json() string {
	m := map[string]any{"TYPE": f.Type}
	for _, p := range formatProps[f.Type] {
		switch v := f.get(p.name); {
		case p.typ == "Boolean":
			m[p.name] = v == "true"
		case p.typ == "Integer":
			m[p.name], _ = strconv.Atoi(v)
		case p.typ == "List":
			m[p.name] = append([]string{}, f.nullIf()...)
		case v == "" && p.name == "FILE_EXTENSION":
			m[p.name] = nil
		default:
			m[p.name] = csvEscapes.Replace(v)
		}
	}
	out, _ := json.Marshal(m)
	return string(out)
}

// tableSizes gives rows and bytes of tables. Bytes are an estimate from the widths of the columns.
func (w *Warehouse) tableSizes(ctx context.Context, list []*object) (map[int64][2]int64, error) {
	out := map[int64][2]int64{}
	for len(list) > 0 {
		n := min(len(list), 100)
		parts := make([]string, n)
		for i, o := range list[:n] {
			parts[i] = fmt.Sprintf("SELECT %d AS id, count(*) AS n FROM %s", o.ID, o.physical())
		}
		rows, err := w.db.QueryContext(ctx, strings.Join(parts, " UNION ALL "))
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var id, count int64
				if err := rows.Scan(&id, &count); err != nil {
					return err
				}
				out[id] = [2]int64{count, 0}
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, err
		}
		for _, o := range list[:n] {
			v := out[o.ID]
			out[o.ID] = [2]int64{v[0], v[0] * o.Table.rowWidth()}
		}
		list = list[n:]
	}
	return out, nil
}

func (t *tableDef) rowWidth() int64 {
	n := int64(0)
	for _, c := range t.Columns {
		switch c.Type.Base {
		case "BOOLEAN":
			n++
		case "DATE":
			n += 4
		case "VARCHAR", "VARIANT", "OBJECT", "ARRAY", "BINARY":
			n += 16
		default:
			n += 8
		}
	}
	return n
}
