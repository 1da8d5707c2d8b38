// Package check finds at plan time what is otherwise found in production: the places where two systems of one
// pipeline do not fit each other. A column of the source that no field takes, a pipe that no event reaches, a stage
// that looks beside the files.
//
// Each check is one Rule: a described value with an id, a severity, a page of the reference and a function over the
// Pipeline, the stack's blocks linked from the source's file to the table. Run asks all of them and gives
// diagnostics that name both ends.
//
// The package knows the stack (package spec), the shape of rows (package row), and the names of kinds and attributes
// as the language has them. It knows no provider, no SDK, no planner, and calls nothing remote: what only a server
// or a file can tell comes in as plain data (Facts, Input.Source). A rule that lacks what it needs says nothing, and
// so it does where a value is unknown or sensitive.
package check
