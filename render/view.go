// Package render is all that a person or a machine reads of mkt: plans, progress, tables, reports, diagnostics, in words and
// as JSON. It takes values of the planner, the stream and the audit and writes them to a View; it decides nothing and knows no
// system.
package render

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/hashicorp/hcl/v2"
	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/check"
)

// View is where people read. It is not safe for concurrent use.
type View struct {
	W        io.Writer
	Width    int  // columns
	Terminal bool // a person watches: a live view may redraw lines
	Color    bool
}

// paint returns s in the colours, or as it is on a view without colour.
func (v *View) paint(s string, colors ...text.Color) string {
	if !v.Color {
		return s
	}
	return text.Colors(colors).Sprint(s)
}

func (v *View) bold(s string) string { return v.paint(s, text.Bold) }
func (v *View) dim(s string) string  { return v.paint(s, text.Faint) }

// Printf writes a line of text.
func (v *View) Printf(format string, args ...any) { fmt.Fprintf(v.W, format, args...) }

// Error writes one error that points at no source.
func (v *View) Error(err error) {
	fmt.Fprintf(v.W, "%s %s\n", v.paint("Error:", text.Bold, text.FgRed), visible(err.Error()))
}

// Diagnostics writes each diagnostic with the excerpt of its source.
func (v *View) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	if len(diags) == 0 {
		return
	}
	for _, d := range diags {
		d, files := excerpt(d, files)
		w := hcl.NewDiagnosticTextWriter(v.W, files, uint(max(v.Width, 40)), v.Color)
		_ = w.WriteDiagnostic(d) // writing to a view does not fail in a way that anybody could be told
	}
}

// JSON writes v indented, as every -json output is.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// JSONLine writes v on one line, for outputs that are read line by line.
func JSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Diagnostic is a diagnostic as -json prints it.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`   // 1-based
	Column   int    `json:"column,omitempty"` // 1-based
	Check    string `json:"check,omitempty"`  // the id of the check across systems that found it
	Ends     []End  `json:"ends,omitempty"`   // the other places that it is about
}

// End is a place in a stack.
type End struct {
	File string `json:"file"`
	Line int    `json:"line"` // 1-based
}

// DiagnosticsJSON returns diagnostics in their JSON form.
func DiagnosticsJSON(diags hcl.Diagnostics) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		j := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			j.File, j.Line, j.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		if r, ok := d.Extra.(check.Related); ok {
			j.Check = r.Check
			for _, end := range r.Ends {
				j.Ends = append(j.Ends, End{end.Filename, end.Start.Line})
			}
		}
		out = append(out, j)
	}
	return out
}

// ValidationJSON writes whether a stack is valid, which it is with warnings too, and what was said of it.
func ValidationJSON(w io.Writer, diags hcl.Diagnostics) error {
	errors := len(diags.Errs()) // as hcl has it: warnings are none
	return JSON(w, struct {
		FormatVersion string       `json:"format_version"`
		Valid         bool         `json:"valid"`
		Errors        int          `json:"error_count"`
		Warnings      int          `json:"warning_count"`
		Diagnostics   []Diagnostic `json:"diagnostics"`
	}{"1", errors == 0, errors, len(diags) - errors, DiagnosticsJSON(diags)})
}

// plural returns "1 row" or "5,105 rows".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}
