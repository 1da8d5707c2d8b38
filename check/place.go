package check

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var placeRules = []Rule{
	{
		ID: "stage-covers", Severity: hcl.DiagError, Summary: "Pipe looks beside the files",
		Doc: "The container and path of a pipe's stage cover what a consumer writes, `<prefix><topic>/…`. It speaks when a pipe reads what no consumer of the stack writes and a consumer writes what no pipe reads: " +
			"then nothing would load, and nothing would say so.",
		Check: checkStageCovers,
	},
	{
		ID: "pipe-pattern", Severity: hcl.DiagError, Summary: "Pattern matches no file",
		Doc: "The pipe's `pattern` matches the names that the consumer gives, `<prefix><topic>/<topic id>/<partition>/<start offset, 20 digits>.json.gz`. " +
			"It must match a name to its end, from the stage's path on. Pipes that share a path by their patterns are fine, as long as each file has a pipe.",
		Check: checkPattern,
	},
	{
		ID: "two-pipes", Severity: hcl.DiagError, Summary: "Two pipes over one path",
		Doc:   "No two pipes read the same files: each keeps its own history, so every row loads twice. Into two different tables it is a warning. Give them paths apart from each other.",
		Check: checkTwoPipes,
	},
	{
		ID: "dead-letter-loaded", Severity: hcl.DiagError, Summary: "Dead letters are loaded",
		Doc:   "The prefix of a consumer's dead letters lies outside of what its pipes read. Otherwise dead letters load as rows of NULLs, or make the pipe skip files.",
		Check: checkDeadLetters,
	},
}

func checkStageCovers(p *Pipeline) (found []Finding) {
	fed, loaded := map[*Pipe]bool{}, map[*Consumer]bool{}
	for _, l := range append(p.missed, p.Loads...) {
		fed[l.Pipe], loaded[l.Consumer] = true, true
	}
	for _, pipe := range p.Pipes {
		if fed[pipe] || !pipe.Placed {
			continue
		}
		stage := pipe.Stage.Node
		c, where := p.meant(pipe, loaded)
		switch {
		case where == no && len(p.Pipes)-len(fed) == 1 && len(p.Consumers)-len(loaded) == 1:
			found = append(found, Finding{At: stage.End("container"), Others: []End{c.End("container"), pipe.End("copy", "from")},
				Detail: fmt.Sprintf("The stage is on %s, and %s writes to %s: %s would never find a file. Put both on one container.", pipe.Container, c.Addr, c.Container, pipe.Addr)})
		case where == yes:
			at := stage.End("path")
			if below, _ := pipe.text("copy", "path"); below != "" {
				at = pipe.End("copy", "path")
			}
			prefix, _ := c.text("prefix")
			found = append(found, Finding{At: at, Others: []End{c.End("prefix"), pipe.End("copy", "from")},
				Detail: fmt.Sprintf("%s reads below %q, and %s writes below %q: files would lie there and never load. Set the path to %q.", pipe.Addr, pipe.Path, c.Addr, c.Dir, prefix)})
		}
	}
	return found
}

// meant is the consumer whose files a pipe without any was probably meant to load: one that writes to its container,
// else to another one. It is maybe when none is, or when one of unknown place may feed the pipe after all.
func (p *Pipeline) meant(pipe *Pipe, loaded map[*Consumer]bool) (best *Consumer, where answer) {
	for _, c := range p.Consumers {
		if loaded[c] {
			continue
		}
		switch same(pipe.Container, c.Container) {
		case yes:
			if !c.Placed {
				return nil, maybe
			}
			if where != yes {
				best, where = c, yes
			}
		case no:
			if best == nil {
				best, where = c, no
			}
		default:
			return nil, maybe
		}
	}
	return best, where
}

// takes reports whether a pipe's path and pattern take a file's name; unsure patterns do. A pattern is held against what
// follows the stage's path (Snowflake: "CREATE PIPE", usage notes).
func (pipe *Pipe) takes(name string) bool {
	if !strings.HasPrefix(name, pipe.Path) {
		return false
	}
	pattern, known := pipe.text("copy", "pattern")
	if !known || pattern == "" {
		return true
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return true // a pattern of Java's that Go does not know
	}
	base, _ := pipe.Stage.Node.text("path")
	return re.MatchString(name) || re.MatchString(strings.TrimPrefix(name, base)) || re.MatchString(strings.TrimPrefix(name, pipe.Path))
}

