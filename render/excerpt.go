package render

import (
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// How much of a line that is longer than lineBytes is shown before and behind the beginning of what a diagnostic is about, in bytes.
const (
	lineBytes = 500
	before    = 100
	behind    = 200
)

// excerpt returns the diagnostic and its files so that no endless line is quoted whole, as of a JSON file that a program wrote on one line.
func excerpt(d *hcl.Diagnostic, files map[string]*hcl.File) (*hcl.Diagnostic, map[string]*hcl.File) {
	if d.Subject == nil || files[d.Subject.Filename] == nil {
		return d, files
	}
	file, at := files[d.Subject.Filename], *d.Subject
	src := file.Bytes
	if at.Start.Byte > len(src) || at.End.Byte > len(src) || at.End.Byte < at.Start.Byte {
		return d, files
	}
	first := strings.LastIndexByte(string(src[:at.Start.Byte]), '\n') + 1
	last := len(src)
	if i := strings.IndexByte(string(src[at.Start.Byte:]), '\n'); i >= 0 {
		last = at.Start.Byte + i
	}
	if last-first <= lineBytes {
		return d, files
	}
	from, to := max(first, at.Start.Byte-before), min(last, at.Start.Byte+behind)
	for from > first && !utf8.RuneStart(src[from]) {
		from--
	}
	for to < last && !utf8.RuneStart(src[to]) {
		to++
	}
	head, tail := "", ""
	if from > first {
		head = "… "
	}
	if to < last {
		tail = " …"
	}
	above := strings.Repeat("\n", at.Start.Line-1)
	shift := len(above) + len(head) - from
	at.End.Byte, at.End.Line = min(at.End.Byte, to)+shift, at.Start.Line
	at.Start.Byte += shift
	short := *d
	short.Subject, short.Context = &at, nil
	return &short, map[string]*hcl.File{at.Filename: {Bytes: []byte(above + head + string(src[from:to]) + tail), Nav: around{file.Nav, at.Start.Byte - shift}}}
}

// around is the block around one place of a file that is not whole any more.
type around struct {
	nav    any
	offset int
}

// ContextString returns the header of the block.
func (a around) ContextString(int) string {
	if n, ok := a.nav.(interface{ ContextString(int) string }); ok {
		return n.ContextString(a.offset)
	}
	return ""
}
