package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mkt/row"
	"mkt/spec"
)

var copyRules = []Rule{
	{
		ID: "copy-target", Severity: hcl.DiagError, Summary: "COPY names what does not exist",
		Doc: "The table, the stage and the file format that a pipe's `copy` block names exist, or the stack describes them. A name given as text in a schema that the stack makes itself is expected to be in the stack, too: a warning where Snowflake was not asked. " +
			"Refer to the block instead of writing its name, and the two cannot drift apart.",
		Check: checkCopyTarget,
	},
	{
		ID: "copy-columns", Severity: hcl.DiagError, Summary: "JSON into more than one column",
		Doc:   "Without `match_by_column_name`, Snowflake loads a JSON file into one column of type VARIANT, OBJECT or ARRAY. Into any other table the pipe loads nothing.",
		Check: checkCopyColumns,
	},
	{
		ID: "on-error", Severity: hcl.DiagWarning, Summary: "Bad rows are left out",
		Doc: "With `on_error = \"CONTINUE\"` or `\"SKIP_FILE_n\"` a pipe loads a file without its bad rows, and nothing but COPY_HISTORY tells which. With `SKIP_FILE`, the default, one bad row keeps the whole file out: " +
			"nothing is half loaded, and `mkt audit` names the file; other checks say where a schema makes bad rows possible. In all cases the file's name stays registered for 14 days, so that it is not tried again.",
		Check: checkOnError,
	},
}

// copyKinds are the kinds that the attributes of a copy block name.
var copyKinds = map[string]string{"into": "snowflake_table", "from": "snowflake_stage", "file_format": "snowflake_file_format"}

// Named returns, by kind, the ids that pipes name as text instead of referring to a block: what Facts.Exists can tell
// more of. Scope must be set.
func Named(in Input) map[string][]string {
	ids := map[string][]string{}
	p := &Pipeline{in: in, scope: in.Scope, kinds: map[string][]*Node{}, addrs: map[spec.Addr]*Node{}}
	for _, n := range p.nodes("snowflake_pipe") {
		for _, need := range needed {
			at := path(need.path...)
			referred := slices.ContainsFunc(n.inst.Objects, func(o spec.ObjectRef) bool { return o.Path.Equals(at) })
			if id, _ := n.text(need.path...); id != "" && !referred && !slices.Contains(ids[need.kind], id) {
				ids[need.kind] = append(ids[need.kind], id)
			}
		}
	}
	return ids
}

func checkCopyTarget(p *Pipeline) (found []Finding) {
	for _, pipe := range p.Pipes {
		for _, target := range []struct {
			attr, noun string
			ref        Ref
		}{
			{"into", "table", pipe.Table},
			{"from", "stage", pipe.Stage},
			{"file_format", "file format", pipe.Format},
		} {
			if target.ref.Node != nil || target.ref.ID == "" || pipe.absent("copy", target.attr) {
				continue
			}
			kind := copyKinds[target.attr]
			exists, asked := p.Facts.Exists[kind][target.ref.ID]
			schema := p.find("snowflake_schema", parent(target.ref.ID))
			if exists || !asked && schema == nil {
				continue
			}
			why := "the stack does not describe it"
			if asked {
				why = "the stack does not describe it, and Snowflake does not show it to this role, or this plan deletes it"
			}
			f := Finding{At: pipe.End("copy", target.attr), Warning: !asked}
			hint := fmt.Sprintf(" Describe it with a %s block, and refer to that.", kind)
			if near := p.nearest(kind, target.ref.ID); near != nil {
				hint = fmt.Sprintf(" Did you mean the %s of this stack? Write %s = %s.", target.noun, target.attr, near.Addr)
				f.Others = append(f.Others, near.End())
			} else if schema != nil {
				f.Others = append(f.Others, schema.End())
			}
			f.Detail = fmt.Sprintf("The pipe's COPY names the %s %s, and %s: the pipe could not be made, or would load elsewhere.%s", target.noun, target.ref.ID, why, hint)
			found = append(found, f)
		}
	}
	return found
}

// nearest is the stack's object of the kind that an id was probably meant for: the only one, or one whose name holds
// the other's.
func (p *Pipeline) nearest(kind, id string) *Node {
	nodes := p.nodes(kind)
	if len(nodes) == 1 {
		return nodes[0]
	}
	last := func(s string) string { return row.Plain(strings.TrimPrefix(s, parent(s))) }
	for _, n := range nodes {
		if own := n.ID(); own != "" && (strings.Contains(last(own), last(id)) || strings.Contains(last(id), last(own))) {
			return n
		}
	}
	return nil
}

func checkCopyColumns(p *Pipeline) (found []Finding) {
	for _, pipe := range p.Pipes {
		mode, known := pipe.text("copy", "match_by_column_name")
		if !known || mode != "NONE" || pipe.Format.Node == nil || pipe.Table.Node == nil {
			continue
		}
		columns, known := columnsOf(pipe.Table.Node)
		if kind, ok := pipe.Format.Node.text("type"); !ok || kind != "JSON" || !known {
			continue
		}
		if len(columns) == 1 && columns[0].Field.Type == row.Variant {
			continue
		}
		found = append(found, Finding{At: pipe.End("copy"), Others: []End{pipe.Table.Node.End(), pipe.Format.Node.End("type")},
			Detail: fmt.Sprintf("The files are JSON and the table has %d columns; in order, JSON loads into one VARIANT column only. Set match_by_column_name = \"CASE_INSENSITIVE\".", len(columns))})
	}
	return found
}

func checkOnError(p *Pipeline) (found []Finding) {
	for _, pipe := range p.Pipes {
		word, known := pipe.text("copy", "on_error")
		if !known || word == "" || word == "SKIP_FILE" {
			continue
		}
		at := pipe.End("copy", "on_error")
		what := "a row that does not fit the table is left out and nothing says so, except COPY_HISTORY"
		if word != "CONTINUE" {
			what = "a file loads without its bad rows until there are too many, and then not at all"
		}
		found = append(found, Finding{At: at, Others: ends(pipe.Table),
			Detail: fmt.Sprintf("With %s %s. What is left out cannot be loaded again under the same file name. SKIP_FILE loads whole files or none, so that an audit can name what is missing.", word, what)})
	}
	return found
}

// ends is the block of a reference, where it has one.
func ends(refs ...Ref) (list []End) {
	for _, r := range refs {
		if r.Node != nil {
			list = append(list, r.Node.End())
		}
	}
	return list
}
