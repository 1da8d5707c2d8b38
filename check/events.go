package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var eventRules = []Rule{
	{
		ID: "event-missing", Severity: hcl.DiagError, Summary: "No event reaches the pipe",
		Doc: "A pipe with `auto_ingest` has an event subscription on the container of its stage. Without one, Azure tells nobody about new files and the pipe loads none, without any error. " +
			"It speaks where the stack describes the container or the integration's queue.",
		Check: checkEventMissing,
	},
	{
		ID: "event-queue", Severity: hcl.DiagError, Summary: "Events go to another queue",
		Doc:   "The event subscription's queue is the queue of the pipe's notification integration.",
		Check: checkEventQueue,
	},
	{
		ID: "event-filter", Severity: hcl.DiagError, Summary: "Events leave out the files",
		Doc:   "The event subscription's `prefix` and `suffix` cover the names of the consumer's files, its `apis` have `PutBlob`, with which the consumer writes, and its `event_types` have `Microsoft.Storage.BlobCreated`.",
		Check: checkEventFilter,
	},
	{
		ID: "queue-shared", Severity: hcl.DiagError, Summary: "Two integrations on one queue",
		Doc:   "One queue serves one notification integration: each message is taken by one reader, so two integrations take the events from each other.",
		Check: checkQueueShared,
	},
}

// listening is an auto-ingest pipe with its queue and the event subscriptions that watch its container.
type listening struct {
	*Pipe
	queue   Ref
	watches []*Subscription
	maybe   bool // others may watch the container, too
}

func (p *Pipeline) listeners() (all []listening) {
	for _, pipe := range p.Pipes {
		if !pipe.is("auto_ingest") || pipe.Container.none() {
			continue
		}
		l := listening{Pipe: pipe}
		if n := pipe.Integration.Node; n != nil {
			l.queue = p.ref(n, "azure_queue", "queue")
		}
		for _, s := range p.Subscriptions {
			switch same(s.Container, pipe.Container) {
			case yes:
				l.watches = append(l.watches, s)
			case maybe:
				l.maybe = true
			}
		}
		all = append(all, l)
	}
	return all
}

func checkEventMissing(p *Pipeline) (found []Finding) {
	for _, l := range p.listeners() {
		if len(l.watches) > 0 || l.maybe || l.Container.Node == nil && l.queue.Node == nil {
			continue
		}
		write := fmt.Sprintf("Add an azure_event_subscription with container = %s, queue = %s and prefix = %q.", l.Container, or(l.queue, "the integration's queue"), l.Path)
		for _, s := range p.Subscriptions {
			if same(s.Queue, l.queue) == yes {
				write = fmt.Sprintf("%s tells the queue about %s: set its container to %s.", s.Addr, s.Container, l.Container)
			}
		}
		found = append(found, Finding{At: l.End("auto_ingest"), Others: ends(l.Container, l.Integration, l.queue),
			Detail: fmt.Sprintf("No event subscription tells about new files in %s, so the pipe would wait for ever. %s", l.Container, write)})
	}
	return found
}

func or(r Ref, otherwise string) string {
	if r.none() {
		return otherwise
	}
	return r.String()
}

// told are the subscriptions that tell the pipe's queue; sure is false when there may be others.
func (l listening) told() (subs []*Subscription, sure bool) {
	sure = !l.maybe
	for _, s := range l.watches {
		switch same(s.Queue, l.queue) {
		case yes:
			subs = append(subs, s)
		case maybe:
			sure = false
		}
	}
	return subs, sure
}

func checkEventQueue(p *Pipeline) (found []Finding) {
	for _, l := range p.listeners() {
		subs, sure := l.told()
		if len(l.watches) == 0 || len(subs) > 0 || !sure {
			continue
		}
		for _, s := range l.watches {
			found = append(found, Finding{At: s.End("queue"), Others: []End{l.Integration.Node.End("queue"), l.End("integration")},
				Detail: fmt.Sprintf("New files in %s are told to %s, and %s listens to %s through its integration: nothing would load. Give both one queue.", l.Container, s.Queue, l.Addr, l.queue)})
		}
	}
	return found
}

func checkEventFilter(p *Pipeline) (found []Finding) {
	for _, l := range p.listeners() {
		subs, sure := l.told()
		if !sure || len(subs) == 0 {
			continue
		}
		for _, load := range p.Loads {
			if load.Pipe != l.Pipe {
				continue
			}
			var gaps []Finding
			for _, s := range subs {
				gap, covered := s.gap(l, load.Consumer)
				if covered {
					gaps = nil
					break
				}
				gaps = append(gaps, gap)
			}
			found = append(found, gaps...)
		}
	}
	return found
}

// gap says by what a subscription leaves out a consumer's files; covered is true when by nothing that is known.
func (s *Subscription) gap(l listening, c *Consumer) (gap Finding, covered bool) {
	const blobCreated, put = "Microsoft.Storage.BlobCreated", "PutBlob"
	name, known := c.name()
	prefix, known1 := s.text("prefix")
	suffix, known2 := s.text("suffix")
	types, known3 := s.texts("event_types")
	apis, known4 := s.texts("apis")
	if !known {
		return gap, true
	}
	report := func(attr string, other End, format string, args ...any) (Finding, bool) {
		return Finding{At: s.End(attr), Others: []End{other, l.End("auto_ingest")},
			Detail: fmt.Sprintf(format, args...) + fmt.Sprintf(" The events of these files would not come, and %s would not load them.", l.Addr)}, false
	}
	switch {
	case known1 && !strings.HasPrefix(c.Dir, prefix):
		want, _ := c.text("prefix")
		return report("prefix", c.End("prefix"), "The subscription tells about blobs below %q, and %s writes below %q. Set prefix = %q.", prefix, c.Addr, c.Dir, want)
	case known2 && !strings.HasSuffix(name, suffix):
		return report("suffix", c.End("compression"), "The subscription tells about blobs that end in %q, and the files of %s end in %q. Leave suffix out.", suffix, c.Addr, suffixOf(c))
	case known3 && len(types) > 0 && !slices.Contains(types, blobCreated):
		return report("event_types", c.End(), "The subscription does not tell about %s, which is the only event that Snowpipe reads. Leave event_types out.", blobCreated)
	case known4 && len(apis) > 0 && !slices.Contains(apis, put):
		return report("apis", c.End(), "The subscription's filter on data.api leaves out %s, by which %s writes its files. Leave apis out, or add it.", put, c.Addr)
	}
	return gap, true
}

func checkQueueShared(p *Pipeline) (found []Finding) {
	for i, a := range p.Integrations {
		for _, b := range p.Integrations[:i] {
			queue := p.ref(a, "azure_queue", "queue")
			if same(queue, p.ref(b, "azure_queue", "queue")) != yes {
				continue
			}
			found = append(found, Finding{At: a.End("queue"), Others: []End{b.End("queue")},
				Detail: fmt.Sprintf("%s and %s both read %s and would take the events from each other, so that each misses files. Let the pipes share one integration, or make a second queue and event subscription.", a.Addr, b.Addr, queue)})
		}
	}
	return found
}
