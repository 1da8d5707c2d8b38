package snowflake

import (
	"context"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// kind is one kind of object: its description and what it means in SQL.
type kind struct {
	spec *spec.Kind
	// noun and plural are the words of DDL and SHOW: "FILE FORMAT", "FILE FORMATS".
	noun, plural string
	// parent is the attribute that names what holds the object; "" for objects of the account.
	parent string

	// complete fills in what follows from other attributes; nil where nothing does.
	complete func(o object) error
	// read makes an object of its row of SHOW; it may ask for more.
	read func(ctx context.Context, p *Provider, name Name, r row, private map[string]string) (object, error)
	// create and update give the statements that make or alter the object.
	create func(name Name, after object) []string
	update func(name Name, before, after object) []string
	// sameWhenReplaced is set where CREATE OR REPLACE is the way to alter, so that created_on tells no object from another.
	sameWhenReplaced bool
	// holds tells what a delete loses.
	holds func(ctx context.Context, p *Provider, name Name) (string, error)
	// carries says whether a pipe, its row of SHOW and its statement, stops for good when the object is replaced; nil where none does.
	carries func(ctx context.Context, p *Provider, name Name, pipe row, c copyInto) (bool, error)
}

// parts is the number of names in an object's name.
func (k *kind) parts() int {
	switch k.parent {
	case "":
		return 1
	case "database":
		return 2
	}
	return 3
}

// nameAttrs are the attributes that every kind has.
func nameAttrs(doc, parent, parentDoc, parentKind string) []spec.Attr {
	var attrs []spec.Attr
	if parent != "" {
		attrs = append(attrs, spec.Attr{Name: parent, Type: cty.String, Required: true, Refs: []string{parentKind}, Doc: parentDoc,
			Check: checkName(map[string]int{"database": 1, "schema": 2}[parent]), Norm: normName, Change: spec.Replaced("an object cannot be moved without losing what it holds")})
	}
	return append(attrs,
		spec.Attr{Name: "name", Type: cty.String, Label: true, Doc: doc + " Without double quotes it is folded to upper case. Defaults to the block's label.",
			Check: checkName(1), Norm: normName, Change: spec.Replaced("another name is another object")},
		spec.Attr{Name: "qualified_name", Type: cty.String, Computed: true, Follows: []string{"name"}, Doc: "The full name, as SQL and other blocks use it."},
	)
}

func commentAttr() spec.Attr {
	return spec.Attr{Name: "comment", Type: cty.String, Default: text(""), Doc: "Comment.", Change: spec.Updated}
}

// idOf gives the qualified name, "" while a part is unknown.
func idOf(parent string) func(cty.Value) string {
	return func(v cty.Value) string {
		n, ok := qualify(objectOf(v), parent)
		if !ok {
			return ""
		}
		return n.String()
	}
}

func qualify(o object, parent string) (Name, bool) {
	if !o.set("name") || parent != "" && !o.set(parent) {
		return nil, false
	}
	n := o.name("name")
	if parent != "" {
		n = append(append(Name{}, o.name(parent)...), n...)
	}
	return n, n != nil
}

// setComment is the clause of a CREATE, "" for no comment.
func setComment(o object) string {
	if o.str("comment") == "" {
		return ""
	}
	return " COMMENT = " + literal(o.str("comment"))
}

// alter gives "ALTER noun name change".
func (k *kind) alter(name Name, change string) string {
	return "ALTER " + k.noun + " " + name.SQL() + " " + change
}

func (k *kind) alterComment(name Name, before, after object) []string {
	if !before.differs(after, "comment") {
		return nil
	}
	return []string{k.alter(name, "SET COMMENT = "+literal(after.str("comment")))}
}

// resource implements providers.Resource for one kind.
type resource struct {
	kind *kind
	p    *Provider
}

// Complete implements providers.Resource.
func (r *resource) Complete(v cty.Value) (cty.Value, error) {
	o := objectOf(v)
	o["qualified_name"] = cty.UnknownVal(cty.String)
	if n, ok := qualify(o, r.kind.parent); ok {
		if len(n) != r.kind.parts() {
			return cty.NilVal, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath(r.kind.parent),
				Err: fmt.Errorf("%q does not name a %s in full", o.str(r.kind.parent), r.kind.parent)}
		}
		o["qualified_name"] = text(n.String())
	}
	if r.kind.complete != nil {
		if err := r.kind.complete(o); err != nil {
			return cty.NilVal, err
		}
	}
	return cty.ObjectVal(o), nil
}

