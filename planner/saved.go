package planner

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// SavedVersion is the version of the file that Save writes.
const SavedVersion = 1

// Saved is what a plan file holds: not the plan, but what binds an apply to it. No value is in it, only keyed
// digests. Applying it means planning again and refusing when anything came out differently (Verify). The key is the
// file's own, so that a plan can be saved before there is a ledger.
type Saved struct {
	Version   int               `json:"mkt_plan"`
	Made      time.Time         `json:"made"`
	Key       []byte            `json:"key"`   // of this file's digests
	Stack     string            `json:"stack"` // its absolute path
	Config    string            `json:"config"`
	Variables map[string]string `json:"variables,omitempty"`
	Lineage   string            `json:"lineage"`
	Serial    uint64            `json:"serial"`
	Destroy   bool              `json:"destroy,omitempty"`
	Targets   []string          `json:"targets,omitempty"`
	Replace   []string          `json:"replace,omitempty"`
	Adopt     []string          `json:"adopt,omitempty"`
	// AllowDestroy are the addresses that may be destroyed although they hold data.
	AllowDestroy    []string      `json:"allow_destroy,omitempty"`
	AllowDestroyAll bool          `json:"allow_destroy_all,omitempty"`
	Changes         []SavedChange `json:"changes,omitempty"`
}

// SavedChange binds one change. No-ops are bound as well: what they are decides about others.
type SavedChange struct {
	Address string `json:"address"`
	Action  string `json:"action"`
	ID      string `json:"id,omitempty"`
	Before  string `json:"before,omitempty"` // fingerprint of the actual object
	After   string `json:"after,omitempty"`  // fingerprint of what it is to be, the unknown parts as unknown
}

// NewSaved returns what binds an apply to the plan.
func NewSaved(p *Plan) *Saved {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return bind(p, key)
}

func bind(p *Plan, key digestKey) *Saved {
	l := p.in.Ledger
	s := &Saved{
		Key:     key,
		Version: SavedVersion, Made: p.in.Now().UTC().Truncate(time.Second), Stack: p.in.Stack.Dir,
		Config: key.digest([]byte(p.in.Stack.ConfigHash())), Variables: variables(p.in.Stack, key),
		Lineage: l.Lineage, Serial: l.Serial, Destroy: p.Destroy,
		Targets: addrTexts(p.in.Targets), Replace: addrTexts(p.in.Replace), Adopt: addrTexts(p.in.Adopt),
		AllowDestroy: addrTexts(p.in.AllowDestroy), AllowDestroyAll: p.in.AllowDestroyAll,
	}
	for _, c := range p.Changes {
		saved := SavedChange{Address: c.Addr.String(), Action: string(c.Action), ID: c.ID,
			Before: key.fingerprint(c.Before), After: key.fingerprint(c.After)}
		if c.Before != cty.NilVal && c.live != nil {
			saved.Before += "/" + key.digest([]byte(c.live.incarnation))
		}
		s.Changes = append(s.Changes, saved)
	}
	return s
}

func addrTexts(addrs []spec.Addr) (texts []string) {
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	return texts
}

// Save writes the plan file, readable by its owner alone.
func Save(path string, p *Plan) error {
	if p.failed {
		return errors.New("save plan: it has errors")
	}
	text, err := json.MarshalIndent(NewSaved(p), "", " ")
	if err == nil {
		err = renameio.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err // the path is that of a temporary file
		}
		return fmt.Errorf("save plan %s: %w", path, err)
	}
	return nil
}

// LoadSaved reads a plan file.
func LoadSaved(path string) (*Saved, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("read plan %s: %w", path, err)
	}
	var s Saved
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read plan %s: it is damaged or no plan: %w", path, err)
	}
	switch {
	case s.Version == 0:
		return nil, fmt.Errorf("read plan %s: it is no plan of mkt", path)
	case s.Version != SavedVersion:
		return nil, fmt.Errorf("read plan %s: it has version %d, and this mkt reads %d; plan again", path, s.Version, SavedVersion)
	}
	return &s, nil
}

// Options puts what the plan was made with into an input: targets, what is replaced and taken over, destroy. What may be destroyed is added
// to what the input allows itself.
func (s *Saved) Options(in *Input) error {
	in.Destroy = s.Destroy
	in.AllowDestroyAll = in.AllowDestroyAll || s.AllowDestroyAll
	allowed := in.AllowDestroy
	for _, list := range []struct {
		texts []string
		to    *[]spec.Addr
	}{{s.Targets, &in.Targets}, {s.Replace, &in.Replace}, {s.Adopt, &in.Adopt}, {s.AllowDestroy, &in.AllowDestroy}} {
		*list.to = nil
		for _, text := range list.texts {
			addr, ok := spec.ParseTarget(text)
			if !ok {
				return fmt.Errorf("read plan: %q is no address", text)
			}
			*list.to = append(*list.to, addr)
		}
	}
	in.AllowDestroy = append(in.AllowDestroy, allowed...)
	return nil
}

