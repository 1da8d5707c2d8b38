package main

import (
	"fmt"
	"strings"
)

// The rows of the table that targets are about.
const (
	mktProducer     = "mkt, producer"
	mktJSON         = "mkt, consumer to JSON, gzip"
	mktAvro         = "mkt, consumer to Avro, zstd"
	mktHalves       = "mkt, both halves"
	cProducer       = "C producer"
	connectProducer = "Redpanda Connect, producer"
	connectConsumer = "Redpanda Connect, consumer to JSON, gzip"
	connectHalves   = "Redpanda Connect, both halves"
)

// table prints figures as they come and keeps them.
type table struct{ all []figures }

func (t *table) title(text string) {
	fmt.Printf("%s\n%-44s %10s %12s %14s %9s\n", text, "", "seconds", "rows/s", "CPU-s/M rows", "RSS MB")
}

func (t *table) add(f figures) {
	if f.rows == 0 {
		return
	}
	t.all = append(t.all, f)
	fmt.Printf("%-44s %10.2f %12.0f %14.2f %9.0f\n", f.name, f.elapsed.Seconds(), f.perSecond(), f.perMillion(), float64(f.rss)/1e6)
}

func (t *table) find(name string) (figures, bool) {
	for _, f := range t.all {
		if f.name == name {
			return f, true
		}
	}
	return figures{}, false
}

// targets compares the figures with what they are to be.
func (t *table) targets() {
	var lines []string
	say := func(what string, value, limit float64, most bool) {
		sign, word := "≥", "met"
		met := value >= limit
		if most {
			sign, met = "≤", value <= limit
		}
		if !met {
			word = "MISSED"
		}
		lines = append(lines, fmt.Sprintf("%-64s %8.2f %s %-6g %s", what, value, sign, limit, word))
	}
	cost := func(name string, limit float64) {
		if f, ok := t.find(name); ok {
			say(name+": CPU-s per million rows", f.perMillion(), limit, true)
		}
	}
	cost(mktProducer, 1.1)
	cost(mktJSON, 1.8)
	cost(mktAvro, 1.3)
	p, ok1 := t.find(mktProducer)
	c, ok2 := t.find(cProducer)
	if ok1 && ok2 {
		say("mkt, producer: CPU over that of librdkafka from C", p.perMillion()/c.perMillion(), 1.5, true)
	}
	var rss int64
	for _, name := range []string{mktProducer, mktJSON, mktAvro, mktHalves} {
		f, _ := t.find(name)
		rss = max(rss, f.rss)
	}
	if rss > 0 {
		say("mkt: MB of resident memory", float64(rss)/1e6, 150, true)
	}
	one, ok1 := t.find(oneConsumer)
	two, ok2 := t.find(twoConsumers)
	if ok1 && ok2 {
		say("two consumers: rows/s over those of one", two.perSecond()/one.perSecond(), 1.7, false)
	}
	both, ok1 := t.find(mktHalves)
	peer, ok2 := t.find(connectHalves)
	if ok1 && ok2 {
		say("both halves: rows/s over those of Redpanda Connect", both.perSecond()/peer.perSecond(), 6, false)
		say("both halves: CPU of Redpanda Connect over that of mkt", peer.perMillion()/both.perMillion(), 10, false)
	}
	if len(lines) > 0 {
		fmt.Println("targets\n" + strings.Join(lines, "\n"))
	}
}
