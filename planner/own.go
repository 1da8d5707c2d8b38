package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/internal/shell"
	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// own finds the object that an instance stands for and whether it is ours. ok is false when that could not be told,
// or is refused; the reason is in the diagnostics then.
func (p *planning) own(w *wanted) (c *Change, ok bool) {
	addr, b := w.inst.Addr, w.inst.Block
	c = &Change{Addr: addr, Kind: b.Kind, ID: w.id, Deps: resourceDeps(p.in.Stack, b), Sensitive: w.inst.Sensitive, Range: b.Range,
		inst: w.inst, live: &live{}}
	entry, from := p.entry(addr)
	if from != addr {
		c.Moved, c.Record = from, true
	}
	if entry == nil && w.id != "" {
		if from, owned := p.owners[objectKey{addr.Kind, w.id}]; owned {
			if p.wanted[from] != nil {
				p.exists(w, "It is owned by "+from.String()+" of this stack, which is to become another object in the same apply. Do it in two steps.")
				return nil, false
			}
			entry, c.Moved, c.Record = p.in.Ledger.Entries[from], from, true
		}
	}
	intent, intended := p.intent(w)
	c.live.announced = intended
	c.Record = c.Record || intended
	if entry == nil {
		return c, p.ownNew(c, w, intended)
	}
	c.live.entry, c.live.private = entry, entry.Private

	reading := p.reader.of(b.Kind, entry.ID)
	if reading.Err != nil {
		p.unreadable(addr, w, reading.Err)
		return nil, false
	}
	if w.id != "" && w.id != entry.ID { // under a new name: that name must be free
		if other := p.reader.of(b.Kind, w.id); other.Err != nil {
			p.unreadable(addr, w, other.Err)
			return nil, false
		} else if other.State != cty.NilVal {
			if p.in.Ledger.Recovered != nil && reading.State == cty.NilVal { // renamed since, it seems
				c.live.entry = nil
				return c, p.ownNew(c, w, false)
			}
			why := ""
			if from, owned := p.owners[objectKey{addr.Kind, w.id}]; owned {
				why = "It is that of " + from.String() + " in this stack's ledger. Rename, move or remove that in an apply of its own first."
			}
			p.exists(w, why)
			return nil, false
		}
	}
	if reading.State == cty.NilVal {
		if !intended {
			c.Why = "it was removed outside of mkt"
		}
		return c, true
	}
	c.live.id, c.live.incarnation = entry.ID, reading.Incarnation
	c.Before = completeState(b.Kind, reading.State, w.value)
	if other := replacedOutside(entry, reading); other && !p.adopt[addr] && !(intended && intent.Op != ledger.OpDelete) {
		c.live.foreign = true
		c.Record = true
	}
	c.Record = c.Record || reading.Incarnation != entry.Incarnation ||
		entry.Protected != b.Lifecycle.PreventDestroy || !slices.Equal(entry.Deps, depTexts(c.Deps))
	return c, true
}

// ownNew decides about an instance that owns nothing yet.
func (p *planning) ownNew(c *Change, w *wanted, intended bool) bool {
	reading := p.reader.of(c.Kind, w.id)
	imports, ok := p.importing(w)
	switch {
	case !ok:
		return false
	case imports && (w.id == "" || reading.Err == nil && reading.State == cty.NilVal):
		p.nothingToImport(w)
		return false
	case w.id == "":
		return true // a name that only apply can tell: the create finds out
	case reading.Err != nil:
		p.unreadable(c.Addr, w, reading.Err)
		return false
	case reading.State == cty.NilVal:
		return true
	case !intended && !p.adopt[c.Addr] && !imports:
		if p.in.Ledger.Recovered == nil {
			p.exists(w, "")
			return false
		}
		c.live.lost = true // or so it seems: once it is compared, conclude decides
	}
	c.live.id, c.live.incarnation = w.id, reading.Incarnation
	c.Before = completeState(c.Kind, reading.State, w.value)
	c.Record = true
	c.Why = "it exists already and is taken over"
	switch {
	case intended:
		c.Why = "it was created by an apply that was interrupted"
	case c.live.lost:
		c.Why = "it is as the stack has it: it was made after the generation that the ledger was recovered from"
	}
	return true
}

// differsFromLost says that an object cannot be one that the lost generation of the ledger had, as far as that can be told.
func (p *planning) differsFromLost(w *wanted, c *Change) {
	var names []string
	for _, a := range c.Attrs {
		if name := PathText(a.Path[:1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	differs := "is to be replaced"
	if len(names) > 0 {
		differs = "differs from its block in " + strings.Join(names, ", ")
	}
	p.exists(w, fmt.Sprintf("The ledger was recovered from serial %d, which does not have it, and it %s, so nothing proves that mkt made it. "+
		"If it is this stack's, take it over with `mkt apply -adopt %s`.", p.in.Ledger.Recovered.Serial, differs, shell.Word(c.Addr.String())))
}

// intent returns the intent of an interrupted apply that covers the instance's object.
func (p *planning) intent(w *wanted) (ledger.Intent, bool) {
	e, from := p.entry(w.inst.Addr)
	i, ok := p.in.Ledger.Intents[from]
	if ok && (i.ID == "" || i.ID == w.id || w.id == "") {
		return i, true
	}
	if ok && e != nil && i.ID == e.ID {
		return i, true
	}
	return ledger.Intent{}, false
}

// replacedOutside compares incarnations, where the system has such a thing.
func replacedOutside(e *ledger.Entry, r providers.Reading) bool {
	return e.Incarnation != "" && r.Incarnation != "" && e.Incarnation != r.Incarnation
}

func (p *planning) exists(w *wanted, why string) {
	addr := w.inst.Addr
	if why == "" {
		word := shell.Word(addr.String())
		why = "It is not in this stack's ledger, so mkt did not make it and will not touch it. Take it over with `mkt apply -adopt " +
			word + "` or `mkt import " + word + " " + shell.Word(w.id) + "`, or choose another name."
	}
	p.diags = append(p.diags, failureAt(blame(w.inst, w.inst.Block.Range, nil), "Object exists already",
		"%s: the %s %q exists already. %s", addr, addr.Kind, w.id, why))
}

// unreadable is the failure of one reading: unknown is not missing, so nothing is planned for the object.
func (p *planning) unreadable(addr spec.Addr, w *wanted, err error) {
	if err == errNoProvider { //nolint:errorlint // a mark of this package, never wrapped
		return
	}
	rng := w.inst.Block.Range
	p.failed.add(addr, blame(w.inst, rng, err), readSummary(err),
		"the present state could not be read, so it is unknown and nothing can be planned for it: "+sentence(err))
}

func readSummary(err error) string {
	switch providers.CodeOf(err) {
	case providers.Denied:
		return "Access denied"
	case providers.Unconfigured:
		return "Connection not set up"
	case providers.Unavailable, providers.Throttled:
		return "System not reachable"
	}
	return "State not readable"
}

// resourceDeps are the resources among a block's dependencies.
func resourceDeps(s *spec.Stack, b *spec.Block) []spec.Addr {
	var deps []spec.Addr
	for _, dep := range b.Deps {
		if other := s.Block(dep); other != nil && other.Managed() {
			deps = append(deps, dep)
		}
	}
	return deps
}

func depTexts(deps []spec.Addr) []string {
	var texts []string
	for _, dep := range deps {
		texts = append(texts, dep.String())
	}
	return texts
}
