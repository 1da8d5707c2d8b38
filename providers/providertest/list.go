package providertest

import (
	"context"
	"slices"
	"testing"

	"mkt/providers"
)

// listed holds a Lister to finding what there is, and to saying so when it cannot.
func (s Suite) listed(t *testing.T) {
	w, b := s.created(t, s.Create)
	lister, ok := w.Provider.Resource(s.Kind.Name).(providers.Lister)
	if !ok {
		t.Skip("the kind is not listed")
	}
	scope := ""
	if s.Scope != nil {
		scope = s.Scope(s.read(t, b, w.Provider).State)
	}
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	ids, err := lister.List(ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	if id := s.entry(t, b).ID; !slices.Contains(ids, id) || !slices.IsSorted(ids) {
		t.Errorf("%q is not in the list, or the list is not in order: %q", id, ids)
	}
	for code, blind := range map[providers.Code]func(*testing.T, World) providers.Provider{providers.Denied: s.Denied, providers.Unavailable: s.Unreachable} {
		if blind == nil || code == providers.Denied && s.Lacks["denied is not missing"] != "" {
			continue
		}
		ids, err := blind(t, w).Resource(s.Kind.Name).(providers.Lister).List(ctx, scope)
		if got := providers.CodeOf(err); got != code {
			t.Errorf("the error has code %q, not %q: %v, %q", got, code, err, ids)
		}
	}
}
