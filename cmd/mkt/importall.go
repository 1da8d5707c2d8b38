package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"mkt/internal/shell"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
	"mkt/render"
	"mkt/spec"
)

// found is an object that nobody describes or owns yet, on its way into a stack file.
type found struct {
	kind  *spec.Kind
	id    string
	addr  spec.Addr
	state cty.Value
	// implied are the attributes that the provider fills in by itself.
	implied map[string]bool
}

// leftOut is an object that cannot be imported, and why.
type leftOut struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Why  string `json:"why"`
}

// importer writes stack text for what one system holds.
type importer struct {
	s       *session
	found   []*found
	left    []leftOut
	objects map[objectID]spec.Addr // of the stack and of what was found
	owned   map[objectID]bool
	labels  map[string]map[string]bool
}

type objectID struct{ kind, id string }

// importAll writes blocks and import blocks for all that a system holds, to a new file or to the results.
func (c *cli) importAll(ctx context.Context, system, scope, out string) error {
	if !slices.ContainsFunc(providerKinds(), func(k *spec.Kind) bool { return k.Name == system }) {
		return fmt.Errorf("there is no system %q to import from: write kafka, azure or snowflake", system)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	i := &importer{s: s, objects: map[objectID]spec.Addr{}, owned: map[objectID]bool{}, labels: map[string]map[string]bool{}}
	provider, err := s.provider(ctx, system)
	if err != nil {
		return err
	}
	if err := i.known(ctx, system); err != nil {
		return err
	}
	if err := i.find(ctx, provider, system, scope); err != nil {
		return err
	}
	command := "mkt import -all " + system
	if scope != "" {
		command += " " + shell.Word(scope)
	}
	text := i.write(command)
	if len(i.found) > 0 && out != "" {
		if err := writeNew(out, text); err != nil {
			return err
		}
	}
	return c.imported(i, text, out)
}

func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write what was found: %w", err)
	}
	_, err = f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write what was found: %w", err)
	}
	return nil
}

func (c *cli) imported(i *importer, text []byte, out string) error {
	if c.json {
		addrs := []map[string]string{}
		for _, f := range i.found {
			addrs = append(addrs, map[string]string{"address": f.addr.String(), "id": f.id})
		}
		left := append([]leftOut{}, i.left...)
		return render.JSON(c.out, map[string]any{"found": addrs, "left_out": left, "hcl": string(text)})
	}
	notes := c.view(c.err)
	switch {
	case len(i.found) == 0:
		notes.Printf("Nothing to import: there is nothing that the stack does not have already.\n")
	case out == "":
		if _, err := c.out.Write(text); err != nil {
			return err
		}
	default:
		notes.Printf("Wrote %s. `mkt plan` shows what is taken over, and `mkt apply` does it.\n", out)
	}
	for _, l := range i.left {
		notes.Printf("Left out: %s: %s.\n", strings.TrimSpace(l.Kind+" "+l.ID), l.Why)
	}
	return nil
}

// known notes what the stack describes and what the ledger owns.
func (i *importer) known(ctx context.Context, system string) error {
	owned, err := i.s.ledger(ctx)
	if err != nil {
		return err
	}
	for addr, e := range owned.Entries {
		i.owned[objectID{addr.Kind, e.ID}] = true
	}
	scope := i.s.stack.NewScope()
	for _, b := range i.s.stack.Order() {
		i.taken(b.Addr.Kind)[b.Addr.Name] = true
		instances, diags := scope.Instances(b)
		if err := i.s.c.report(diags, i.s.stack.Files); err != nil {
			return err
		}
		for _, inst := range instances {
			v := inst.Value
			if b.Managed() { // what another system's provider would fill in is good for references, but can be done without
				other, err := i.s.provider(ctx, b.Kind.System)
				if err == nil {
					var done cty.Value
					if done, err = other.Resource(b.Kind.Name).Complete(v); err == nil {
						v = done
					}
				}
				if err != nil && b.Kind.System == system {
					return fmt.Errorf("%s: %w", inst.Addr, err)
				}
			}
			scope.Set(inst.Addr, v)
			if b.Kind.ID == nil {
				continue
			}
			if id := b.Kind.ID(v); id != "" {
				i.objects[objectID{b.Kind.Name, id}] = inst.Addr
			}
		}
	}
	return nil
}

