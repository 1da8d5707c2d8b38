package snowflake

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// maxIdent is the longest identifier, in characters (Snowflake: "Identifier requirements").
const maxIdent = 255

// Ident is a resolved identifier: an unquoted one in upper case, a quoted one exactly as it stands.
type Ident string

var (
	bareIdent = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`)
	foldIdent = regexp.MustCompile(`^[A-Z_][A-Z0-9_$]*$`)
)

// String writes the identifier as shortly as it can be: bare where that resolves to it, else in double quotes.
func (i Ident) String() string {
	if foldIdent.MatchString(string(i)) {
		return string(i)
	}
	return i.SQL()
}

// SQL writes the identifier in double quotes, which no session parameter resolves in another way.
func (i Ident) SQL() string { return `"` + strings.ReplaceAll(string(i), `"`, `""`) + `"` }

// ParseIdent resolves one identifier, bare or in double quotes.
func ParseIdent(s string) (Ident, error) {
	n, err := ParseName(s)
	if err != nil {
		return "", err
	}
	if len(n) != 1 {
		return "", fmt.Errorf("%q has a dot: give the name alone, in double quotes if the dot belongs to it", s)
	}
	return n[0], nil
}

// Name is a qualified name, outermost part first: database, schema, object.
type Name []Ident

// String joins the parts as Ident.String writes them; this is the identity of an object.
func (n Name) String() string { return n.join(Ident.String) }

// SQL joins the parts in double quotes.
func (n Name) SQL() string { return n.join(Ident.SQL) }

func (n Name) join(write func(Ident) string) string {
	parts := make([]string, len(n))
	for i, id := range n {
		parts[i] = write(id)
	}
	return strings.Join(parts, ".")
}

// Last is the object's own name.
func (n Name) Last() Ident { return n[len(n)-1] }

// Parent is the name of what holds the object.
func (n Name) Parent() Name { return n[:len(n)-1] }

// ParseName resolves a name of one to three parts.
func ParseName(s string) (Name, error) {
	var n Name
	rest := s
	for {
		part, tail, err := cutIdent(rest)
		if err != nil {
			return nil, fmt.Errorf("%q is no name: %w", s, err)
		}
		n = append(n, part)
		if tail == "" {
			break
		}
		rest = tail[1:]
	}
	if len(n) > 3 {
		return nil, fmt.Errorf("%q has more than three parts", s)
	}
	return n, nil
}

// cutIdent reads the identifier at the beginning; rest is "" or begins with a dot.
func cutIdent(s string) (id Ident, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		part, _, dotted := strings.Cut(s, ".")
		if !bareIdent.MatchString(part) {
			return "", "", fmt.Errorf("a name without double quotes has letters, digits, _ and $ and begins with a letter or _")
		}
		if dotted {
			rest = s[len(part):]
		}
		id = Ident(strings.ToUpper(part))
	} else {
		var b strings.Builder
		i := 1
		for ; ; i++ {
			if i >= len(s) {
				return "", "", fmt.Errorf("a double quote is not closed")
			}
			if s[i] != '"' {
				b.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' {
				b.WriteByte('"')
				i++
				continue
			}
			break
		}
		id, rest = Ident(b.String()), s[i+1:]
		if rest != "" && rest[0] != '.' {
			return "", "", fmt.Errorf("text stands behind the closing double quote")
		}
	}
	switch n := utf8.RuneCountInString(string(id)); {
	case n == 0:
		return "", "", fmt.Errorf("it is empty")
	case n > maxIdent:
		return "", "", fmt.Errorf("it has %d characters, at most %d are allowed", n, maxIdent)
	}
	return id, rest, nil
}

// literal writes a text as an SQL string.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + "'"
}

// checkName returns the check of an attribute that holds a name of so many parts.
func checkName(parts int) func(cty.Value) error {
	return func(v cty.Value) error {
		n, err := ParseName(v.AsString())
		if err != nil {
			return err
		}
		if len(n) != parts {
			return fmt.Errorf("%q has %d part(s), want %s", v.AsString(), len(n), []string{"", "NAME", "DATABASE.SCHEMA", "DATABASE.SCHEMA.NAME"}[parts])
		}
		return nil
	}
}

// normName writes a name in the one spelling that stands for all of the same meaning.
func normName(v cty.Value) cty.Value {
	n, err := ParseName(v.AsString())
	if err != nil {
		return v
	}
	return cty.StringVal(n.String())
}