// Verify compares a plan made now with the saved one; where they differ nothing may be applied, and one error says all that differs.
func (s *Saved) Verify(p *Plan) hcl.Diagnostics {
	return stale(s.differences(bind(p, s.Key)))
}

// VerifyVariables is Verify of the variables alone, for a plan that has errors: they may follow from another value.
func (s *Saved) VerifyVariables(stack *spec.Stack) hcl.Diagnostics {
	return stale(s.otherVariables(variables(stack, s.Key)))
}

func stale(reasons []string) hcl.Diagnostics {
	if len(reasons) == 0 {
		return nil
	}
	return hcl.Diagnostics{failure("Saved plan is stale", "%s\nNothing was done: plan again, and look at the new plan.", strings.Join(reasons, "\n"))}
}

// variables are the fingerprints of the variables' values.
func variables(stack *spec.Stack, key digestKey) map[string]string {
	prints := map[string]string{}
	for _, v := range stack.Variables() {
		prints[v.Name] = key.fingerprint(v.Value)
	}
	return prints
}

// otherVariables says which variables have other values now.
func (s *Saved) otherVariables(now map[string]string) (reasons []string) {
	for _, name := range unionKeys(s.Variables, now) {
		if s.Variables[name] != now[name] {
			reasons = append(reasons, fmt.Sprintf("The variable %q has another value than when it was made: give apply that one again, by -var, -var-file or MKT_VAR_%s.", name, name))
		}
	}
	return reasons
}

// differences says, a sentence each, in what the plan is not what it was.
func (s *Saved) differences(now *Saved) (reasons []string) {
	if s.Lineage != now.Lineage && s.Serial+now.Serial > 0 { // one that was never saved has none
		if s.Serial == 0 {
			return []string{"It was made before anything was applied, and something has been since, perhaps this very plan."}
		}
		return []string{"It was made with another ledger."}
	}
	reasons = s.otherVariables(now.Variables)
	if len(reasons) == 0 && s.Config != now.Config {
		reasons = append(reasons, "The stack's files, or files and variables that they read, changed since it was made.")
	}
	if s.Serial != now.Serial {
		reasons = append(reasons, fmt.Sprintf("The ledger has changed since it was made (serial %d, now %d): something was applied in between.", s.Serial, now.Serial))
	}
	return append(reasons, s.changed(now)...)
}

// changed says which blocks would become something else, with those of one reason in one sentence.
func (s *Saved) changed(now *Saved) (reasons []string) {
	addrs := map[string][]string{} // by what is said of them
	say := func(addr, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if addrs[text] == nil {
			reasons = append(reasons, text)
		}
		addrs[text] = append(addrs[text], addr)
	}
	then := map[string]SavedChange{}
	for _, c := range s.Changes {
		then[c.Address] = c
	}
	for _, c := range now.Changes {
		old, known := then[c.Address]
		delete(then, c.Address)
		switch {
		case old == c:
		case !known:
			say(c.Address, "not in the saved plan")
		case old.Action != c.Action:
			say(c.Address, "it says %s, and now it would be %s", actionText(old.Action), actionText(c.Action))
		case old.Before != c.Before:
			say(c.Address, "the object changed since it was made")
		default:
			say(c.Address, "it would become something else than was shown")
		}
	}
	for _, c := range s.Changes {
		if _, left := then[c.Address]; left {
			say(c.Address, "in the saved plan, and not in one made now")
		}
	}
	for i, text := range reasons {
		reasons[i] = names(addrs[text]) + ": " + text + "."
	}
	return reasons
}

func actionText(action string) string {
	switch Action([]rune(action + " ")[0]) {
	case Create:
		return "create"
	case Update:
		return "update"
	case Replace:
		return "replace"
	case Delete:
		return "delete"
	}
	return "no change"
}

// digestKey is the key of a plan file's digests.
type digestKey []byte

func (k digestKey) digest(text []byte) string {
	mac := hmac.New(sha256.New, k)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// fingerprint is the digest of a value that may be partly unknown; "" for none.
func (k digestKey) fingerprint(v cty.Value) string {
	if v == cty.NilVal {
		return ""
	}
	var text bytes.Buffer
	canonical(&text, v)
	return k.digest(text.Bytes())
}

// canonical writes a value so that different values have different texts.
func canonical(w *bytes.Buffer, v cty.Value) {
	switch ty := v.Type(); {
	case !v.IsKnown():
		w.WriteByte('?')
	case v.IsNull():
		w.WriteByte('0')
	case ty == cty.String:
		w.WriteString(strconv.Quote(v.AsString()))
	case ty == cty.Number:
		w.WriteString(v.AsBigFloat().Text('p', 0))
	case ty == cty.Bool:
		w.WriteString(strconv.FormatBool(v.True()))
	default:
		w.WriteByte('[')
		for it := v.ElementIterator(); it.Next(); {
			key, elem := it.Element()
			if !ty.IsSetType() {
				canonical(w, key)
				w.WriteByte(':')
			}
			canonical(w, elem)
			w.WriteByte(',')
		}
		w.WriteByte(']')
	}
}