func (i *importer) taken(kind string) map[string]bool {
	if i.labels[kind] == nil {
		i.labels[kind] = map[string]bool{}
	}
	return i.labels[kind]
}

// find lists and reads what the system holds and nobody describes yet.
func (i *importer) find(ctx context.Context, provider providers.Provider, system, scope string) error {
	var failed []error
	listed := 0
	for _, k := range resourceKinds() {
		if k.System != system {
			continue
		}
		resource := provider.Resource(k.Name)
		lister, lists := resource.(providers.Lister)
		if !lists {
			continue
		}
		ids, err := lister.List(ctx, scope)
		if err != nil { // the others are worth having, and that these are missing is said
			failed = append(failed, err)
			i.left = append(i.left, leftOut{k.Name, "", strings.TrimRight(err.Error(), ".")})
			continue
		}
		listed += len(ids)
		same, err := i.otherNames(ctx, k, resource)
		if err != nil {
			i.left = append(i.left, leftOut{k.Name, "", strings.TrimRight(err.Error(), ".")})
			continue
		}
		var refs []providers.Ref
		for _, id := range ids {
			if _, has := i.objects[objectID{k.Name, id}]; !has && !i.owned[objectID{k.Name, id}] {
				refs = append(refs, providers.Ref{ID: id})
			}
		}
		for n, reading := range resource.Read(ctx, refs) {
			id := refs[n].ID
			switch {
			case reading.Err != nil:
				i.left = append(i.left, leftOut{k.Name, id, strings.TrimRight(reading.Err.Error(), ".")})
			case reading.State == cty.NilVal, len(same) > 0 && same[reading.State.GetAttr("id").AsString()]: // gone meanwhile, or known
			default:
				i.add(k, id, planner.Normalize(k, reading.State), resource)
			}
		}
	}
	if listed == 0 && len(failed) > 0 {
		return failed[0]
	}
	return nil
}

// otherNames are the resource ids of the role assignments that the stack or the ledger has by their principals' names. A list has
// the same ones by the principals' object ids.
func (i *importer) otherNames(ctx context.Context, k *spec.Kind, resource providers.Resource) (map[string]bool, error) {
	if k != azure.RoleAssignment {
		return nil, nil
	}
	var refs []providers.Ref
	for o := range i.owned {
		if o.kind == k.Name {
			refs = append(refs, providers.Ref{ID: o.id})
		}
	}
	for o := range i.objects {
		if o.kind == k.Name && !i.owned[o] {
			refs = append(refs, providers.Ref{ID: o.id})
		}
	}
	same := map[string]bool{}
	for _, reading := range resource.Read(ctx, refs) {
		switch {
		case reading.Err != nil:
			return nil, reading.Err
		case reading.State != cty.NilVal:
			same[reading.State.GetAttr("id").AsString()] = true
		}
	}
	return same, nil
}

func (i *importer) add(k *spec.Kind, id string, state cty.Value, resource providers.Resource) {
	f := &found{kind: k, id: id, state: state, implied: map[string]bool{}}
	f.addr = spec.Addr{Kind: k.Name, Name: spec.LabelFor(called(k, state), i.taken(k.Name))}
	// What the provider makes of the block without an attribute need not be written into it.
	parts := state.AsValueMap()
	for _, a := range k.Attrs {
		if a.Computed {
			parts[a.Name] = cty.UnknownVal(a.Type)
		}
	}
	if v, err := resource.Complete(cty.ObjectVal(parts)); err == nil {
		for _, a := range k.Attrs {
			f.implied[a.Name] = a.Computed && v.GetAttr(a.Name).RawEquals(state.GetAttr(a.Name))
		}
	}
	i.found = append(i.found, f)
	i.objects[objectID{k.Name, id}] = f.addr
}

