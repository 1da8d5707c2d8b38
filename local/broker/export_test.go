package broker

// OnCommit calls fn each time a commit is written down and nothing of it is done yet.
func (b *Broker) OnCommit(fn func()) { b.commits.written = fn }
