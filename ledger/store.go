package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"time"

	"mkt/internal/shell"
)

// Store keeps one ledger. A save that returned nil is on stable storage. Store retries what is transient; callers retry nothing.
type Store interface {
	// Load returns the newest generation, or an empty ledger of a new lineage where there is none yet. One that cannot
	// be read is a *DamagedError.
	Load(ctx context.Context) (*Ledger, error)
	// Save makes l the newest generation and adds one to its Serial. It is atomic, keeps the generation before, and
	// fails with a *StaleError when the stored generation is not the one that l came from. The caller holds the lock.
	Save(ctx context.Context, l *Ledger) error
	// Lock waits up to wait for the lock. While another holds it the error is a *HeldError.
	Lock(ctx context.Context, holder Holder, wait time.Duration) (Lock, error)
	Notes
}

// Notes are texts that a store keeps beside its ledger for whoever applies next, such as histories that are too long for
// it. A name has letters, digits and ._- only.
type Notes interface {
	// Keep replaces a note; when it returns nil the text is on stable storage. The last writer wins.
	Keep(ctx context.Context, name string, text []byte) error
	// Kept returns a note, nil where there is none.
	Kept(ctx context.Context, name string) ([]byte, error)
}

// Lock is a held lock.
type Lock interface {
	// Lost is closed when the lock is no longer held although Unlock was not called (a lease that could not be
	// renewed). Nil where that cannot happen.
	Lost() <-chan struct{}
	Unlock() error
}

// Holder says who holds a lock, for the one who has to wait.
type Holder struct {
	Who       string    `json:"who"` // user@host
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	Operation string    `json:"operation"` // "apply", "destroy"
}

// Me returns this process as the holder of a lock for an operation.
func Me(operation string) Holder {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Holder{Who: name + "@" + host, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Operation: operation}
}

func (h Holder) String() string {
	if h.Who == "" {
		return "another process"
	}
	return fmt.Sprintf("%s (%s, process %d, since %s)", h.Who, h.Operation, h.PID, h.Since.Local().Format(time.DateTime))
}

// HeldError says that another holds the lock.
type HeldError struct {
	Where  string
	Holder Holder
	Note   string // what else helps, a sentence's part
}

func (e *HeldError) Error() string {
	out := fmt.Sprintf("the ledger %s is locked by %s; wait for it to finish, or use -lock-timeout to wait longer", e.Where, e.Holder)
	if e.Note != "" {
		out += "; " + e.Note
	}
	return out
}

// StaleError says that another wrote the ledger after it was loaded.
type StaleError struct {
	Where          string
	Stored, Loaded uint64 // serials
	ForeignLineage bool   // the stored one is another ledger altogether
}

func (e *StaleError) Error() string {
	if e.ForeignLineage {
		return fmt.Sprintf("the ledger %s was replaced by another one since it was read; plan again", e.Where)
	}
	return fmt.Sprintf("the ledger %s changed since it was read (serial %d, expected %d); plan again", e.Where, e.Stored, e.Loaded)
}

// DamagedError says why a ledger cannot be gone on from as it is stored, and what the way out is.
type DamagedError struct {
	Where    string
	Err      error
	Previous string // where the generation before is, "" if there is none that can be read
	Serial   uint64 // of the generation before
	Restore  string // the command that puts the generation before in place; "" is cp

	stored generation // what can be told of the one that is damaged
	base   *Ledger    // the newest generation that is whole
	whole  bool       // base has all that the damaged one had
}

// generation is the head of a ledger; zero where it cannot be told.
type generation struct {
	lineage string
	serial  uint64
}

// Damaged returns the error of a ledger whose stored text is no good. Consider tells it what else there is.
func Damaged(where string, text []byte, why error) *DamagedError {
	d := &DamagedError{Where: where, Err: why}
	d.stored.lineage, d.stored.serial, _ = Head(text)
	return d
}

// ConsiderPrevious looks at the generation before.
func (e *DamagedError) ConsiderPrevious(where string, text []byte) {
	l, err := Decode(text)
	if err != nil {
		return
	}
	e.Previous, e.Serial = where, l.Serial
	e.consider(l, false)
}

// ConsiderOlder looks at a generation from before that. It is for a person to restore, and not gone on from without being asked to: what was
// given up since would be deleted.
func (e *DamagedError) ConsiderOlder(where string, text []byte) {
	if l, err := Decode(text); err == nil && e.Previous == "" {
		e.Previous, e.Serial = where, l.Serial
	}
}

