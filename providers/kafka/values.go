package kafka

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// normSetting returns the normal form of a topic setting: what the broker says
// for the same meaning. Durations ("7d", "1h30m") in settings that end in .ms
// become milliseconds, sizes ("1GiB", "64 MB") in those that end in .bytes become
// bytes, lists are sorted. What cannot be read stays as it is.
func normSetting(key, value string) string {
	v := strings.TrimSpace(value)
	switch {
	case strings.HasSuffix(key, ".ms"):
		if ms, err := parseMillis(v); err == nil {
			return strconv.FormatInt(ms, 10)
		}
	case strings.HasSuffix(key, ".bytes"):
		if n, err := parseBytes(v); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case key == "cleanup.policy":
		items := strings.Split(v, ",")
		for i := range items {
			items[i] = strings.ToLower(strings.TrimSpace(items[i]))
		}
		sort.Strings(items)
		return strings.Join(items, ",")
	case v == "True" || v == "TRUE" || v == "False" || v == "FALSE":
		return strings.ToLower(v)
	}
	return v
}

// checkSetting says what is wrong with a setting's value as written.
func checkSetting(key, value string) error {
	switch {
	case strings.HasSuffix(key, ".ms"):
		if _, err := parseMillis(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%q: %q is no duration; write milliseconds, or a duration such as \"7d\" or \"1h30m\"", key, value)
		}
	case strings.HasSuffix(key, ".bytes"):
		if _, err := parseBytes(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%q: %q is no size; write bytes, or a size such as \"1GiB\"", key, value)
		}
	case value == "":
		return fmt.Errorf("%q: the value is empty; leave the setting out for the broker's default", key)
	}
	return nil
}

// parseMillis reads milliseconds, or a duration with the units of Go and d and w.
func parseMillis(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	total := 0.0
	rest := s
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if i <= 0 {
			return 0, fmt.Errorf("no duration: %q", s)
		}
		number, err := strconv.ParseFloat(rest[:i], 64)
		if err != nil {
			return 0, err
		}
		rest = rest[i:]
		j := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if j < 0 {
			j = len(rest)
		}
		unit, ok := units[rest[:j]]
		if !ok {
			return 0, fmt.Errorf("no duration: %q", s)
		}
		total += number * float64(unit/time.Millisecond)
		rest = rest[j:]
	}
	if s == "" || total != math.Trunc(total) || total > 1<<53 {
		return 0, fmt.Errorf("no whole number of milliseconds: %q", s)
	}
	return int64(total), nil
}

var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// parseBytes reads bytes, or a size with a decimal (MB) or binary (MiB) unit.
func parseBytes(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("no size: %q", s)
	}
	return int64(n), nil
}