func checkPattern(p *Pipeline) (found []Finding) {
	fed, loaded := map[*Pipe]bool{}, map[*Consumer]bool{}
	for _, l := range p.Loads {
		fed[l.Pipe], loaded[l.Consumer] = true, true
	}
	for _, l := range p.missed {
		if fed[l.Pipe] || loaded[l.Consumer] {
			continue // pipes that share a path by their patterns
		}
		name, _ := l.Consumer.name()
		base, _ := l.Pipe.Stage.Node.text("path")
		others := []End{l.Consumer.End("prefix"), l.Pipe.Stage.Node.End("path")}
		found = append(found, Finding{At: l.Pipe.End("copy", "pattern"), Others: others,
			Detail: fmt.Sprintf("%s writes files such as %q below the stage's path, which the pattern does not match to their end: nothing would load. Leave the pattern out, or write one such as %q.",
				l.Consumer.Addr, strings.Replace(strings.TrimPrefix(name, base), sampleID, "<topic id>", 1), ".*"+regexp.QuoteMeta(suffixOf(l.Consumer)))})
	}
	return found
}

func suffixOf(c *Consumer) string {
	s, _ := c.suffix()
	return s
}

func checkTwoPipes(p *Pipeline) (found []Finding) {
	for i, a := range p.Pipes {
		for _, b := range p.Pipes[:i] {
			if !a.Placed || !b.Placed || same(a.Container, b.Container) != yes || !strings.HasPrefix(a.Path, b.Path) && !strings.HasPrefix(b.Path, a.Path) || p.apart(a, b) {
				continue
			}
			into := same(a.Table, b.Table)
			what := "every row would load twice"
			if into == no {
				what = fmt.Sprintf("every row would load into %s and into %s", b.Table, a.Table)
			}
			found = append(found, Finding{At: a.End("copy"), Others: []End{b.End("copy"), a.Stage.Node.End("path")}, Warning: into == no,
				Detail: fmt.Sprintf("%s and %s read the same files, %q in %s, and each keeps its own history: %s. Remove one of them, or give them paths apart from each other.", a.Addr, b.Addr, longer(a.Path, b.Path), a.Container, what)})
		}
	}
	return found
}

func longer(a, b string) string {
	if len(a) > len(b) {
		return a
	}
	return b
}

// apart reports whether patterns may keep two pipes on different files: both have one, they differ, and no consumer
// of the stack is known to write what both take.
func (p *Pipeline) apart(a, b *Pipe) bool {
	one, known := a.text("copy", "pattern")
	two, known2 := b.text("copy", "pattern")
	if !known || !known2 {
		return true
	}
	if one == "" && two == "" || one == two {
		return false
	}
	for _, c := range p.Consumers {
		if name, known := c.name(); known && same(a.Container, c.Container) == yes && a.takes(name) && b.takes(name) {
			return false
		}
	}
	return true
}

func checkDeadLetters(p *Pipeline) (found []Finding) {
	for _, c := range p.Consumers {
		prefix, known := c.text("dead_letter", "prefix")
		suffix, known2 := c.suffix()
		if !known || !known2 || prefix == "" || c.Topic.ID == "" {
			continue
		}
		name := prefix + c.Topic.ID + "/" + sampleID + "/0/00000000000000001234" + suffix
		for _, pipe := range p.Pipes {
			if pipe.Placed && same(pipe.Container, c.Container) == yes && pipe.takes(name) {
				found = append(found, Finding{At: c.End("dead_letter", "prefix"), Others: []End{pipe.End("copy", "from"), pipe.Stage.Node.End("path")},
					Detail: fmt.Sprintf("%s reads below %q, so it would load the dead letters as if they were rows. Give the stage the path of the files, or the dead letters a prefix that %s does not read.", pipe.Addr, pipe.Path, pipe.Addr)})
			}
		}
	}
	return found
}
