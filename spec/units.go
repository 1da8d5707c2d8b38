package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

const day = 24 * time.Hour

// ParseDuration reads a duration such as "10s", "1h30m", "250ms" or "7d": Go's notation with d for 24 hours.
// A number without a unit is refused, except "0".
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write a number and a unit (ms, s, m, h, d), as in \"10s\" or \"7d\"", s)
	rest, total := s, time.Duration(0)
	if head, tail, hasDays := strings.Cut(s, "d"); hasDays {
		days, err := strconv.ParseFloat(head, 64)
		if err != nil || days < 0 || strings.ContainsAny(head, "eExXpPinfINF_+-") || days*float64(day) >= math.MaxInt64 {
			return 0, bad
		}
		total, rest = time.Duration(days*float64(day)), tail
		if rest == "" {
			return total, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") || total > math.MaxInt64-d {
		return 0, bad
	}
	return total + d, nil
}

// FormatDuration writes a duration so that ParseDuration reads it back, with the largest units first: "1d12h", "1.5s".
func FormatDuration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}} {
		if n := d / unit.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	if d > 0 {
		b.WriteString(d.String())
	}
	return b.String()
}

var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// ParseBytes reads a size such as "64MiB", "1.5GiB", "100MB" or "4096" (bytes). It refuses what is no whole
// number of bytes.
func ParseBytes(s string) (int64, error) {
	bad := fmt.Errorf("%q is not a size; write a number and a unit (B, KiB, MiB, GiB, TiB, kB, MB, GB, TB), as in \"64MiB\"", s)
	number, factor := s, int64(1)
	for _, u := range byteUnits {
		if head, ok := strings.CutSuffix(s, u.name); ok {
			number, factor = strings.TrimSpace(head), u.size
			break
		}
	}
	if number == "" || strings.Trim(number, "0123456789.") != "" {
		return 0, bad
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/factor {
			return 0, bad
		}
		return n * factor, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f*float64(factor) >= math.MaxInt64 || f*float64(factor) != math.Trunc(f*float64(factor)) {
		return 0, bad
	}
	return int64(f * float64(factor)), nil
}

// FormatBytes writes a size so that ParseBytes reads it back, exactly: "64MiB", "1500B".
func FormatBytes(n int64) string {
	for _, u := range byteUnits[:4] {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// ParseRate reads a rate such as "0.5/s", "30/m", "1000/h" as events for each second; "max" is +Inf.
func ParseRate(s string) (float64, error) {
	if s == "max" {
		return math.Inf(1), nil
	}
	bad := fmt.Errorf("%q is not a rate; write a number for each second, minute or hour, as in \"0.5/s\" or \"30/m\", or \"max\"", s)
	number, unit, ok := strings.Cut(s, "/")
	per := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if !ok || per == 0 || strings.Trim(number, "0123456789.") != "" {
		return 0, bad
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n <= 0 || math.IsInf(n, 0) || n/per == 0 {
		return 0, bad
	}
	return n / per, nil
}

// FormatRate writes a rate so that ParseRate reads it back: "0.5/s", "max".
func FormatRate(perSecond float64) string {
	if math.IsInf(perSecond, 1) {
		return "max"
	}
	return strconv.FormatFloat(perSecond, 'f', -1, 64) + "/s"
}

// CheckDuration, CheckBytes and CheckRate serve as Attr.Check for texts; NormDuration, NormBytes and NormRate as
// Attr.Norm.
func CheckDuration(v cty.Value) error { _, err := ParseDuration(v.AsString()); return err }

// CheckBytes refuses what ParseBytes does.
func CheckBytes(v cty.Value) error { _, err := ParseBytes(v.AsString()); return err }

// CheckRate refuses what ParseRate does.
func CheckRate(v cty.Value) error { _, err := ParseRate(v.AsString()); return err }

// NormDuration writes a duration with the largest units first; what is no duration stays as it is.
func NormDuration(v cty.Value) cty.Value {
	if d, err := ParseDuration(v.AsString()); err == nil {
		return cty.StringVal(FormatDuration(d))
	}
	return v
}

// NormBytes writes a size with the largest binary unit that divides it; what is no size stays as it is.
func NormBytes(v cty.Value) cty.Value {
	if n, err := ParseBytes(v.AsString()); err == nil {
		return cty.StringVal(FormatBytes(n))
	}
	return v
}

// NormRate writes a rate for each second; what is no rate stays as it is.
func NormRate(v cty.Value) cty.Value {
	if r, err := ParseRate(v.AsString()); err == nil {
		return cty.StringVal(FormatRate(r))
	}
	return v
}

// NotOneOf is the error of a check that knows all the texts that an attribute takes; the language's schema names them.
type NotOneOf struct {
	Words []string
	Text  string
}

func (e NotOneOf) Error() string { return e.Text }

// OneOf returns a check that a text is one of the words given; it suggests the nearest one.
func OneOf(words ...string) func(cty.Value) error {
	return func(v cty.Value) error {
		if contains(words, v.AsString()) {
			return nil
		}
		if len(words) == 1 {
			return NotOneOf{words, fmt.Sprintf("%q is not possible; the only choice is %q", v.AsString(), words[0])}
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = strconv.Quote(w)
		}
		return NotOneOf{words, fmt.Sprintf("%q is not one of %s%s", v.AsString(), list(quoted), strings.TrimSuffix(orEmpty(DidYouMean(v.AsString(), words)), "?"))}
	}
}

func orEmpty(hint string) string {
	if hint == "" {
		return ""
	}
	return "; did" + strings.TrimPrefix(hint, " Did")
}

// AtLeast returns a check that a number is whole and not below min.
func AtLeast(min int64) func(cty.Value) error {
	return func(v cty.Value) error {
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != 0 || n < min {
			return fmt.Errorf("a whole number of at least %d is needed", min)
		}
		return nil
	}
}

// NotEmpty is a check that a text is not empty.
func NotEmpty(v cty.Value) error {
	if strings.TrimSpace(v.AsString()) == "" {
		return fmt.Errorf("it must not be empty")
	}
	return nil
}
