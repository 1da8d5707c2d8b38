package planner

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"mkt/providers"
	"mkt/spec"
)

// systems finds the resource of each kind, and asks for each provider once.
type systems struct {
	get       func(system string) (providers.Provider, error)
	providers map[string]providers.Provider
	resources map[string]providers.Resource
	failed    map[string]bool
	diags     hcl.Diagnostics
}

func newSystems(get func(string) (providers.Provider, error)) *systems {
	return &systems{get: get, providers: map[string]providers.Provider{}, resources: map[string]providers.Resource{}, failed: map[string]bool{}}
}

// resource returns what manages a kind, or nil after it has said why there is none.
func (s *systems) resource(k *spec.Kind) providers.Resource {
	if r, ok := s.resources[k.Name]; ok {
		return r
	}
	p := s.provider(k.System)
	if p == nil {
		s.resources[k.Name] = nil
		return nil
	}
	r := p.Resource(k.Name)
	if r == nil {
		s.diags = append(s.diags, failure("Kind not served",
			"The %s provider does not manage %s. This is a bug of mkt: please report it.", k.System, k.Name))
	}
	s.resources[k.Name] = r
	return r
}

func (s *systems) provider(system string) providers.Provider {
	if s.failed[system] {
		return nil
	}
	if p, ok := s.providers[system]; ok {
		return p
	}
	p, err := s.get(system)
	if err != nil {
		s.failed[system] = true
		var said hcl.Diagnostics
		if errors.As(err, &said) {
			for _, d := range said {
				if !slices.Contains(s.diags, d) { // what one provider lacks for the same reason as another is said once
					s.diags = append(s.diags, d)
				}
			}
			return nil
		}
		s.diags = append(s.diags, failure("Provider not usable", "The %s provider cannot be used: %s", system, sentence(err)))
		return nil
	}
	s.providers[system] = p
	return p
}

// reader reads each object once, all objects of a kind in one call, all kinds at once.
type reader struct {
	systems *systems
	want    map[string]map[string]providers.Ref     // kind → id
	got     map[string]map[string]providers.Reading // kind → id
	kinds   map[string]*spec.Kind
	limit   int
	calls   int
}

func newReader(s *systems, limit int) *reader {
	return &reader{systems: s, limit: limit, want: map[string]map[string]providers.Ref{},
		got: map[string]map[string]providers.Reading{}, kinds: map[string]*spec.Kind{}}
}

// add asks for an object unless it was read already. What the ledger has in Private wins over nothing.
func (r *reader) add(k *spec.Kind, ref providers.Ref) {
	if ref.ID == "" {
		return
	}
	if _, done := r.got[k.Name][ref.ID]; done {
		return
	}
	if r.want[k.Name] == nil {
		r.want[k.Name] = map[string]providers.Ref{}
		r.kinds[k.Name] = k
	}
	if old, asked := r.want[k.Name][ref.ID]; !asked || old.Private == nil {
		r.want[k.Name][ref.ID] = ref
	}
}

// read sends what was asked for.
func (r *reader) read(ctx context.Context) {
	type batch struct {
		kind     *spec.Kind
		resource providers.Resource
		refs     []providers.Ref
		readings []providers.Reading
	}
	var batches []*batch
	for name, wanted := range r.want {
		b := &batch{kind: r.kinds[name], resource: r.systems.resource(r.kinds[name])}
		for _, ref := range wanted {
			b.refs = append(b.refs, ref)
		}
		sort.Slice(b.refs, func(i, j int) bool { return b.refs[i].ID < b.refs[j].ID })
		batches = append(batches, b)
	}
	clear(r.want)
	var g errgroup.Group
	g.SetLimit(r.limit)
	for _, b := range batches {
		if b.resource == nil {
			continue
		}
		r.calls++
		g.Go(func() error {
			b.readings = b.resource.Read(ctx, b.refs)
			for i := range b.readings {
				if b.readings[i].Err == nil {
					b.readings[i].State = Normalize(b.kind, b.readings[i].State)
				}
			}
			return nil
		})
	}
	_ = g.Wait()
	for _, b := range batches {
		if r.got[b.kind.Name] == nil {
			r.got[b.kind.Name] = make(map[string]providers.Reading, len(b.refs))
		}
		for i, ref := range b.refs {
			reading := providers.Reading{Err: errNoProvider}
			if i < len(b.readings) {
				reading = b.readings[i]
			} else if b.resource != nil {
				reading.Err = errShort
			}
			r.got[b.kind.Name][ref.ID] = reading
		}
	}
}

// of returns the reading of an object that was asked for.
func (r *reader) of(k *spec.Kind, id string) providers.Reading { return r.got[k.Name][id] }
