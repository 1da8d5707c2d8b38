package ledger

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"
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

// DamagedError says why a ledger cannot be read and what the way out is.
type DamagedError struct {
	Where    string
	Err      error
	Previous string // where the generation before is, "" if there is none that can be read
	Serial   uint64 // of the generation before
	Restore  string // the command that puts the generation before in place; "" is cp
}

func (e *DamagedError) Error() string {
	out := fmt.Sprintf("the ledger %s cannot be read: %v", e.Where, e.Err)
	if e.Previous == "" {
		return out + "; there is no readable previous generation: restore it from a backup"
	}
	restore := e.Restore
	if restore == "" {
		restore = "cp " + e.Previous + " " + e.Where
	}
	return fmt.Sprintf("%s; the previous generation (serial %d) is whole: %s", out, e.Serial, restore)
}

func (e *DamagedError) Unwrap() error { return e.Err }
