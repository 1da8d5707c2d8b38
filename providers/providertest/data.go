package providertest

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"mkt/planner"
	"mkt/providers"
)

// asData has a stack that does not own the subject read it by a data block, which is given all that may be a part of the name.
func (s Suite) asData(t *testing.T) {
	w, b := s.created(t, s.Create)
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	// As somebody sees it who has not made it.
	there := w.Provider.Resource(s.Kind.Name).Read(ctx, []providers.Ref{{ID: s.entry(t, b).ID}})[0]
	if there.Err != nil {
		t.Fatal(there.Err)
	}
	state := planner.Normalize(s.Kind, there.State)
	var stack strings.Builder
	stack.WriteString("data \"" + s.Kind.Name + "\" \"it\" {\n")
	for _, name := range s.Kind.Names() {
		if v := state.GetAttr(name); !v.IsNull() {
			stack.WriteString(name + " = " + string(hclwrite.TokensForValue(v).Bytes()) + "\n")
		}
	}
	stack.WriteString("}\n")
	stranger := *b
	stranger.Dir = t.TempDir()
	p := stranger.MustPlan(t, stack.String())
	if len(p.Data) != 1 || len(p.Changes) != 0 || p.Data[0].ID != s.entry(t, b).ID || !p.Data[0].Value.RawEquals(state) {
		t.Errorf("%s\nread %#v, and it is %#v\n%s", stack.String(), p.Data, state, Dump(p))
	}
	stranger.MustBeEmpty(t, stack.String())
	if l := stranger.Ledger(t); len(l.Entries)+len(l.Intents) > 0 {
		t.Errorf("it is in the ledger: %v", l.Addrs())
	}
}
