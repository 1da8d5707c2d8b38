package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// privateGranted is what of the role's privileges the block has granted, in order: SHOW GRANTS does not tell whose they are.
const privateGranted = "granted"

const showGrants = "SHOW GRANTS ON "

// grants implements providers.Resource.
type grants struct{ p *Provider }

// Complete implements providers.Resource.
func (*grants) Complete(v cty.Value) (cty.Value, error) {
	o := objectOf(v)
	if _, err := grantOf(o); err != nil {
		return v, &providers.Error{Code: providers.Invalid, Err: err}
	}
	return v, nil
}

// Suffers implements providers.Dependent: an object that is made again has none of the grants of the old one.
func (*grants) Suffers(_ cty.Value, changes []providers.RefChange) spec.Verdict {
	for _, c := range changes {
		step, ok := c.Path[0].(cty.GetAttrStep)
		on := slices.IndexFunc(grantsOn, func(on grantOn) bool { return ok && on.attr == step.Name })
		if c.Replaced && on >= 0 && slices.Contains(append([]string{Database.Name, Schema.Name}, grantsOn[on].kinds...), c.Kind) {
			return spec.Verdict{Act: spec.Replace, Why: "what it is on is replaced, and the grants on it go with it"}
		}
	}
	return spec.Verdict{Act: spec.Same}
}

// Read implements providers.Resource: one SHOW GRANTS for all roles of one object. Of an owned grant it gives what the block granted and
// is still there; otherwise all that the role has on the object.
func (r *grants) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	out := make([]providers.Reading, len(refs))
	found := make([]*grant, len(refs))
	byObject := map[string][]int{}
	var objects []string
	for i, ref := range refs {
		g, err := parseGrant(ref.ID)
		if err != nil {
			out[i].Err = &providers.Error{Code: providers.Invalid, Err: err}
			continue
		}
		found[i] = g
		if byObject[g.object()] == nil {
			objects = append(objects, g.object())
		}
		byObject[g.object()] = append(byObject[g.object()], i)
	}
	providers.Each(ctx, parallel, objects, func(ctx context.Context, object string) struct{} {
		rows, err := r.p.client.query(ctx, showGrants+object)
		for _, i := range byObject[object] {
			switch {
			case notFound(err): // what it would be on does not exist
			case err != nil:
				out[i].Err = wrap(err, "read the grant %s", refs[i].ID)
			default:
				out[i].State = found[i].state(rows, refs[i].Private)
				if out[i].State == cty.NilVal && len(rows) >= showLimit {
					out[i].Err = fmt.Errorf("read the grant %s: SHOW GRANTS lists no more than %d, and this one is not among them", refs[i].ID, showLimit)
				}
			}
		}
		return struct{}{}
	})
	return out
}

