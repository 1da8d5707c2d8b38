package providertest

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Suite describes how one kind of resource is put to the test. The stack texts are whole stacks; the object under
// test is the block named "subject" of the kind, and other blocks are what it needs. An adopter's test is:
//
//	func TestTopicConforms(t *testing.T) {
//		providertest.Run(t, providertest.Suite{
//			Kind:  kafka.TopicKind, // as the package calls it
//			Kinds: kafka.Kinds(),
//			New:   func(t *testing.T) providertest.World { return providertest.World{Provider: connect(t, broker(t))} },
//			Create: `kafka_topic "subject" { partitions = 2 }`,
//			InPlace: []providertest.Step{
//				{Name: "more partitions", Stack: `kafka_topic "subject" { partitions = 4 }`},
//			},
//			Refused: []providertest.Step{
//				{Name: "fewer partitions", Stack: `kafka_topic "subject" { partitions = 1 }`, Want: "partitions"},
//			},
//			Outside: func(t *testing.T, w providertest.World, id string) { alter(t, id, "retention.ms", "1000") },
//			Denied:  func(t *testing.T, w providertest.World) providers.Provider { return connect(t, refusing(t)) },
//		})
//	}
type Suite struct {
	Kind *spec.Kind
	// Kinds are all kinds that the stacks use, Kind included. Their systems are World.Provider's and World.Others'.
	Kinds []*spec.Kind
	// New returns a world in which the objects of the stacks do not exist. It is called once per subtest, and cleans
	// up after itself by t.Cleanup.
	New func(t *testing.T) World

	Create string   // the smallest stack that is useful
	Others []string // further stacks, each created from nothing: every attribute should be in one

	// Steps start from Create, or from their own From.
	InPlace      []Step // the object is altered and stays the same one
	Replacements []Step // the object becomes another one
	Refused      []Step // the plan says no, with Want in a diagnostic
	Unchanged    []Step // another spelling of the same: the plan is empty

	// Outside changes the object behind mkt's back so that the stack Create no longer holds. Nil: nothing can be.
	Outside func(t *testing.T, w World, id string)
	// Scope is where a Lister finds the object of that state; nil: everywhere.
	Scope func(state cty.Value) string
	// Denied returns a provider that reaches the same system with credentials that it refuses. Every suite has it: what may not be
	// seen is unknown, and never missing.
	Denied func(t *testing.T, w World) providers.Provider
	// Unreachable returns a provider whose system does not answer. Nil: not tested.
	Unreachable func(t *testing.T, w World) providers.Provider

	// Lacks are subtests, by name, that the system under test cannot pass, each with the reason. They are skipped.
	Lacks map[string]string
}

// World is a system to test against.
type World struct {
	Provider providers.Provider            // of Kind.System; closed by the world's own t.Cleanup
	Others   map[string]providers.Provider // of further systems that the stacks use, by name
	Vars     map[string]string             // values of the stacks' variables
	Files    map[string]string             // files beside the stack, by relative name
	Any      any                           // what the adopter's own functions need
}

// Step is a second stack that follows on a first.
type Step struct {
	Name  string
	From  string // the first stack; "" is Create
	Stack string
	// Want must be in the text of a diagnostic (Refused) or in the reason of the replacement (Replacements, may be "").
	Want string
	// Attrs are the paths that must be in the plan, as in `config["retention.ms"]`; empty: not checked.
	Attrs []string
}

