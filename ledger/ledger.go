// Package ledger is what mkt owns: for each address the object's name and incarnation, whether it is protected, what
// it depends on, and digests of what was last applied. It is not a copy of the world: attribute values and secrets
// are never in it, and the systems stay the truth about their objects.
//
// Digests are keyed (HMAC-SHA256) with a random key of the ledger's own, kept in the ledger itself. Everybody who
// plans must be able to compare digests, so the key has to travel with them; a key kept elsewhere would make each
// colleague's plan report changes that nobody made. The key makes digests of equal values differ between ledgers and
// precomputed tables useless. It does not stop somebody who has the ledger from testing guesses of a short value, so
// the file is readable by its owner alone (0600), and a secret belongs into it no more than into a shell history.
//
// The package knows addresses and values, and nothing of plans or providers.
package ledger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"mkt/spec"
)

// Version is the version of the format that this package writes, and the newest that it reads.
const Version = 1

// Ledger is what one stack owns. It is not safe for concurrent use.
type Ledger struct {
	Lineage string // random; the same for all generations of one ledger
	Serial  uint64 // 0: never saved; Store.Save adds one
	Entries map[spec.Addr]*Entry
	Intents map[spec.Addr]Intent
	Waits   map[spec.Addr]Wait // changes that a person has to do something for, since the last apply
	Outputs map[string]string  // digests of the outputs' values, by name
	// Recovered is set when this ledger goes on from an older generation: objects may be mkt's that are not in it. Until an apply
	// has looked at all of the stack, what is as the stack has it is taken for mkt's.
	Recovered *Recovered

	key  []byte
	over *generation // what it goes on from where what is stored is damaged, until it is saved
}

// Recovered says which generation a ledger goes on from.
type Recovered struct {
	Serial uint64    `json:"serial"`
	Since  time.Time `json:"since"`
}

// Recover notes that objects may be mkt's that are not in the ledger.
func (l *Ledger) Recover(now time.Time) {
	if l.Recovered == nil {
		l.Recovered = &Recovered{Serial: l.Serial, Since: now.UTC().Truncate(time.Second)}
	}
}

// Saved ends the recovery: a store has it, and what was damaged is overwritten.
func (l *Ledger) Saved() { l.over = nil }

// Unsaved reports whether the ledger was recovered and what is stored is still the damaged one.
func (l *Ledger) Unsaved() bool { return l.over != nil }

// Entry is one owned object.
type Entry struct {
	ID          string            `json:"id"`
	Incarnation string            `json:"incarnation,omitempty"` // tells the object from others of that name
	Protected   bool              `json:"protected,omitempty"`   // prevent_destroy, which outlives its block
	Deps        []string          `json:"deps,omitempty"`        // addresses of the blocks it directly depends on
	Digests     map[string]string `json:"digests,omitempty"`     // of what was last applied, by path
	Private     map[string]string `json:"private,omitempty"`     // the provider's own notes
}

// The operations that an intent announces.
const (
	OpCreate = "create"
	OpUpdate = "update"
	OpDelete = "delete"
)

// Intent is written before a remote call and removed when its outcome is in the ledger. One that is found at plan
// belongs to a run that was killed: the call may or may not have happened.
type Intent struct {
	ID    string    `json:"id"`
	Op    string    `json:"op"`
	Since time.Time `json:"since"`
}

// Wait says what a person has to do before a change can be made. No secret is in it.
type Wait struct {
	For   string    `json:"for"`   // what is waited for, a sentence part
	Steps []string  `json:"steps"` // what to do, in order
	Since time.Time `json:"since"` // when an apply first came upon it
}

// New returns an empty ledger of a new lineage.
func New() *Ledger {
	lineage := make([]byte, 16)
	key := make([]byte, 32)
	_, _ = rand.Read(lineage) // never fails: crypto/rand ends the process instead
	_, _ = rand.Read(key)
	return &Ledger{
		Lineage: hex.EncodeToString(lineage),
		Entries: map[spec.Addr]*Entry{},
		Intents: map[spec.Addr]Intent{},
		Waits:   map[spec.Addr]Wait{},
		Outputs: map[string]string{},
		key:     key,
	}
}

// Digest returns the keyed digest of a wholly known value. Equal values of one type have equal digests.
func (l *Ledger) Digest(v cty.Value) string {
	v, _ = v.UnmarkDeep()
	if !v.IsWhollyKnown() {
		return ""
	}
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil { // a capsule: nothing that a stack's attribute can be
		return ""
	}
	return l.DigestBytes(text)
}

// DigestBytes returns the keyed digest of text: 16 characters for 96 bits.
func (l *Ledger) DigestBytes(text []byte) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// Forget gives up an object without touching it. It reports whether the address was known.
func (l *Ledger) Forget(addr spec.Addr) bool {
	_, entry := l.Entries[addr]
	_, intent := l.Intents[addr]
	delete(l.Entries, addr)
	delete(l.Intents, addr)
	delete(l.Waits, addr)
	return entry || intent
}

// Addrs returns the owned addresses in order.
func (l *Ledger) Addrs() []spec.Addr {
	return slices.SortedFunc(maps.Keys(l.Entries), spec.Addr.Compare)
}
