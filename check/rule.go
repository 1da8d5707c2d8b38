package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Rule is one check.
type Rule struct {
	ID       string // as diagnostics name it and lifecycle.silence silences it: "csv-header"
	Severity hcl.DiagnosticSeverity
	Summary  string // of its diagnostics, fixed
	Doc      string // Markdown for the reference: what is checked, why, what to do
	// Check returns what it found, in a fixed order. It must take unknown values for possibly right.
	Check func(*Pipeline) []Finding
}

// Finding is one place where a rule does not hold.
type Finding struct {
	At     End   // what is to be changed, most likely; a silence stands in its block
	Others []End // what it does not fit to
	Detail string
	// Warning makes a finding of a rule whose Severity is error a warning.
	Warning bool
}

// End is one end of what does not fit: a part of a block; or, without Node, a line of some other file, or a block that
// is no Node, such as a provider's.
type End struct {
	Node  *Node
	Path  cty.Path
	File  string
	Line  int       // 1-based, of File
	Block hcl.Range // of a header
}

// place is where the end stands.
func (e End) place() hcl.Range {
	switch {
	case e.Node != nil:
		return e.Node.Range(e.Path)
	case e.File != "":
		pos := hcl.Pos{Line: e.Line, Column: 1}
		return hcl.Range{Filename: e.File, Start: pos, End: pos}
	}
	return e.Block
}

// Related is the Extra of the package's diagnostics, for readers of -json and tests.
type Related struct {
	Check string
	Ends  []hcl.Range // of the other ends
}

// Input is all that the checks depend on.
type Input struct {
	Stack *spec.Stack
	// Scope has the objects as they are planned. Nil evaluates the stack without any system, as validate does.
	Scope *spec.Scope
	// Selected says whether findings about a block are wanted. Nil wants all.
	Selected func(spec.Addr) bool
	// Source reads the files that a producer's source names, headers and the first rows. An error means that there is
	// nothing to say. Nil: no file is looked at.
	Source func(SourceConfig) ([]SourceFile, error)
	// Property says what is wrong with a property of the Kafka client of a block of that kind, "producer" or "consumer".
	// Nil: no property is looked at.
	Property func(kind, name, value string) error
	Facts    Facts
}

// SourceConfig is what a producer's source block says about its files.
type SourceConfig struct {
	Path      string // glob, relative to the stack's directory or absolute; never "-"
	Format    string // "csv" or "parquet"
	Delimiter byte
	Drop      []string // columns that are not read
}

// SourceFile is the beginning of one file of a source.
type SourceFile struct {
	Name   string // for messages
	Header []string
	Rows   [][]string // the first rows, at most SampleRows, each as long as Header
}

// SampleRows is how many rows of a file are worth looking at.
const SampleRows = 1000

// Facts is what outside reads have told. Everything is optional.
type Facts struct {
	Now      time.Time                  // zero: what depends on the time is not checked
	Exists   map[string]map[string]bool // by kind and id: objects that the stack names and does not describe
	Topics   map[string]TopicFacts      // as they are now, by name
	Subjects map[string]SubjectFacts    // by name
	Tenant   string                     // in which mkt signs in to Azure
	Region   string                     // of the Snowflake account, as CURRENT_REGION() has it
	Accounts map[string]string          // the regions of storage accounts, by name
	// Privileges are those that the role of the connection has, inherited ones included, on objects that exist and that
	// the stack names without describing them: by kind and id. An object that is not in it was not asked about.
	Privileges map[string]map[string][]string
	// Outage is how long the pipeline may stand still without loss; 0 is DefaultOutage.
	Outage time.Duration
	// Delegated: shared access signatures are signed with a user delegation key and not with the storage account's.
	Delegated bool
}

// DefaultOutage is a long weekend.
const DefaultOutage = 72 * time.Hour

// TopicFacts is what a cluster has of a topic.
type TopicFacts struct {
	Partitions int
	Replicas   int // of each partition
	MinInSync  int // the topic's own min.insync.replicas; 0 where it has none
}

// SubjectFacts is what a registry has of a subject.
type SubjectFacts struct {
	Compatibility string   // the effective level: the subject's own or the registry's
	Versions      []string // the schemas, oldest first
	// Types are the schemas that any version refers to, or the stack's, those that others need first.
	Types []string
}

