package codec

import (
	"fmt"
	"time"
)

// Clock reads the time that stands in a row. It is for one goroutine.
type Clock struct {
	plan *Plan
	c    *column
	buf  []byte
}

// Clock reads the date or timestamp that a column gives the named field.
func (p *Plan) Clock(field string) (*Clock, error) {
	for i := range p.columns {
		c := &p.columns[i]
		if c.name != field {
			continue
		}
		if c.src < 0 {
			return nil, fmt.Errorf("the field %q, which is to tell the time, has no column", field)
		}
		if c.node.op != opDate && c.node.op != opTimestamp {
			return nil, fmt.Errorf("the field %q is to tell the time, and is neither a date nor a timestamp", field)
		}
		return &Clock{plan: p, c: c}, nil
	}
	return nil, fmt.Errorf("there is no field %q to tell the time", field)
}

// At is the time in a row, the zero time if it has none that can be read. A
// date is its midnight in UTC, as a local timestamp is in UTC.
func (c *Clock) At(fields [][]byte) time.Time {
	if len(fields) != c.plan.fields {
		return time.Time{}
	}
	text := fields[c.c.src]
	if text == nil || c.plan.isNull(text) {
		return time.Time{}
	}
	var err error
	if c.c.layout != "" {
		c.buf, err = c.c.encodeWhen(c.buf[:0], text)
	} else {
		c.buf, err = c.c.node.encode(c.buf[:0], text)
	}
	if err != nil {
		return time.Time{}
	}
	r := reader{c.buf}
	v, err := r.long()
	if err != nil {
		return time.Time{}
	}
	if c.c.node.op == opDate {
		return time.Unix(v*secondsPerDay, 0).UTC()
	}
	per := perSecond(c.c.node.unit)
	seconds := floorDiv(v, per)
	return time.Unix(seconds, (v-seconds*per)*(1e9/per)).UTC()
}
