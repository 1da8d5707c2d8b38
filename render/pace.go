package render

import (
	"time"

	"mkt/stream"
)

// paceWindow is what a rate is measured over: long enough for a consumer that uploads a file every ten seconds.
const paceWindow = 15 * time.Second

// pace knows how fast a run goes, from its snapshots of the last while.
type pace struct{ past []stream.Snapshot }

func (p *pace) add(s stream.Snapshot) {
	p.past = append(p.past, s)
	for len(p.past) > 2 && s.Elapsed-p.past[1].Elapsed >= paceWindow {
		p.past = p.past[1:]
	}
}

// over is the first and the last snapshot, and how many seconds lie between them; 0 before there are two.
func (p *pace) over() (first, last stream.Snapshot, seconds float64) {
	if len(p.past) == 0 {
		return first, last, 0
	}
	first, last = p.past[0], p.past[len(p.past)-1]
	return first, last, (last.Elapsed - first.Elapsed).Seconds()
}

// speed is rows per second, and how long it takes until the end is reached, 0 where there is no telling.
type speed struct {
	rows float64
	eta  time.Duration
}

func (p *pace) producer(i int) speed {
	first, last, seconds := p.over()
	if seconds <= 0 || i >= len(first.Producers) {
		return speed{}
	}
	a, b := first.Producers[i], last.Producers[i]
	out := speed{rows: float64(b.Rows-a.Rows) / seconds}
	if b.State == stream.Running && b.Part > a.Part && b.Part < 1 {
		out.eta = inSeconds((1 - b.Part) / (b.Part - a.Part) * seconds)
	}
	return out
}

func (p *pace) consumer(i int) speed {
	first, last, seconds := p.over()
	if seconds <= 0 || i >= len(first.Consumers) {
		return speed{}
	}
	a, b := first.Consumers[i], last.Consumers[i]
	out := speed{rows: float64(b.Read-a.Read) / seconds}
	if b.State == stream.Running && b.Lag > 0 && out.rows > 0 {
		out.eta = inSeconds(float64(b.Lag) / out.rows)
	}
	return out
}

func inSeconds(s float64) time.Duration {
	return time.Duration(min(max(s, 1), 1e7)) * time.Second
}
