package dialect

import "fmt"

// Unsupported names a part of Snowflake's SQL that this package does not translate, and where it stands.
type Unsupported struct {
	What      string // such as "function HASH_AGG" or "SAMPLE"
	Line, Col int
}

// Error implements error.
func (e *Unsupported) Error() string {
	return fmt.Sprintf("line %d at position %d: %s is not supported here", e.Line, e.Col-1, e.What)
}