// showLimit is how many rows SHOW gives at most (Snowflake: "SHOW TABLES", usage notes).
const showLimit = 10000

// Read implements providers.Resource: one SHOW for all objects that one parent holds.
func (r *resource) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	groups := map[string][]int{}
	names := make([]Name, len(refs))
	out := make([]providers.Reading, len(refs))
	var scopes []string
	for i, ref := range refs {
		n, err := ParseName(ref.ID)
		if err != nil || len(n) != r.kind.parts() {
			out[i].Err = providers.Errorf(providers.Invalid, "%q is not the name of a %s", ref.ID, r.kind.spec.Name)
			continue
		}
		names[i] = n
		s := r.scope(n)
		if groups[s] == nil {
			scopes = append(scopes, s)
		}
		groups[s] = append(groups[s], i)
	}
	providers.Each(ctx, parallel, scopes, func(ctx context.Context, scope string) struct{} {
		rows, err := r.p.client.query(ctx, "SHOW "+r.kind.plural+scope)
		byName := map[string]row{}
		for _, row := range rows {
			byName[row["name"]] = row
		}
		found := make([]int, 0, len(groups[scope]))
		for _, i := range groups[scope] {
			_, there := byName[string(names[i].Last())]
			switch {
			case notFound(err): // what would hold the object does not exist
			case err != nil:
				out[i].Err = wrap(err, "read %s %s", r.kind.spec.Name, refs[i].ID)
			case there:
				found = append(found, i)
			case len(rows) >= showLimit:
				out[i].Err = fmt.Errorf("read %s %s: SHOW %s lists no more than %d objects, and this one is not among them", r.kind.spec.Name, refs[i].ID, r.kind.plural, showLimit)
			}
		}
		providers.Each(ctx, parallel, found, func(ctx context.Context, i int) struct{} {
			out[i] = r.reading(ctx, names[i], byName[string(names[i].Last())], refs[i].Private)
			return struct{}{}
		})
		return struct{}{}
	})
	return out
}

// scope is the IN clause of the SHOW that lists an object.
func (r *resource) scope(n Name) string {
	switch len(n) {
	case 1:
		return ""
	case 2:
		return " IN DATABASE " + n.Parent().SQL()
	}
	return " IN SCHEMA " + n.Parent().SQL()
}

func (r *resource) reading(ctx context.Context, name Name, shown row, private map[string]string) providers.Reading {
	o, err := r.kind.read(ctx, r.p, name, shown, private)
	switch {
	case notFound(err): // dropped in between
		return providers.Reading{}
	case err != nil:
		return providers.Reading{Err: wrap(err, "read %s %s", r.kind.spec.Name, name)}
	}
	o["name"] = text(name.Last().String())
	o["qualified_name"] = text(name.String())
	if r.kind.parent != "" {
		o[r.kind.parent] = text(name.Parent().String())
	}
	if r.kind.spec.Attr("comment") != nil {
		o["comment"] = text(shown["comment"])
	}
	got := providers.Reading{State: o.value(r.kind.spec.Type())}
	if !r.kind.sameWhenReplaced {
		got.Incarnation = shown["created_on"]
	}
	return got
}

// Create implements providers.Resource.
func (r *resource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.run(ctx, changes, "create", func(name Name, c providers.Change) []string {
		return r.kind.create(name, objectOf(c.After))
	})
}

// Update implements providers.Resource.
func (r *resource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.run(ctx, changes, "alter", func(name Name, c providers.Change) []string {
		return r.kind.update(name, objectOf(c.Before), objectOf(c.After))
	})
}

// run executes the statements of each change, then reads all objects back in one batch.
func (r *resource) run(ctx context.Context, changes []providers.Change, doing string, statements func(Name, providers.Change) []string) []providers.Result {
	return r.runSecret(ctx, changes, doing, func(_ context.Context, n Name, c providers.Change) (plan, error) {
		return plan{statements: statements(n, c), private: c.Private}, nil
	})
}

