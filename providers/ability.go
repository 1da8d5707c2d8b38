package providers

// Need is something that a stack does with an object of a system.
type Need struct {
	On   string // what kind of object, in the system's own word: "topic", "container", "TABLE"
	Name string // "" for the one that there is, such as the cluster
	Do   string // in the system's own word: "WRITE", "CREATE PIPE"
}

// Ability is whether a connection's credential may do what is needed. Asking changes nothing.
type Ability struct {
	Need
	May Answer
	Why string // what is missing, or why it is not known
}

// Answer is one of Yes, No and Unknown; "" is Unclear as well.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unclear Answer = "unknown"
)

// NotKnown are the abilities where the question failed.
func NotKnown(needs []Need, err error) []Ability {
	out := make([]Ability, len(needs))
	for i, n := range needs {
		out[i] = Ability{Need: n, May: Unclear, Why: err.Error()}
	}
	return out
}
