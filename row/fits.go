package row

import "fmt"

// Problem says in one sentence why values of one field may not arrive
// unchanged in another.
type Problem string

// Fits reports why values of field a would not all arrive unchanged in field
// b; nothing means that they do. Names are not compared. What depends on the
// values alone (the length of a string without a limit) is no problem here.
func Fits(a, b Field) []Problem {
	var out []Problem
	if a.Nullable && !b.Nullable {
		out = append(out, "can be null, and the target is not nullable")
	}
	if why := fitsType(a, b); why != "" {
		out = append(out, Problem(why))
	}
	return out
}

func fitsType(a, b Field) string {
	if b.Type == Variant {
		return ""
	}
	if a.Type == Variant || a.Type == Unknown || b.Type == Unknown {
		return mismatch(a, b)
	}
	switch b.Type {
	case String:
		return fitsString(a, b)
	case Enum:
		return fitsEnum(a, b)
	case Decimal:
		return fitsDecimal(a, b)
	case Double, Float:
		return fitsFloat(a, b)
	case Int32, Int64:
		if a.Type == b.Type || a.Type == Int32 && b.Type == Int64 {
			return ""
		}
		if a.Type == Decimal && a.Scale == 0 && a.Precision <= digits(b.Type)-1 {
			return ""
		}
		return mismatch(a, b)
	case Bytes:
		if a.Type != Bytes {
			return mismatch(a, b)
		}
		if b.Length > 0 && a.Length > b.Length {
			return fmt.Sprintf("holds %d bytes, the target takes at most %d", a.Length, b.Length)
		}
		return ""
	case Timestamp:
		return fitsTimestamp(a, b)
	case Time:
		if a.Type == Time && a.Unit > b.Unit {
			return fmt.Sprintf("is exact to %s, the target only to %s", a.Unit, b.Unit)
		}
	}
	if a.Type != b.Type {
		return mismatch(a, b)
	}
	return ""
}

// fitsString: everything has a text; only a known length can be too long.
func fitsString(a, b Field) string {
	if b.Length == 0 {
		return ""
	}
	longest := 0
	switch a.Type {
	case String:
		longest = a.Length
	case Enum:
		for _, s := range a.Symbols {
			longest = max(longest, len(s))
		}
	case Bytes:
		longest = 2 * a.Length
	case Date:
		longest = len("2006-01-02")
	}
	if longest > b.Length {
		return fmt.Sprintf("can be %d characters long, the target takes at most %d", longest, b.Length)
	}
	return ""
}

func fitsEnum(a, b Field) string {
	if a.Type != Enum {
		return mismatch(a, b)
	}
	known := map[string]bool{}
	for _, s := range b.Symbols {
		known[s] = true
	}
	for _, s := range a.Symbols {
		if !known[s] {
			return fmt.Sprintf("can be %q, which the target does not list", s)
		}
	}
	return ""
}

func fitsDecimal(a, b Field) string {
	switch a.Type {
	case Int32, Int64:
		if have := b.Precision - b.Scale; have < digits(a.Type) {
			return fmt.Sprintf("has up to %d digits before the point, the target holds %d", digits(a.Type), have)
		}
		return ""
	case Decimal:
		if a.Scale > b.Scale {
			return fmt.Sprintf("has %d digits after the point, the target keeps %d", a.Scale, b.Scale)
		}
		if a.Precision-a.Scale > b.Precision-b.Scale {
			return fmt.Sprintf("has %d digits before the point, the target holds %d", a.Precision-a.Scale, b.Precision-b.Scale)
		}
		return ""
	case Float, Double:
		return fmt.Sprintf("is a %s, which %s would round", a.Describe(), b.Describe())
	}
	return mismatch(a, b)
}

// fitsFloat: a double keeps 15 decimal digits whatever they are, a float 6
// (DBL_DIG and FLT_DIG of the C standard).
func fitsFloat(a, b Field) string {
	exact := 15
	if b.Type == Float {
		exact = 6
	}
	switch a.Type {
	case Float:
		return ""
	case Double:
		if b.Type == Float {
			return "is a double, which a float would round"
		}
		return ""
	case Int32, Int64:
		if digits(a.Type) > exact {
			return fmt.Sprintf("is an %s, and a %s is exact to %d digits only", a.Type, b.Type, exact)
		}
		return ""
	case Decimal:
		if a.Precision > exact {
			return fmt.Sprintf("is a %s, and a %s is exact to %d digits only", a.Describe(), b.Type, exact)
		}
		return ""
	}
	return mismatch(a, b)
}

func fitsTimestamp(a, b Field) string {
	switch a.Type {
	case Date:
		return ""
	case Timestamp:
		if a.Unit > b.Unit {
			return fmt.Sprintf("is exact to %s, the target only to %s", a.Unit, b.Unit)
		}
		if a.Local && !b.Local {
			return "is wall-clock time without a zone, the target needs a moment in time"
		}
		return ""
	}
	return mismatch(a, b)
}

// digits is the number of decimal digits of the largest value.
func digits(t Type) int {
	if t == Int32 {
		return 10
	}
	return 19
}

func mismatch(a, b Field) string {
	return fmt.Sprintf("is %s, the target is %s", a.Describe(), b.Describe())
}
