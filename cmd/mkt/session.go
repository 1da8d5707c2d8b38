package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/ledger"
	"mkt/planner"
	"mkt/render"
	"mkt/spec"
)

// session is one loaded stack with its ledger and the systems that it talks to. It is for one command.
type session struct {
	*systems
	store ledger.Store
	owned *ledger.Ledger // nil until it is read

	recovers bool                 // it may go on from an older generation where the newest is damaged: it holds the lock, and saves
	damage   *ledger.DamagedError // from what, if it did
}

// noStack says that there is nothing at the path of -stack; err is of a call on the file system.
func noStack(path string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("there is no stack at %q: %w; name a .hcl file or a directory that holds some", path, err)
}

// load reads the stack. What is wrong with it is printed, and the error is then an exitError.
func (c *cli) load() (*spec.Stack, error) {
	stack, diags, err := c.read()
	if err != nil {
		return nil, err
	}
	return stack, c.report(diags, stack.Files)
}

// read reads the stack and says what is wrong with it; the error is of the flags.
func (c *cli) read() (*spec.Stack, hcl.Diagnostics, error) {
	if c.parallelism < 1 {
		return nil, nil, fmt.Errorf("-parallelism %d does nothing at all: write 1 or more", c.parallelism)
	}
	vars := map[string]string{}
	for _, v := range c.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, nil, fmt.Errorf("-var %q is not of the form name=value", v)
		}
		vars[name] = value
	}
	stack, diags := spec.Load(c.stackPath, spec.Options{
		Kinds: resourceKinds(), App: spec.AppKinds(), Providers: providerKinds(),
		Vars: vars, VarFiles: c.varFiles, Getenv: c.getenv, Version: strings.TrimPrefix(version, "v"),
	})
	c.files = stack.Files
	return stack, diags, nil
}

// report prints diagnostics; with an error among them it returns an exitError. Under -json errors go to the results.
func (c *cli) report(diags hcl.Diagnostics, files map[string]*hcl.File) error {
	switch {
	case len(diags) == 0:
		return nil
	case c.json && diags.HasErrors():
		write := render.JSON
		if c.lines {
			write = render.JSONLine
		}
		if err := write(c.out, map[string]any{"diagnostics": render.DiagnosticsJSON(diags)}); err != nil {
			return err
		}
	case !c.json:
		c.view(c.err).Diagnostics(diags, files)
	}
	if diags.HasErrors() {
		return exitError(exitFailed)
	}
	return nil
}

// openLedger loads the stack and returns where its ledger is, for commands that ask no system.
func (c *cli) openLedger() (ledger.Store, error) {
	stack, err := c.load()
	if err != nil {
		return nil, err
	}
	return c.ledgerStore(stack)
}

// open loads the stack, finds its ledger and makes ready to reach its systems. The caller closes the session.
func (c *cli) open(ctx context.Context) (*session, error) {
	stack, err := c.load()
	if err != nil {
		return nil, err
	}
	store, err := c.ledgerStore(stack)
	if err != nil {
		return nil, err
	}
	s := &session{store: store}
	// The hashes stay comparable as long as the ledger lives: its key is theirs.
	s.systems = c.newSystems(stack, func() ([]byte, error) {
		owned, err := s.ledger(ctx)
		if err != nil {
			return nil, err
		}
		return []byte(owned.DigestBytes([]byte("private notes of providers"))), nil
	})
	s.notes = store
	return s, nil
}

// ledger returns the stack's ledger, read when first asked for: after the lock is taken, where one is.
func (s *session) ledger(ctx context.Context) (*ledger.Ledger, error) {
	if s.owned != nil {
		return s.owned, nil
	}
	owned, err := s.store.Load(ctx)
	if s.recovers && errors.As(err, &s.damage) {
		if owned = s.damage.Recover(time.Now()); owned != nil {
			err = nil
		}
	}
	if err == nil {
		s.owned = owned
	}
	return owned, err
}

// recovered says from what the ledger was recovered, and what that means.
func (s *session) recovered() hcl.Diagnostics {
	warning := func(text string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Ledger recovered", Detail: fmt.Sprintf(text, args...)}}
	}
	switch r := s.owned.Recovered; {
	case s.owned.Unsaved() && r == nil:
		return warning("The ledger %s cannot be read: %v. The apply that came upon it put aside what it knew, and this goes on from there; nothing is lost.", s.damage.Where, s.damage.Err)
	case s.owned.Unsaved():
		return warning("The ledger %s cannot be read: %v. This goes on from an older generation, serial %d. What was made since is found again where it is as the stack "+
			"has it, and nothing is deleted or replaced that the ledger does not have.", s.damage.Where, s.damage.Err, r.Serial)
	case r != nil:
		return warning("The ledger goes on from an older generation, serial %d, since %s, and no apply has looked at all of the stack since then.", r.Serial, r.Since.Local().Format(time.DateTime))
	}
	return nil
}

