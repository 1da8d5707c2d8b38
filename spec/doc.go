// Package spec is the stack language: HCL files become a described, typed stack.
//
// Load reads the files, the variables and everything that can be checked without evaluating: names, references,
// cycles. A Scope then evaluates the blocks, one after the other in dependency order, with the objects set so far.
// What the blocks mean is described by Kinds that others hand in; only the app's own kinds are described here.
//
// The package knows hcl and cty. It knows no system, no provider, no ledger and makes no remote call; the only
// things it reads are the stack's files, the files that the stack's functions name, and the environment through
// Options.Getenv. Loading and evaluating the same inputs twice gives the same values.
package spec
