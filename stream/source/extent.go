package source

import "os"

// Extent measures how much of a source is read.
type Extent struct {
	r      *Reader
	before []int64 // bytes of the files before each file, and of all
}

// Extent measures the files as they are now. It is nil where there is no
// telling: standard input, files that are waited for, files that are gone.
func (r *Reader) Extent() *Extent {
	e := &Extent{r: r, before: []int64{0}}
	for i, name := range r.files {
		info, err := os.Stat(name)
		if name == Stdin || r.cfg.Follow || err != nil {
			return nil
		}
		e.before = append(e.before, e.before[i]+info.Size())
	}
	return e
}

// Part is how much was read, from 0 to 1, by the bytes as they are stored. It
// is for the goroutine of the Reader.
func (e *Extent) Part() float64 {
	if e == nil || e.r.next == 0 || e.before[len(e.r.files)] == 0 {
		return 0
	}
	at := min(e.before[e.r.next-1]+e.r.stored, e.before[e.r.next])
	part := float64(at) / float64(e.before[len(e.r.files)])
	if e.r.cfg.Limit > 0 {
		part = max(part, float64(e.r.number)/float64(e.r.cfg.Limit))
	}
	return part
}
