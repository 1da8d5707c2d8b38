package codec

import (
	"errors"
	"math"

	"mkt/row"
)

var (
	errNoDate      = errors.New("is no date YYYY-MM-DD")
	errNoTime      = errors.New("is no time HH:MM:SS")
	errNoTimestamp = errors.New("is no timestamp YYYY-MM-DDTHH:MM:SS")
	errZone        = errors.New("has a zone, and the schema's timestamp is local")
	errFraction    = errors.New("has more digits of a second than the schema keeps")
)

const secondsPerDay = 86400

// units of a second, by row.Unit.
func perSecond(u row.Unit) int64 {
	switch u {
	case row.Millis:
		return 1e3
	case row.Micros:
		return 1e6
	case row.Nanos:
		return 1e9
	}
	return 1
}

// parseDate reads YYYY-MM-DD as days since 1970-01-01.
func parseDate(b []byte) (int64, error) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, errNoDate
	}
	y, ok1 := number(b[0:4])
	m, ok2 := number(b[5:7])
	d, ok3 := number(b[8:10])
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, errNoDate
	}
	return daysFromCivil(y, m, d), nil
}

func number(b []byte) (int, bool) {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFromCivil and civilFromDays are Howard Hinnant's "chrono-Compatible
// Low-Level Date Algorithms".
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func civilFromDays(z int64) (y int64, m, d int) {
	z += 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	y = yoe + era*400
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp) + 3
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// parseClock reads HH:MM[:SS[.fff]] from the front of b: the time of day in
// units, and what is left of b.
func parseClock(b []byte, u row.Unit) (int64, []byte, error) {
	if len(b) < 5 || b[2] != ':' {
		return 0, b, errNoTime
	}
	h, ok1 := number(b[0:2])
	m, ok2 := number(b[3:5])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, b, errNoTime
	}
	s, rest := 0, b[5:]
	per := perSecond(u)
	var frac int64
	if len(rest) > 0 && rest[0] == ':' {
		var ok bool
		if len(rest) < 3 {
			return 0, b, errNoTime
		}
		if s, ok = number(rest[1:3]); !ok || s > 59 {
			return 0, b, errNoTime
		}
		rest = rest[3:]
		if len(rest) > 0 && rest[0] == '.' {
			i := 1
			for scale := per / 10; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; i++ {
				if scale == 0 && rest[i] != '0' {
					return 0, b, errFraction
				}
				frac += int64(rest[i]-'0') * scale
				scale /= 10
			}
			if i == 1 {
				return 0, b, errNoTime
			}
			rest = rest[i:]
		}
	}
	return int64(h*3600+m*60+s)*per + frac, rest, nil
}

func parseTime(b []byte, u row.Unit) (int64, error) {
	v, rest, err := parseClock(b, u)
	if err == nil && len(rest) > 0 {
		return 0, errNoTime
	}
	return v, err
}

// parseTimestamp reads YYYY-MM-DD[(T| )HH:MM[:SS[.fff]]][Z|±HH[:]MM] as units
// since 1970-01-01. Without a zone it is UTC, or wall-clock time when local.
func parseTimestamp(b []byte, u row.Unit, local bool) (int64, error) {
	if len(b) < 10 {
		return 0, errNoTimestamp
	}
	days, err := parseDate(b[:10])
	if err != nil {
		return 0, errNoTimestamp
	}
	var clock, offset int64
	rest := b[10:]
	if len(rest) > 0 {
		if rest[0] != 'T' && rest[0] != ' ' && rest[0] != 't' {
			return 0, errNoTimestamp
		}
		if clock, rest, err = parseClock(rest[1:], u); err != nil {
			if errors.Is(err, errFraction) {
				return 0, err
			}
			return 0, errNoTimestamp
		}
		if len(rest) > 0 && local {
			return 0, errZone
		}
		if offset, err = parseZone(rest); err != nil {
			return 0, err
		}
	}
	seconds := days*secondsPerDay - offset
	per := perSecond(u)
	if seconds > math.MaxInt64/per-secondsPerDay || seconds < math.MinInt64/per+secondsPerDay {
		return 0, errRange
	}
	return seconds*per + clock, nil
}

// parseZone reads what follows the clock as seconds east of UTC.
func parseZone(b []byte) (int64, error) {
	switch {
	case len(b) == 0, len(b) == 1 && (b[0] == 'Z' || b[0] == 'z'):
		return 0, nil
	case b[0] != '+' && b[0] != '-':
		return 0, errNoTimestamp
	}
	hh, mm := b[1:], []byte("00")
	switch {
	case len(hh) == 5 && hh[2] == ':':
		hh, mm = hh[:2], hh[3:]
	case len(hh) == 4:
		hh, mm = hh[:2], hh[2:]
	case len(hh) != 2:
		return 0, errNoTimestamp
	}
	h, ok1 := number(hh)
	m, ok2 := number(mm)
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, errNoTimestamp
	}
	s := int64(h*3600 + m*60)
	if b[0] == '-' {
		s = -s
	}
	return s, nil
}

// appendDate appends YYYY-MM-DD; false when the year has not four digits.
func appendDate(dst []byte, days int64) ([]byte, bool) {
	if days < -719528 || days > 2932896 { // 0000-01-01, 9999-12-31
		return dst, false
	}
	y, m, d := civilFromDays(days)
	dst = append(appendPair(appendPair(dst, uint32(y/100)), uint32(y%100)), '-')
	return appendPair(append(appendPair(dst, uint32(m)), '-'), uint32(d)), true
}

// appendClock appends HH:MM:SS with the unit's digits of a second.
func appendClock(dst []byte, v int64, u row.Unit) []byte {
	per := perSecond(u)
	s, frac := v/per, v%per
	dst = appendPadded(dst, s/3600, 2)
	dst = appendPadded(append(dst, ':'), s/60%60, 2)
	dst = appendPadded(append(dst, ':'), s%60, 2)
	if u > 0 {
		dst = appendPadded(append(dst, '.'), frac, int(u))
	}
	return dst
}

func appendTimestamp(dst []byte, v int64, u row.Unit, local bool) ([]byte, bool) {
	perDay := secondsPerDay * perSecond(u)
	days := floorDiv(v, perDay)
	dst, ok := appendDate(dst, days)
	if !ok {
		return dst, false
	}
	dst = appendClock(append(dst, 'T'), v-days*perDay, u)
	if !local {
		dst = append(dst, 'Z')
	}
	return dst, true
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var tmp [20]byte
	i := len(tmp)
	for v > 0 || width > 0 {
		i--
		tmp[i] = byte('0' + v%10)
		v /= 10
		width--
	}
	return append(dst, tmp[i:]...)
}
