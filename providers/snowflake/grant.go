package snowflake

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// grantOn says what a grant is on: an attribute of the block, the noun of GRANT and SHOW GRANTS (Snowflake: "GRANT <privileges> … TO
// ROLE"), the parts of the object's name, and the kinds that it may refer to. The account has no name.
type grantOn struct {
	attr, noun string
	parts      int
	kinds      []string
	doc        string
}

var grantsOn = []grantOn{
	{"account", "ACCOUNT", 0, nil, "Whether the privileges are those of the account itself, such as `EXECUTE TASK`."},
	{"warehouse", "WAREHOUSE", 1, []string{"snowflake_warehouse"}, "The warehouse that the privileges are on."},
	{"integration", "INTEGRATION", 1, []string{"snowflake_storage_integration", "snowflake_notification_integration"}, "The integration."},
	{"database", "DATABASE", 1, []string{"snowflake_database"}, "The database."},
	{"schema", "SCHEMA", 2, []string{"snowflake_schema"}, "The schema."},
	{"table", "TABLE", 3, []string{"snowflake_table"}, "The table."},
	{"view", "VIEW", 3, []string{"snowflake_view"}, "The view."},
	{"file_format", "FILE FORMAT", 3, []string{"snowflake_file_format"}, "The file format."},
	{"stage", "STAGE", 3, []string{"snowflake_stage"}, "The stage."},
	{"pipe", "PIPE", 3, []string{"snowflake_pipe"}, "The pipe."},
	{"dynamic_table", "DYNAMIC TABLE", 3, []string{"snowflake_dynamic_table"}, "The dynamic table."},
	{"stream", "STREAM", 3, []string{"snowflake_stream"}, "The stream."},
	{"task", "TASK", 3, []string{"snowflake_task"}, "The task."},
}

// Grant describes snowflake_grant.
var Grant = &spec.Kind{
	Name: "snowflake_grant", System: System,
	Doc: "What a role may do with one object. One block holds all that the stack grants to one role on one object. What others granted to that role on it stays " +
		"as it is, and a delete revokes what this block granted and nothing else.\n\n" +
		"Ownership is transferred and not granted, so it is refused, and so are `ALL` and privileges on objects to come: name each.",
	Example: `snowflake_table "prices" {
  schema = "MARKET.RAW"
  column "Close" { type = "FLOAT" }
}

snowflake_grant "analysts" {
  table      = snowflake_table.prices
  role       = "ANALYST"
  privileges = ["SELECT"]
}
`,
	ID: func(v cty.Value) string {
		g, err := grantOf(objectOf(v))
		if err != nil || g == nil {
			return ""
		}
		return g.String()
	},
	Attrs: append(grantAttrs(),
		spec.Attr{Name: "role", Type: cty.String, Required: true, Doc: "The role that may. It is none of the stack's to make: an administrator has made it.",
			Check: checkName(1), Norm: normName, Change: spec.Replaced("another role's privileges are another grant")},
		spec.Attr{Name: "privileges", Type: cty.Set(cty.String), Required: true, Doc: "The privileges, such as `SELECT` and `INSERT` of a table, `USAGE` of a schema.",
			Check: checkPrivileges, Norm: normPrivileges, Change: spec.Updated},
		spec.Attr{Name: "with_grant_option", Type: cty.Bool, Default: cty.False, Doc: "Whether the role may grant them to others.", Change: spec.Updated},
	),
	Check: checkGrant,
}

func grantAttrs() []spec.Attr {
	var attrs []spec.Attr
	another := spec.Replaced("privileges on another object are another grant")
	for _, on := range grantsOn {
		a := spec.Attr{Name: on.attr, Type: cty.String, Refs: on.kinds, Doc: on.doc, Check: checkName(on.parts), Norm: normName, Change: another}
		if on.parts == 0 {
			a.Type, a.Default, a.Check, a.Norm = cty.Bool, cty.False, nil, nil
		}
		attrs = append(attrs, a)
	}
	return attrs
}

var privilegeWords = regexp.MustCompile(`^[A-Z_]+( [A-Z_]+)*$`)

