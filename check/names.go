package check

import (
	"fmt"
	"strings"
)

// resolve is a Snowflake identifier as the server knows it: folded to upper case unless it stands in double quotes.
func resolve(name string) string {
	if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return strings.ToUpper(name)
}

// parent is a qualified name without its last part, "" where it has one part only.
func parent(name string) string {
	quoted, last := false, -1
	for i := range len(name) {
		switch name[i] {
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				last = i
			}
		}
	}
	if last < 0 {
		return ""
	}
	return name[:last]
}

// list writes names for a sentence; long lists are cut.
func list(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return "none"
	case len(names) == 1:
		return names[0]
	case len(names) > most:
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// orList is list with "or".
func orList(names []string) string {
	text := list(names)
	if i := strings.LastIndex(text, " and "); i >= 0 {
		text = text[:i] + " or " + text[i+len(" and "):]
	}
	return text
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return out
}
