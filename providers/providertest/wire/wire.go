// Package wire stands between clients and servers and breaks their connections where a test wants: it counts and names the
// requests of Kafka's protocol and of HTTP, and does to one of them what networks, servers and the kernel do to requests.
//
// It knows the protocols' framing, and nothing of mkt. It is imported by tests only.
package wire

import (
	"fmt"
	"sync"
	"time"
)

// Fault is what happens to one request.
type Fault int

// The faults.
const (
	None      Fault = iota
	Cut             // the connection ends before the request arrives
	Lost            // the request is carried out, the connection ends before the answer arrives
	Slow            // the request is carried out, the answer comes after Wire.Delay
	Refused         // the server says that the client may not
	Throttled       // the server says "later", over HTTP with Retry-After: 1
)

var names = []string{"none", "cut", "lost", "slow", "refused", "throttled"}

func (f Fault) String() string { return names[f] }

// Request names one request: the N-th of its system that reads so, from 1.
type Request struct {
	System string // "kafka", "registry", "blob", …: what the server was called
	Name   string // "CreateTopics"; "PUT /market-data?restype=container"; "query CREATE TABLE T"
	N      int
}

func (r Request) String() string { return fmt.Sprintf("%s %s #%d", r.System, r.Name, r.N) }

// Verdict is what is to happen to a request.
type Verdict struct {
	Fault Fault
	// Done is called when the server has answered a Lost request, before the connection is cut.
	Done func()
}

// Wire is the proxies of one run, with the requests that went through them. Its methods are safe for concurrent use.
type Wire struct {
	Delay time.Duration // of what is Slow
	// Short writes a name without what differs from run to run; nil: as it is.
	Short func(string) string

	mu       sync.Mutex
	judge    func(Request) Verdict
	requests []Request
	seen     map[string]int
	when     map[Request]time.Time
}

// Watch forgets the requests so far and asks judge about each one from now on, ahead of it; nil lets all pass. judge is
// called from several goroutines.
func (w *Wire) Watch(judge func(Request) Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge, w.requests, w.seen, w.when = judge, nil, map[string]int{}, map[Request]time.Time{}
}

// Requests are those since Watch, in the order they came in.
func (w *Wire) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Request(nil), w.requests...)
}

// When is when a request came in; zero if it did not.
func (w *Wire) When(r Request) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.when[r]
}

// arrives takes note of a request and returns what is to happen to it.
func (w *Wire) arrives(system, name string) Verdict {
	if w.Short != nil {
		name = w.Short(name)
	}
	w.mu.Lock()
	if w.seen == nil {
		w.seen, w.when = map[string]int{}, map[Request]time.Time{}
	}
	w.seen[system+" "+name]++
	r := Request{System: system, Name: name, N: w.seen[system+" "+name]}
	w.requests = append(w.requests, r)
	w.when[r] = time.Now()
	judge := w.judge
	w.mu.Unlock()
	if judge == nil {
		return Verdict{}
	}
	return judge(r)
}