// called is what a block is labelled after: the object's name, or, for a role on something, the name of that and the role.
func called(k *spec.Kind, state cty.Value) string {
	var parts []string
	for _, a := range k.Attrs {
		switch v := state.GetAttr(a.Name); {
		case v.Type() != cty.String || v.IsNull():
		case a.Name == "name":
			return strings.Trim(v.AsString(), `"`)
		case a.Refs != nil || a.Name == "account" || a.Name == "role":
			text := strings.Trim(v.AsString(), `"`)
			parts = append(parts, text[strings.LastIndexAny(text, "./")+1:])
		}
	}
	return strings.Join(parts, "_")
}

// write makes the text of all that was found and can be described; what cannot is left out.
func (i *importer) write(command string) []byte {
	file := hclwrite.NewEmptyFile()
	var kept []*found
	for _, f := range i.found { // first, so that nothing refers to what is left out
		if _, err := spec.Skeleton(f.kind, f.addr.Name, f.state, i.writer(f)); err != nil {
			i.left = append(i.left, leftOut{f.kind.Name, f.id, err.Error()})
			delete(i.objects, objectID{f.kind.Name, f.id})
			continue
		}
		kept = append(kept, f)
	}
	i.found = kept
	for _, f := range i.found {
		block, _ := spec.Skeleton(f.kind, f.addr.Name, f.state, i.writer(f))
		if f.kind == snowflake.Stage && f.state.GetAttr("storage_integration").IsNull() {
			// Nobody tells a stage's token. That it has one is no harm, and a sas block would make a new one.
			block.Body().AppendNewline()
			block.Body().AppendNewBlock("lifecycle", nil).Body().SetAttributeValue("silence", cty.ObjectVal(map[string]cty.Value{
				"stage-access": cty.StringVal("the stage's token was set outside of mkt"),
			}))
		}
		file.Body().AppendNewline()
		file.Body().AppendBlock(block)
		file.Body().AppendNewline()
		imports := file.Body().AppendNewBlock("import", nil).Body()
		imports.SetAttributeRaw("to", spec.RefTokens(f.addr))
		imports.SetAttributeValue("id", cty.StringVal(f.id))
	}
	head := "# Written by `" + command + "`. The import blocks can go once they are applied.\n"
	return append([]byte(head), spec.Format(file.Bytes())...)
}

// writer writes an object's attributes with references to others where there are some.
func (i *importer) writer(f *found) func(*spec.Attr, cty.Value) spec.Write {
	return func(a *spec.Attr, v cty.Value) spec.Write {
		switch {
		case f.kind.Attr(a.Name) == a && f.implied[a.Name]:
			return spec.Write{Omit: true}
		case v.Type() != cty.String:
			return spec.Write{}
		case f.kind == kafka.Subject && a.Name == "name":
			return spec.Write{Tokens: i.subjectName(v.AsString())}
		case f.kind == kafka.Subject && a.Name == "schema":
			return spec.Write{Tokens: indentedJSON(v.AsString())}
		case f.kind == snowflake.View && a.Name == "sql":
			return spec.Write{Tokens: spec.Heredoc("<<SQL", v.AsString()+"\n", "SQL")}
		}
		for _, kind := range a.Refs {
			if addr, ok := i.objects[objectID{kind, v.AsString()}]; ok && addr.Module == "" { // what is in a module is not seen from here
				return spec.Write{Tokens: spec.RefTokens(addr)}
			}
		}
		return spec.Write{}
	}
}

// subjectName writes the name of a subject that belongs to a topic by the topic's name.
func (i *importer) subjectName(name string) hclwrite.Tokens {
	for _, suffix := range []string{"-value", "-key"} {
		topic, ok := strings.CutSuffix(name, suffix)
		addr, known := i.objects[objectID{kafka.Topic.Name, topic}]
		if !ok || !known || addr.Module != "" {
			continue
		}
		ref := spec.RefTokens(addr, "name")
		return hclwrite.TokensForIdentifier(`"${` + string(ref.Bytes()) + `}` + suffix + `"`)
	}
	return nil
}

func indentedJSON(text string) hclwrite.Tokens {
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "    ", "  "); err != nil {
		return nil
	}
	return spec.Heredoc("<<-JSON", "    "+out.String()+"\n", "  JSON")
}