// ConsiderRescued looks at what an apply put aside when it could not save it.
func (e *DamagedError) ConsiderRescued(text []byte) {
	if l, err := Decode(text); err == nil {
		e.consider(l, l.Serial > e.stored.serial)
	}
}

func (e *DamagedError) consider(l *Ledger, whole bool) {
	known := e.stored.lineage
	if e.base != nil {
		known = e.base.Lineage
	}
	if known != "" && known != l.Lineage || e.base != nil && e.base.Serial >= l.Serial {
		return
	}
	e.base, e.whole = l, whole
}

// Recover returns the newest generation that is whole, for an apply to go on from, or nil where there is none, or
// where what is stored was not damaged but is something else, such as the ledger of a newer mkt. Saving it replaces
// the damaged one. Unless nothing is missing in it, its Recovered is set.
func (e *DamagedError) Recover(now time.Time) *Ledger {
	var broken *brokenError
	if e.base == nil || !errors.As(e.Err, &broken) {
		return nil
	}
	l := *e.base
	l.over = &generation{l.Lineage, l.Serial}
	if !e.whole {
		l.Recover(now)
		l.Serial = max(l.Serial+1, e.stored.serial) // the serial of what is lost is not given twice
	}
	return &l
}

// Replaces reports whether l was recovered from what this error is about, so that it may be saved over it.
func (e *DamagedError) Replaces(l *Ledger) bool {
	return l.over != nil && e.base != nil && *l.over == generation{e.base.Lineage, e.base.Serial}
}

// Rescues reports whether l is the ledger that was damaged, as the process has it that loaded and saved it: all that is known of the damaged one,
// and the generation before, agree with that. A store that knows that nobody saved since says so by sure.
func (e *DamagedError) Rescues(l *Ledger, sure bool) bool {
	var broken *brokenError
	same := e.stored == generation{} || e.stored == generation{l.Lineage, l.Serial}
	return errors.As(e.Err, &broken) && same && (e.Previous == "" || e.Serial < l.Serial || sure) &&
		(e.base == nil || e.base.Lineage == l.Lineage) && l.over == nil && l.Serial > 0
}

func (e *DamagedError) Error() string {
	out := fmt.Sprintf("the ledger %s cannot be read: %v", e.Where, e.Err)
	var pe *fs.PathError
	if Newer(e.Err) || errors.As(e.Err, &pe) { // there is nothing to restore
		return out
	}
	if e.Previous == "" && e.base == nil {
		return out + "; there is no readable previous generation: restore it from a backup"
	}
	restore := e.Restore
	if restore == "" {
		restore = "cp " + shell.Word(e.Previous) + " " + shell.Word(e.Where)
	}
	if e.Previous != "" {
		out = fmt.Sprintf("%s; the previous generation (serial %d) is whole: %s", out, e.Serial, restore)
	}
	switch {
	case e.Recover(time.Time{}) == nil:
	case e.Previous != "" && e.base.Serial == e.Serial:
		out += "; `mkt apply` goes on from there by itself"
	default:
		out += fmt.Sprintf("; `mkt apply` goes on by itself from what was put aside (serial %d)", e.base.Serial)
	}
	return out
}

func (e *DamagedError) Unwrap() error { return e.Err }

// newerError is why a ledger cannot be read that is whole: an older generation would only lose what the newer mkt did.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("it has version %d, written by a newer mkt; this one reads up to %d: use the newer one", e.version, Version)
}

// Newer reports whether a ledger cannot be read because a newer mkt wrote it.
func Newer(err error) bool {
	var newer *newerError
	return errors.As(err, &newer)
}

// brokenError is why a text is not a ledger any more that was one: cut short, overwritten, deleted.
type brokenError struct{ why error }

func (e *brokenError) Error() string { return e.why.Error() }
func (e *brokenError) Unwrap() error { return e.why }

func broken(format string, args ...any) error { return &brokenError{fmt.Errorf(format, args...)} }

// ErrGone is why a ledger cannot be read that has a generation before and is not there: a save never leaves the name empty.
var ErrGone = broken("it is gone")

// Outdated is why a ledger is not gone on from that is older than the generation before it.
func Outdated(serial, previous uint64) error {
	return broken("it is an old copy: its serial is %d, and that of the generation before is %d", serial, previous)
}