func checkPrivileges(v cty.Value) error {
	if v.IsKnown() && v.LengthInt() == 0 {
		return errors.New("name at least one privilege")
	}
	for _, e := range v.AsValueSlice() {
		if !e.IsKnown() || e.IsNull() {
			continue
		}
		switch p := privilege(e.AsString()); {
		case p == "OWNERSHIP":
			return errors.New("OWNERSHIP is not granted but transferred, which mkt does not do: whoever owns the object says GRANT OWNERSHIP … COPY CURRENT GRANTS")
		case p == "ALL" || p == "ALL PRIVILEGES" || p == "IMPORTED PRIVILEGES":
			return fmt.Errorf("%s stands for other privileges, and what it stands for changes: name each", p)
		case !privilegeWords.MatchString(p):
			return fmt.Errorf("%q is no privilege, which is one or more words, such as SELECT or CREATE TABLE", e.AsString())
		}
	}
	return nil
}

// privilege writes a privilege as Snowflake shows it.
func privilege(s string) string { return strings.ToUpper(strings.Join(strings.Fields(s), " ")) }

func normPrivileges(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsWhollyKnown() {
		return v
	}
	var list []string
	for _, e := range v.AsValueSlice() {
		list = append(list, privilege(e.AsString()))
	}
	return privilegeSet(list)
}

func privilegeSet(list []string) cty.Value {
	if len(list) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	vs := make([]cty.Value, len(list))
	for i, p := range list {
		vs[i] = text(p)
	}
	return cty.SetVal(vs)
}

// privileges are those of a value, in order.
func privileges(o object) []string {
	list := o.strings("privileges")
	slices.Sort(list)
	return list
}

func checkGrant(v cty.Value) []spec.Problem {
	o := objectOf(v)
	var given, all []string
	for _, on := range grantsOn {
		all = append(all, on.attr)
		if a := o[on.attr]; !a.IsKnown() || on.parts == 0 && !a.IsNull() && a.True() || on.parts > 0 && !a.IsNull() {
			given = append(given, on.attr)
		}
	}
	switch len(given) {
	case 1:
		return nil
	case 0:
		return []spec.Problem{{Summary: "Grant on nothing", Detail: "Say what the privileges are on: one of " + strings.Join(all, ", ") + "."}}
	}
	return []spec.Problem{{Path: cty.GetAttrPath(given[1]), Summary: "Grant on several objects",
		Detail: "A grant is on one object, and this one has " + strings.Join(given, ", ") + ". Write a block for each."}}
}

// grant is the identity of a grant: an object and a role.
type grant struct {
	on   grantOn
	name Name // nil for the account
	role Ident
}

// String writes the identity: "TABLE MARKET.RAW.PRICES TO ROLE ANALYST".
func (g *grant) String() string {
	s := g.on.noun
	if g.name != nil {
		s += " " + g.name.String()
	}
	return s + toRole + g.role.String()
}

const toRole = " TO ROLE "

// object is the object as GRANT and SHOW GRANTS name it.
func (g *grant) object() string {
	if g.name == nil {
		return g.on.noun
	}
	return g.on.noun + " " + g.name.SQL()
}

// grantOf is the identity of a value, nil while a part is unknown.
func grantOf(o object) (*grant, error) {
	if !o.set("role") {
		return nil, nil
	}
	role, err := ParseIdent(o.str("role"))
	if err != nil {
		return nil, err
	}
	for _, on := range grantsOn {
		switch v := o[on.attr]; {
		case v == cty.NilVal || v.IsNull():
		case !v.IsKnown():
			return nil, nil
		case on.parts == 0 && v.True():
			return &grant{on: on, role: role}, nil
		case on.parts > 0:
			name, err := ParseName(v.AsString())
			if err == nil && len(name) != on.parts {
				err = fmt.Errorf("%q does not name a %s in full", v.AsString(), on.attr)
			}
			return &grant{on, name, role}, err
		}
	}
	return nil, nil
}

// parseGrant reads the identity that String wrote.
func parseGrant(id string) (*grant, error) {
	for _, on := range grantsOn {
		rest, ok := strings.CutPrefix(id, on.noun)
		if !ok || rest == "" || rest[0] != ' ' {
			continue
		}
		for at := strings.Index(rest, toRole); at >= 0; { // a quoted name may have these words in it
			g := &grant{on: on}
			role, err := ParseIdent(rest[at+len(toRole):])
			if err == nil && at > 0 {
				g.name, err = ParseName(rest[1:at])
			}
			if g.role = role; err == nil && len(g.name) == on.parts {
				return g, nil
			}
			next := strings.Index(rest[at+1:], toRole)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return nil, fmt.Errorf("%q is no grant: write TABLE DATABASE.SCHEMA.NAME TO ROLE ROLE, with the kind of object for TABLE", id)
}
