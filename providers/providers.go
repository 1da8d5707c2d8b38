// Package providers is the contract between the planner and the systems that mkt manages.
//
// The planner knows kinds, values and this contract; it never sees a concrete provider. A provider knows its
// system's SDK and this contract; it never sees another provider, the planner or the embedded stack.
//
// Values. Every value that crosses the contract is a cty object of the kind's Type(): unmarked, in normal form
// (spec.Attr.Norm applied by the caller to what goes in, and by the caller again to what comes out). Identity is a natural
// name (spec.Kind.ID), known before the object exists, so an object that is there already is found at plan.
//
// Calls. Each method takes a whole batch and answers with one result per item, in the same order; a batch that failed as a
// whole answers with the same error in each. A provider sends a batch as one request where its system takes many, and
// otherwise with bounded parallelism (Each). It retries what is transient, with jitter and within the context (Retry); the
// planner retries nothing. All methods are safe for concurrent use.
package providers

import (
	"context"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Provider is one configured system.
type Provider interface {
	// Resource returns what manages a kind, or nil for a kind of another system.
	Resource(kind string) Resource
	// Close releases connections. No other method may be called afterwards.
	Close() error
}

// Resource manages all objects of one kind in one system.
type Resource interface {
	// Complete fills in what follows from other attributes and from the provider's configuration without
	// asking the system: defaults, URLs, qualified names. What only the server can know stays unknown. It is pure,
	// and unknown stays unknown. An error of *Error with a Path points at the attribute.
	Complete(v cty.Value) (cty.Value, error)

	// Read returns the present state of each object. It changes nothing, and does not fail because an object is
	// absent. Absent is only said when the system said so: refused or unreachable is Err.
	Read(ctx context.Context, refs []Ref) []Reading

	// Create makes objects that do not exist; one that does is Exists, untouched.
	Create(ctx context.Context, changes []Change) []Result
	// Update alters objects in place from Before to After.
	Update(ctx context.Context, changes []Change) []Result
	// Delete removes objects; one that is gone already is a success. It returns when the name is free
	// again or the context ends.
	Delete(ctx context.Context, changes []Change) []Result
}

// Refiner is implemented by resources that must ask the system whether a difference is one (a registry that knows two
// texts as one schema), or that bring up a change of their own (a token near its end). It is called at plan for
// objects that exist, with After as planned so far; the value it returns replaces After. Making a computed
// attribute unknown there announces an update. It changes nothing.
type Refiner interface {
	Refine(ctx context.Context, changes []Change) []Result
}

// DryRunner is implemented by resources whose system says, without doing it, whether it would take a change (Kafka's
// validate_only). It is called at plan for what is to be created (Before is NilVal) or altered in place; After may be
// partly unknown, and what is cannot be asked about. The answer is nil or an error for each change; Invalid says that the
// system would refuse. It changes nothing.
type DryRunner interface {
	DryRun(ctx context.Context, changes []Change) []error
}

// Dependent is implemented by resources whose objects suffer when an object that they refer to changes: a pipe stops for
// good when its stage moves, although nothing about the pipe itself is different. Suffers is pure; it is called at
// plan for objects that exist, with those of their references that change in place or are replaced, and with those of what
// these refer to as long as they are not replaced themselves. The verdict Replace
// replaces the object; Same leaves it alone; the others are not used.
type Dependent interface {
	Suffers(v cty.Value, changes []RefChange) spec.Verdict
}

// RefChange is a planned change of an object that another one refers to.
type RefChange struct {
	Path          cty.Path // of the attribute that refers, at first hand or not, in the value of the one that suffers
	Kind          string
	Replaced      bool
	Before, After cty.Value // After may be partly unknown
}

// Holder is implemented by resources whose objects hold data. Holds says what a delete would lose, in words
// ("50,568 rows, 4.1 MB, load history"), or "" for nothing; called only for objects about to be deleted or replaced.
type Holder interface {
	Holds(ctx context.Context, refs []Ref) []Holding
}

// Lister is implemented by resources whose objects can be found without knowing them, for import. List returns the IDs of all
// objects in a scope, in order: of a cluster those whose names begin so, of a storage account those that it holds ("" for
// that of the connection), of Snowflake those that a schema holds. A kind that the scope cannot hold has none. It changes nothing.
type Lister interface {
	List(ctx context.Context, scope string) ([]string, error)
}

// Ref points at an object that may exist.
type Ref struct {
	ID string
	// Private is what the provider returned when it last created or updated the object; nil if mkt does not own it.
	Private map[string]string
}

// Reading is the state of one object.
type Reading struct {
	// State is the object's value, every attribute known; cty.NilVal when the object does not exist.
	State cty.Value
	// Incarnation tells this object from an earlier or later one of the same name (topic id, created_on);
	// "" where the system has no such thing.
	Incarnation string
	Err         error
}

// Change is one object to create, update, delete or refine.
type Change struct {
	Address string // for messages only
	ID      string
	Before  cty.Value // NilVal for a create
	After   cty.Value // NilVal for a delete; may be partly unknown in computed attributes
	Private map[string]string
	// Replaced is true for the delete of an object that the same apply creates again.
	Replaced bool
}

// Result is the outcome of one change.
type Result struct {
	// State is the object's value after the change as the server now has it, every attribute known (Refine: the new After).
	// NilVal after a delete, and on errors that left nothing behind.
	State       cty.Value
	Incarnation string
	// Private is kept in the ledger and handed back in later calls: keyed hashes, expiry times. Never a secret.
	Private map[string]string
	Err     error
}

// Holding is what an object holds, in words; Err when it could not be asked.
type Holding struct {
	Loss string
	Err  error
}

// Source tells where a setting of a connection came from; it never has the value. From is the name of an
// environment variable, a file, "provider block" or "default".
type Source struct {
	System  string // "kafka", "schema registry", "azure", "snowflake"
	Setting string // "bootstrap_servers"
	From    string
	Over    []string // weaker places that have it too, passed over
}
