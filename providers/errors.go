package providers

import (
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// Code says what an error means for the planner. Providers derive it from their system's codes, never from text.
type Code string

// The codes. Everything else is Unknown and shown as it is.
const (
	Unknown     Code = ""
	NotFound    Code = "not found"
	Exists      Code = "exists"
	Denied      Code = "denied"
	Throttled   Code = "throttled"   // transient
	Unavailable Code = "unavailable" // transient: unreachable, timed out, answer lost
	Conflict    Code = "conflict"    // somebody else changed it, or it is in use
	Invalid     Code = "invalid"     // the system refuses the value
	// Unconfigured: the settings of the connection cannot be right, as where there is no such account.
	Unconfigured Code = "unconfigured"
	// Waiting: nothing is wrong, but a person has to do something elsewhere first, such as consent to an application. What is
	// said in Error.Steps. Nothing was left behind, and the same call succeeds once it is done.
	Waiting Code = "waiting"
)

// Error is an error with its meaning. Err's text must hold no secret.
type Error struct {
	Code Code
	Path cty.Path // the attribute that is to blame, if one is
	Hint string   // what to do, a sentence; may be empty
	// Steps are what a person has to do, in order, each a sentence that names the where; for Waiting.
	Steps []string
	Err   error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error of the code; the format may wrap another error with %w.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code of the first *Error in err's chain.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unknown
}

// Transient reports whether the same call may succeed later.
func Transient(err error) bool {
	code := CodeOf(err)
	return code == Throttled || code == Unavailable
}

// Detail returns the first *Error in err's chain, or nil.
func Detail(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