// List implements providers.Lister; scope is a schema. It finds what roles have on the schema and on what it holds, but not by owning it.
func (r *grants) List(ctx context.Context, scope string) ([]string, error) {
	schema, err := parseSchema(scope)
	if err != nil {
		return nil, err
	}
	var objects []*grant
	for _, on := range grantsOn {
		if len(schema) == on.parts {
			objects = append(objects, &grant{on: on, name: schema})
		}
		if on.parts <= len(schema) {
			continue
		}
		for _, kind := range on.kinds {
			names, err := r.p.Resource(kind).(providers.Lister).List(ctx, scope)
			if err != nil {
				return nil, err
			}
			for _, id := range names {
				name, err := ParseName(id)
				if err != nil {
					return nil, err
				}
				objects = append(objects, &grant{on: on, name: name})
			}
		}
	}
	found := providers.Each(ctx, parallel, objects, func(ctx context.Context, g *grant) (found grantees) {
		rows, err := r.p.client.query(ctx, showGrants+g.object())
		switch {
		case notFound(err): // dropped meanwhile
			return found
		case err == nil && len(rows) >= showLimit:
			err = fmt.Errorf("SHOW GRANTS lists no more than %d, so some would be missing", showLimit)
		}
		found.err = wrap(err, "list the grants on %s", g.object())
		for _, row := range rows {
			if row["granted_to"] == "ROLE" && row["privilege"] != "OWNERSHIP" {
				found.ids = append(found.ids, (&grant{g.on, g.name, Ident(row["grantee_name"])}).String())
			}
		}
		return found
	})
	var ids []string
	for _, f := range found {
		if f.err != nil {
			return nil, f.err
		}
		ids = append(ids, f.ids...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// grantees is what was found on one object.
type grantees struct {
	ids []string
	err error
}

// state is what SHOW GRANTS tells of one grant, NilVal where there is nothing of it. An option that only some of the privileges
// have is neither true nor false: it is null.
func (g *grant) state(rows []row, private map[string]string) cty.Value {
	var granted, owned []string
	if mine := private[privateGranted]; mine != "" {
		owned = strings.Split(mine, ",")
	}
	with := 0
	for _, shown := range rows {
		p := shown["privilege"]
		if shown["granted_to"] != "ROLE" || shown["grantee_name"] != string(g.role) || p == "OWNERSHIP" || owned != nil && !slices.Contains(owned, p) || slices.Contains(granted, p) {
			continue
		}
		granted = append(granted, p)
		if truth(shown["grant_option"]) {
			with++
		}
	}
	if granted == nil {
		return cty.NilVal
	}
	o := object{"role": text(g.role.String()), "privileges": privilegeSet(granted), "with_grant_option": cty.NullVal(cty.Bool), "account": cty.BoolVal(g.name == nil)}
	if with == 0 || with == len(granted) {
		o["with_grant_option"] = cty.BoolVal(with > 0)
	}
	if g.name != nil {
		o[g.on.attr] = text(g.name.String())
	}
	return o.value(Grant.Type())
}

// Create implements providers.Resource. It looks first: granting what is granted already would take it over.
func (r *grants) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.run(ctx, changes, "grant", func(ctx context.Context, g *grant, c providers.Change) error {
		there := r.Read(ctx, []providers.Ref{{ID: c.ID}})[0]
		if there.Err == nil && there.State != cty.NilVal {
			return providers.Errorf(providers.Exists, "role %s has privileges on it already", g.role)
		}
		return there.Err
	})
}

// Update implements providers.Resource.
func (r *grants) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.run(ctx, changes, "change", func(context.Context, *grant, providers.Change) error { return nil })
}

func (r *grants) run(ctx context.Context, changes []providers.Change, doing string, look func(context.Context, *grant, providers.Change) error) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		g, err := parseGrant(c.ID)
		if err == nil {
			err = look(ctx, g, c)
		}
		if err != nil {
			return providers.Result{State: c.Before, Private: c.Private, Err: wrap(err, "%s %s", doing, c.ID)}
		}
		before, after := objectOf(c.Before), objectOf(c.After)
		// What is granted half-way is the block's too.
		mine := slices.Compact(slices.Sorted(slices.Values(append(privileges(before), privileges(after)...))))
		for _, s := range grantStatements(g, before, after) {
			if err = r.p.client.exec(ctx, s); err != nil {
				break
			}
		}
		if err == nil {
			mine = privileges(after)
		}
		out := providers.Result{Private: map[string]string{privateGranted: strings.Join(mine, ",")}, Err: wrap(err, "%s %s", doing, c.ID)}
		got := r.Read(ctx, []providers.Ref{{ID: c.ID, Private: out.Private}})[0]
		out.State = got.State
		switch {
		case out.Err != nil:
		case got.Err != nil:
			out.Err = got.Err
		case got.State == cty.NilVal:
			out.Err = providers.Errorf(providers.Conflict, "%s is gone right after it was granted", c.ID)
		}
		return out
	})
}

// Delete implements providers.Resource: it revokes what the block granted.
func (r *grants) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		g, err := parseGrant(c.ID)
		if err != nil {
			return providers.Result{Err: err}
		}
		if left := privileges(objectOf(c.Before)); len(left) > 0 {
			err = r.p.client.exec(ctx, revoke(g, "", left))
		}
		if notFound(err) { // the object or the role is gone, and the grant with it
			err = nil
		}
		return providers.Result{Err: wrap(err, "revoke %s", c.ID)}
	})
}

// grantStatements give what leads from one state of a grant to another; before is nil for a new one (Snowflake: "GRANT <privileges> … TO
// ROLE", "REVOKE <privileges> … FROM ROLE").
func grantStatements(g *grant, before, after object) []string {
	had, wants := privileges(before), privileges(after)
	option := after.boolean("with_grant_option")
	var add, drop []string
	for _, p := range wants {
		if !slices.Contains(had, p) {
			add = append(add, p)
		}
	}
	for _, p := range had {
		if !slices.Contains(wants, p) {
			drop = append(drop, p)
		}
	}
	changed := before != nil && before.differs(after, "with_grant_option")
	if changed && option {
		add = wants
	}
	var out []string
	if len(add) > 0 {
		s := "GRANT " + strings.Join(add, ", ") + " ON " + g.object() + " TO ROLE " + g.role.SQL()
		if option {
			s += " WITH GRANT OPTION"
		}
		out = append(out, s)
	}
	if len(drop) > 0 {
		out = append(out, revoke(g, "", drop))
	}
	if changed && !option {
		out = append(out, revoke(g, "GRANT OPTION FOR ", wants))
	}
	return out
}

func revoke(g *grant, what string, list []string) string {
	return "REVOKE " + what + strings.Join(list, ", ") + " ON " + g.object() + " FROM ROLE " + g.role.SQL()
}