// Run runs the suite. Each promise is a subtest with a world of its own.
func Run(t *testing.T, s Suite) {
	run := func(name string, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			if why := s.Lacks[name]; why != "" {
				t.Skip(why)
			}
			test(t)
		})
	}
	run("description", s.description)
	run("create", func(t *testing.T) { s.create(t, s.Create) })
	for i, stack := range s.Others {
		run("create other "+string(rune('a'+i)), func(t *testing.T) { s.create(t, stack) })
	}
	for _, step := range s.Unchanged {
		run("unchanged/"+step.Name, func(t *testing.T) { s.unchanged(t, step) })
	}
	for _, step := range s.InPlace {
		run("in place/"+step.Name, func(t *testing.T) { s.inPlace(t, step) })
	}
	for _, step := range s.Replacements {
		run("replaced/"+step.Name, func(t *testing.T) { s.replaced(t, step) })
	}
	for _, step := range s.Refused {
		run("refused/"+step.Name, func(t *testing.T) { s.refused(t, step) })
	}
	run("exists already", s.existsAlready)
	run("gone outside", s.goneOutside)
	run("delete", s.delete)
	run("listed", s.listed)
	run("read as data", s.asData)
	if s.Outside != nil {
		run("changed outside", s.changedOutside)
	}
	run("denied is not missing", func(t *testing.T) { s.notMissing(t, s.Denied, providers.Denied) })
	if s.Unreachable != nil {
		run("unreachable is not missing", func(t *testing.T) { s.notMissing(t, s.Unreachable, providers.Unavailable) })
	}
}

// description holds the kind against the rules that need no server.
func (s Suite) description(t *testing.T) {
	for _, err := range s.Kind.Lint() {
		t.Error(err)
	}
	r := s.New(t).Provider.Resource(s.Kind.Name)
	if r == nil {
		t.Fatalf("the provider does not manage %s", s.Kind.Name)
	}
	// At plan anything may be unknown, where a value comes from an object that is yet to be made.
	unknown := map[string]cty.Value{}
	for name, typ := range s.Kind.Type().AttributeTypes() {
		unknown[name] = cty.UnknownVal(typ)
	}
	v, err := r.Complete(cty.ObjectVal(unknown))
	switch {
	case err != nil:
		t.Errorf("Complete fails although nothing is known: %v", err)
	case !v.Type().Equals(s.Kind.Type()):
		t.Errorf("Complete returns another type: %#v", v.Type())
	case s.Kind.ID(v) != "":
		t.Errorf("the ID is %q although nothing is known", s.Kind.ID(v))
	}
	if s.Kind.Check != nil {
		s.Kind.Check(cty.ObjectVal(unknown)) // must not panic
	}
	if _, holds := r.(providers.Holder); s.Kind.HoldsData && !holds {
		t.Errorf("%s holds data, but its resource cannot say what a delete would lose (providers.Holder)", s.Kind.Name)
	}
}

// checkNorms holds every normal form that a value meets to Norm(Norm(v)) == Norm(v).
func checkNorms(t *testing.T, k *spec.Kind, v cty.Value) {
	t.Helper()
	checkNormsOf(t, k.Name, k.Attrs, k.Blocks, v)
}

func checkNormsOf(t *testing.T, at string, attrs []spec.Attr, blocks []spec.Nested, v cty.Value) {
	t.Helper()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return
	}
	check := func(name string, norm func(cty.Value) cty.Value, v cty.Value) {
		t.Helper()
		if norm == nil || v.IsNull() || !v.IsKnown() {
			return
		}
		once := norm(v)
		if twice := norm(once); !once.RawEquals(twice) {
			t.Errorf("%s.%s: the normal form of %#v is %#v, and that one's is %#v", at, name, v, once, twice)
		}
		if !once.Type().Equals(v.Type()) {
			t.Errorf("%s.%s: the normal form of %#v has another type: %#v", at, name, v, once)
		}
	}
	for i := range attrs {
		check(attrs[i].Name, attrs[i].Norm, v.GetAttr(attrs[i].Name))
	}
	for i := range blocks {
		n := &blocks[i]
		part := v.GetAttr(n.Name)
		check(n.Name, n.Norm, part)
		switch {
		case part.IsNull() || !part.IsKnown():
		case n.Max == 1:
			checkNormsOf(t, at+"."+n.Name, n.Attrs, n.Blocks, part)
		default:
			for _, elem := range part.AsValueSlice() {
				checkNormsOf(t, at+"."+n.Name, n.Attrs, n.Blocks, elem)
			}
		}
	}
}
