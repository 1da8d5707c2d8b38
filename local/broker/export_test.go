package broker

import "time"

// OnCommit calls fn each time a commit is written down and nothing of it is done yet; nil ends that.
func (b *Broker) OnCommit(fn func()) {
	if fn == nil {
		b.commits.written.Store(nil)
		return
	}
	b.commits.written.Store(&fn)
}

// Expect changes how long a group member may be silent, whatever it said when it joined.
func (b *Broker) Expect(group, id string, timeout time.Duration) {
	b.members.mu.Lock()
	defer b.members.mu.Unlock()
	b.members.seen[member{group, id}].timeout = timeout
}