// Rules returns every rule, by id.
func Rules() []Rule {
	var all []Rule
	for _, topic := range [][]Rule{sourceRules, columnRules, typeRules, copyRules, placeRules, lifecycleRules, eventRules, formatRules, accessRules, topicRules, subjectRules, logicalRules, directoryRules, tenantRules, privilegeRules, propertyRules} {
		all = append(all, topic...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// Run asks every rule about the stack. The diagnostics come in source order; what is silenced is left out, and a
// silence that names no rule is an error.
func Run(in Input) hcl.Diagnostics {
	p := newPipeline(in)
	rules := Rules()
	var diags hcl.Diagnostics
	said := map[string]*hcl.Diagnostic{} // two pipes over one table say the same about its columns
	modules := map[*hcl.Diagnostic][]string{}
	for _, rule := range rules {
		for _, f := range rule.Check(p) {
			if n := f.At.Node; n == nil || !silenced(rule, n) && (in.Selected == nil || in.Selected(n.Addr)) {
				d := p.diagnostic(rule, f)
				key := d.Subject.String() + d.Summary + f.Detail
				if said[key] == nil {
					said[key] = d
					diags = append(diags, d)
				}
				if n != nil && n.Addr.Module != "" {
					modules[said[key]] = append(modules[said[key]], n.Addr.Module)
				}
			}
		}
	}
	for d, paths := range modules { // whose files say nothing about the instance
		paths = slices.Compact(paths)
		if more := len(paths) - mostModules; more > 0 {
			paths = append(paths[:mostModules], fmt.Sprintf("and %d more", more))
		}
		d.Detail += "\nIn " + strings.Join(paths, ", ") + "."
	}
	diags = append(diags, unknownSilences(in.Stack, rules)...)
	sort.SliceStable(diags, func(i, j int) bool {
		a, b := diags[i].Subject, diags[j].Subject // never nil
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return diags
}

// mostModules is how many instances of modules a diagnostic names.
const mostModules = 12

func silenced(rule Rule, n *Node) bool {
	for _, s := range n.Block.Lifecycle.Silence {
		if s.Check == rule.ID {
			return true
		}
	}
	return false
}

func unknownSilences(stack *spec.Stack, rules []Rule) (diags hcl.Diagnostics) {
	ids := make([]string, len(rules))
	known := map[string]bool{}
	for i, r := range rules {
		ids[i], known[r.ID] = r.ID, true
	}
	said := map[hcl.Range]bool{} // a module's block may have many instances
	for _, b := range stack.Blocks() {
		for _, s := range b.Lifecycle.Silence {
			if known[s.Check] || said[s.Range] {
				continue
			}
			said[s.Range] = true
			hint := spec.DidYouMean(s.Check, ids)
			if hint == "" {
				hint = " The reference page \"Checks\" lists them."
			}
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown check", Subject: s.Range.Ptr(),
				Detail: fmt.Sprintf("There is no check %q to silence.%s", s.Check, hint)})
		}
	}
	return diags
}

func (p *Pipeline) diagnostic(rule Rule, f Finding) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: rule.Severity, Summary: rule.Summary, Subject: f.At.place().Ptr()}
	if f.Warning {
		d.Severity = hcl.DiagWarning
	}
	related := Related{Check: rule.ID}
	var others []string
	for _, e := range f.Others {
		at := e.place()
		text := fmt.Sprintf("%s:%d", p.short(at.Filename), at.Start.Line)
		if e.Node != nil {
			text = fmt.Sprintf("%s at %s:%d", e.Node.Addr, at.Filename, at.Start.Line)
		}
		others = append(others, text)
		related.Ends = append(related.Ends, at)
	}
	d.Detail = f.Detail + "\n"
	if len(others) > 0 {
		d.Detail += "\nSee " + strings.Join(others, ", ") + "."
	}
	d.Detail += "\nCheck " + rule.ID + "."
	d.Extra = related
	return d
}

// short writes a file's name from the stack's directory where it lies in it.
func (p *Pipeline) short(name string) string {
	if rel, err := filepath.Rel(p.in.Stack.Dir, name); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return name
}
