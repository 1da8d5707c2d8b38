// Package shell writes words of commands that people copy out of a message.
package shell

import "strings"

// Word returns s as one word of a POSIX shell: as it is where a shell would leave it so, else in single quotes.
func Word(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n[]\"'*?$&|;<>(){}\\`!#~%^=") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
