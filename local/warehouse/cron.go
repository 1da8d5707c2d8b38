package warehouse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron is a schedule by the calendar: minutes, hours, days of the month, months and days of the week, in a time zone (Snowflake: "CREATE TASK", USING CRON).
type cron struct {
	fields [5][]int
	anyDay [2]bool // the days of the month, and of the week, are *
	zone   *time.Location
}

var cronFields = [5]struct {
	name     string
	from, to int
	words    []string
}{
	{"minute", 0, 59, nil}, {"hour", 0, 23, nil}, {"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of the week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

func parseCron(words []string) (*cron, error) {
	if len(words) != 6 {
		return nil, fmt.Errorf("USING CRON takes five fields and a time zone, such as 0 9 * * MON UTC")
	}
	c := &cron{anyDay: [2]bool{words[2] == "*", words[4] == "*"}}
	for i, f := range cronFields {
		for part := range strings.SplitSeq(strings.ToUpper(words[i]), ",") {
			list, err := cronPart(part, f.from, f.to, f.words)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			c.fields[i] = append(c.fields[i], list...)
		}
	}
	if slices.Contains(c.fields[4], 7) { // Sunday, too
		c.fields[4] = append(c.fields[4], 0)
	}
	var err error
	if c.zone, err = time.LoadLocation(words[5]); err != nil {
		return nil, fmt.Errorf("there is no time zone %q", words[5])
	}
	if c.next(time.Now()).IsZero() {
		return nil, fmt.Errorf("that day never comes")
	}
	return c, nil
}

// cronPart reads *, n, a-b, and either with /step.
func cronPart(part string, from, to int, words []string) (list []int, err error) {
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return nil, fmt.Errorf("%q is no step", part)
		}
	}
	number := func(s string) (int, error) {
		if i := slices.Index(words, s); i >= 0 {
			return i + from, nil
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < from || n > to {
			return 0, fmt.Errorf("%q is not a number from %d to %d", s, from, to)
		}
		return n, nil
	}
	if strings.ContainsAny(span, "L#") && !slices.Contains(words, span) {
		return nil, fmt.Errorf("the embedded warehouse does not know %q", part)
	}
	low, high := from, to
	if span != "*" {
		first, last, ranged := strings.Cut(span, "-")
		if low, err = number(first); err != nil {
			return nil, err
		}
		if high = low; stepped {
			high = to
		}
		if ranged {
			if high, err = number(last); err != nil || high < low {
				return nil, fmt.Errorf("%q is no range", span)
			}
		}
	}
	for n := low; n <= high; n += step {
		list = append(list, n)
	}
	return list, nil
}

// day reports whether a day is one of the schedule's: where both are given, days of the month and of the week add up.
func (c *cron) day(t time.Time) bool {
	month, week := slices.Contains(c.fields[2], t.Day()), slices.Contains(c.fields[4], int(t.Weekday()))
	if !c.anyDay[0] && !c.anyDay[1] {
		return month || week
	}
	return month && week
}

// next is the first minute after a time; zero where there is none within five years.
func (c *cron) next(after time.Time) time.Time {
	t := after.In(c.zone).Truncate(time.Minute).Add(time.Minute)
	end := t.AddDate(5, 0, 0)
	for t.Before(end) {
		switch {
		case !slices.Contains(c.fields[3], int(t.Month())) || !c.day(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone)
		case !slices.Contains(c.fields[1], t.Hour()):
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !slices.Contains(c.fields[0], t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}