// saveRecovered makes a recovered ledger the newest generation where there is nothing else to do. It reports whether it did.
func (s *session) saveRecovered(ctx context.Context, complete bool) (bool, error) {
	if !s.owned.Unsaved() && (s.owned.Recovered == nil || !complete) {
		return false, nil
	}
	if complete {
		s.owned.Recovered = nil
	}
	return true, s.store.Save(ctx, s.owned)
}

// ledgerStore returns where the stack's ledger is. Under -local it is a file of this machine whatever the stack says:
// what exists in the embedded stack is nobody else's, says nothing about the clouds, and dies with its folder.
func (c *cli) ledgerStore(stack *spec.Stack) (ledger.Store, error) {
	l := stack.Settings.Ledger
	switch {
	case c.local:
		return ledger.NewFile(filepath.Join(stateDir(stack.Dir), "ledger", stack.Name+".json")), nil
	case l == nil:
		return ledger.NewFile(filepath.Join(stack.Dir, stack.Name+".ledger.json")), nil
	case l.Type == "azure":
		return c.teamLedger(stack, l)
	case filepath.IsAbs(l.Path):
		return ledger.NewFile(l.Path), nil
	}
	return ledger.NewFile(filepath.Join(stack.Dir, l.Path)), nil
}

// planOptions are the flags of everything that plans.
type planOptions struct {
	targets []string
	replace []string
	adopt   []string
	destroy bool
	allow   []string       // addresses that may be destroyed although they hold data, or "all"
	saved   *planner.Saved // takes the place of the others
	look    bool           // nothing will be changed by it, so the checks across systems are not asked
}

// plan makes a plan of the stack as it is now. Its diagnostics are not printed yet.
func (s *session) plan(ctx context.Context, o planOptions) (*planner.Plan, hcl.Diagnostics, error) {
	owned, err := s.ledger(ctx)
	if err != nil {
		return nil, nil, err
	}
	targets, err := parseAddrs("target", o.targets)
	if err != nil {
		return nil, nil, err
	}
	replace, err := parseAddrs("replace", o.replace)
	if err != nil {
		return nil, nil, err
	}
	if o.destroy && len(replace) > 0 {
		return nil, nil, errors.New("-destroy deletes what the stack owns and makes nothing again: leave -replace out")
	}
	adopt, err := parseAddrs("adopt", o.adopt)
	if err != nil {
		return nil, nil, err
	}
	var all bool
	var allow []string
	for _, a := range o.allow {
		if a == "all" {
			all = true
		} else {
			allow = append(allow, a)
		}
	}
	allowed, err := parseAddrs("allow-destroy", allow)
	if err != nil {
		return nil, nil, err
	}
	in := planner.Input{
		Stack: s.stack, Ledger: owned, Targets: targets, Replace: replace, Adopt: adopt, Destroy: o.destroy, Parallelism: s.c.parallelism,
		Providers: s.providerFunc(ctx), AllowDestroy: allowed, AllowDestroyAll: all,
	}
	if o.saved != nil {
		if err := o.saved.Options(&in); err != nil {
			return nil, nil, err
		}
	}
	p, diags := planner.New(ctx, in)
	if diags.HasErrors() {
		diags = append(diags, s.otherLedger(ctx)...)
	}
	diags = append(s.recovered(), diags...)
	switch {
	case o.saved == nil:
	case diags.HasErrors():
		diags = append(o.saved.VerifyVariables(s.stack), diags...)
	default:
		diags = append(diags, o.saved.Verify(p)...)
	}
	if !o.look && p.Scope != nil && !diags.HasErrors() {
		diags = append(diags, s.check(ctx, p, in.Targets)...)
	}
	return p, diags, nil
}

// parseAddrs reads the values of a flag that takes addresses, those of modules too.
func parseAddrs(flag string, names []string) ([]spec.Addr, error) {
	var addrs []spec.Addr
	for _, name := range names {
		addr, ok := spec.ParseTarget(name)
		if !ok || addr.Kind == "" && (flag == "adopt" || flag == "replace") { // those are looked at one by one
			return nil, fmt.Errorf("-%s %q is no address; write kafka_topic.prices or kafka_topic.prices[\"eu\"]", flag, name)
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// lock takes the ledger's lock for an operation that changes things.
func (s *session) lock(ctx context.Context, operation string, wait time.Duration) (ledger.Lock, error) {
	return s.store.Lock(ctx, ledger.Me(operation), wait)
}

// openPlan loads the stack and plans it, for commands that look at what is there. The caller closes the session.
func (c *cli) openPlan(ctx context.Context) (*session, *planner.Plan, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, diags, err := s.plan(ctx, planOptions{look: true})
	if err == nil {
		err = c.report(diags, s.stack.Files)
	}
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, p, nil
}