// plan is what a change runs, what must not be seen of it, and what is kept of it afterwards.
type plan struct {
	statements []string
	secrets    []string
	private    map[string]string
}

func (r *resource) runSecret(ctx context.Context, changes []providers.Change, doing string, prepare func(context.Context, Name, providers.Change) (plan, error)) []providers.Result {
	left := make([]bool, len(changes)) // there is an object afterwards, or may be
	indexes := make([]int, len(changes))
	for i := range indexes {
		indexes[i] = i
	}
	out := providers.Each(ctx, parallel, indexes, func(ctx context.Context, at int) providers.Result {
		c := changes[at]
		left[at] = doing != "create"
		n, err := ParseName(c.ID)
		if err != nil {
			return providers.Result{Err: err, Private: c.Private}
		}
		p, err := prepare(ctx, n, c)
		if err != nil {
			return providers.Result{Err: wrap(err, "%s %s %s", doing, r.kind.spec.Name, c.ID), Private: c.Private}
		}
		for _, s := range p.statements {
			if err = r.p.client.exec(ctx, s, p.secrets...); err != nil {
				left[at] = left[at] || providers.Transient(err)
				return providers.Result{Err: wrap(err, "%s %s %s", doing, r.kind.spec.Name, c.ID), Private: p.private}
			}
			left[at] = true
		}
		return providers.Result{Private: p.private}
	})
	r.readBack(ctx, changes, out, left)
	return out
}

// readBack fills in the states after the changes, also of those that broke off half-way.
func (r *resource) readBack(ctx context.Context, changes []providers.Change, out []providers.Result, left []bool) {
	var refs []providers.Ref
	var at []int
	for i := range out {
		if left[i] {
			refs = append(refs, providers.Ref{ID: changes[i].ID, Private: out[i].Private})
			at = append(at, i)
		}
	}
	for j, got := range r.Read(ctx, refs) {
		o := &out[at[j]]
		switch {
		case o.Err == nil && got.Err != nil:
			o.Err = got.Err
		case o.Err == nil && got.State == cty.NilVal:
			o.Err = providers.Errorf(providers.Conflict, "%s %s is gone right after it was changed", r.kind.spec.Name, changes[at[j]].ID)
		default:
			o.State, o.Incarnation = got.State, got.Incarnation
		}
	}
}

// Delete implements providers.Resource.
func (r *resource) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		n, err := ParseName(c.ID)
		if err != nil {
			return providers.Result{Err: err}
		}
		if c.Replaced {
			if err := r.free(ctx, n); err != nil {
				return providers.Result{Err: wrap(err, "replace %s %s", r.kind.spec.Name, c.ID)}
			}
		}
		err = r.p.client.exec(ctx, "DROP "+r.kind.noun+" IF EXISTS "+n.SQL())
		if notFound(err) { // what held it is gone, and it with it
			err = nil
		}
		return providers.Result{Err: wrap(err, "delete %s %s", r.kind.spec.Name, c.ID)}
	})
}

// Suffers implements providers.Dependent: what a database or schema holds goes with it, protected or not, so it has to be in the plan.
func (r *resource) Suffers(_ cty.Value, changes []providers.RefChange) spec.Verdict {
	for _, c := range changes {
		if c.Replaced && (c.Kind == Database.Name || c.Kind == Schema.Name) && c.Path.Equals(cty.GetAttrPath(r.kind.parent)) {
			return spec.Verdict{Act: spec.Replace, Why: "the " + r.kind.parent + " that holds it is replaced, and it goes with that"}
		}
	}
	return spec.Verdict{Act: spec.Same}
}

// holder is a resource whose objects hold data.
type holder struct{ *resource }

// Holds implements providers.Holder.
func (h *holder) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return h.resource.holding(ctx, refs)
}

func (r *resource) holding(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Holding {
		n, err := ParseName(ref.ID)
		if err != nil {
			return providers.Holding{Err: err}
		}
		loss, err := r.kind.holds(ctx, r.p, n)
		if notFound(err) {
			return providers.Holding{}
		}
		return providers.Holding{Loss: loss, Err: wrap(err, "ask what %s %s holds", r.kind.spec.Name, ref.ID)}
	})
}
