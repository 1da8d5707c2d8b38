package model

// ProducerRules says which decisions of the producer are taken differently.
// The zero value is the protocol.
type ProducerRules struct {
	NoFencing       bool // records are sent outside of transactions, under no id
	NoIdempotence   bool // a produce request whose answer was lost is appended twice
	ScanFirst       bool // the resume point is read before the predecessor is fenced
	ReadUncommitted bool // the resume point counts records of open transactions
	LastKey         bool // resumes each partition behind its own last row
	NoTopicID       bool // dead letters do not say for which incarnation they are
	NoTopicCheck    bool // commits without looking whether the topic was re-created
	CutTopicOnly    bool // stops at lost records only if no record of its own is left in the whole topic
}

// ProducerCase is an instance of the producer model: two process slots with
// one transactional id, rows rows, of which badRow is a dead letter.
type ProducerCase struct {
	Rules  ProducerRules
	Faults int // how many of the faults below may happen in one run

	Zombie   bool // a second process is started while the first lives
	Recreate bool // the topic is deleted and created again
	Grow     bool // a partition is added
	Truncate bool // retention removes the oldest record of a partition
}

// Invariants of the producer.
const (
	// RowOnce: no row is committed twice to one incarnation of the topic.
	RowOnce = "RowOnce"
	// Prefix: while no commit is under way, the committed rows of an
	// incarnation are the first of the source. Hence the highest says all.
	Prefix = "Prefix"
)

const (
	rows     = 4
	badRow   = 2
	dead     = 2 // index of the dead-letter topic's only partition
	capacity = 6
)

// record is one record that can still be seen: those of aborted transactions
// are taken out.
type record struct {
	row       uint8
	committed bool
	topic     uint8 // of a dead letter: the incarnation it is for
}

type partitionLog struct {
	n       uint8
	cut     bool // has lost its first records
	records [capacity]record
}

// What a process does next.
type producerPhase uint8

const (
	pOff       producerPhase = iota
	pFence                   // knows the topic's id
	pScan                    // is alone, if its predecessor was fenced
	pScanDead                // has read the topic
	pSend                    // knows the resume point
	pCommit                  // has seen all records acknowledged and the topic unchanged
	pAwait                   // has asked to commit
	pLateFence               // ScanFirst only: has scanned, is still to fence
)

type producerProcess struct {
	phase producerPhase
	topic uint8 // incarnation it found when it began
	next  uint8 // row to send
	open  uint8 // records in its transaction
	seen  [3]uint8
}

type txnState uint8

const (
	txnNone txnState = iota
	txnOpen
	txnCommitting // decided; markers are being written
)

// producerState is the whole world.
type producerState struct {
	topic     uint8 // incarnation
	parts     uint8
	logs      [3]partitionLog // two partitions and the dead letters
	owner     uint8           // slot + 1 of the process with the newest epoch
	txn       txnState
	procs     [2]producerProcess
	committed [rows + 1]uint8 // ghost: how often a row was committed to this incarnation
	faults    uint8
	stopped   bool // a process has said that it cannot know where to go on
}

var processes = [2]string{"producer A", "producer B"}

// CheckProducer explores an instance of the producer model.
func CheckProducer(c ProducerCase, limit int) Result {
	return explore(system[producerState]{
		start:  producerState{topic: 1, parts: 1},
		next:   func(s producerState, emit func(Step, producerState)) { c.next(s, emit) },
		broken: c.broken,
		done:   c.done,
	}, limit)
}

func (c ProducerCase) broken(s producerState) string {
	gap := false
	for row := 1; row <= rows; row++ {
		if s.committed[row] > 1 {
			return RowOnce
		}
		if s.committed[row] == 0 {
			gap = true
		} else if gap && s.txn != txnCommitting {
			return Prefix
		}
	}
	return ""
}

// done: every row is committed, or a person has been told that the topic has
// lost what is needed to go on.
func (c ProducerCase) done(s producerState) bool {
	if s.stopped {
		return true
	}
	for row := 1; row <= rows; row++ {
		if s.committed[row] == 0 {
			return false
		}
	}
	return s.txn == txnNone
}

func (c ProducerCase) next(s producerState, emit func(Step, producerState)) {
	if s.stopped {
		return
	}
	for i := range s.procs {
		c.process(s, i, emit)
	}
	c.coordinator(s, emit)
	if int(s.faults) < c.Faults {
		c.world(s, emit)
	}
}

// partitionOf is the partitioner: it moves rows when a partition is added.
func (s *producerState) partitionOf(row uint8) int {
	switch {
	case row == badRow:
		return dead
	case s.parts == 1:
		return 0
	}
	return int(row % 2)
}

func (l *partitionLog) add(r record) {
	if l.n < capacity {
		l.records[l.n] = r
		l.n++
	}
}

// keep takes out the records for which f is false.
func (l *partitionLog) keep(f func(record) bool) {
	out := partitionLog{cut: l.cut}
	for _, r := range l.records[:l.n] {
		if f(r) {
			out.add(r)
		}
	}
	*l = out
}

func (s *producerState) abort() {
	for i := range s.logs {
		s.logs[i].keep(func(r record) bool { return r.committed })
	}
	s.txn = txnNone
}

// process is what a process may do.
func (c ProducerCase) process(s producerState, i int, emit func(Step, producerState)) {
	who := processes[i]
	p := s.procs[i]
	fenced := !c.Rules.NoFencing && int(s.owner) != i+1
	with := func(p producerProcess) producerState {
		out := s
		out.procs[i] = p
		return out
	}
	may := int(s.faults) < c.Faults
	if p.phase != pOff && may {
		to := with(producerProcess{})
		to.faults++
		emit(Step{who, "killed", -1, true}, to)
	}
	switch p.phase {
	case pOff:
		to := with(producerProcess{phase: pFence, topic: s.topic})
		if c.Rules.ScanFirst {
			to.procs[i].phase = pScan
		}
		if s.procs[1-i].phase == pOff {
			if i == 0 { // the slots are alike
				emit(Step{who, "started", -1, false}, to)
			}
		} else if c.Zombie && may {
			to.faults++
			emit(Step{who, "started beside the other", -1, true}, to)
		}
	case pFence, pLateFence:
		if s.txn == txnCommitting {
			return // the coordinator answers only when the commit is complete
		}
		to := with(p)
		to.procs[i].phase = pScan
		if p.phase == pLateFence {
			to.procs[i].phase = pSend
		}
		if !c.Rules.NoFencing {
			to.owner = uint8(i + 1)
			to.abort()
		}
		emit(Step{who, "begins with its transactional id", -1, false}, to)
	case pScan:
		c.scan(s, i, emit)
	case pScanDead:
		last, ok := c.last(&s.logs[dead], func(r record) bool { return c.Rules.NoTopicID || r.topic == p.topic })
		if ok {
			p.seen[dead] = last
			p.next = max(p.next, last+1)
		}
		p.phase = pSend
		if c.Rules.ScanFirst {
			p.phase = pLateFence
		}
		emit(Step{who, "knows where to go on: row", int8(p.next), false}, with(p))
	case pSend:
		c.send(s, i, fenced, emit)
	case pCommit:
		if fenced {
			emit(Step{who, "is refused: fenced", -1, false}, with(producerProcess{}))
			return
		}
		to := with(p)
		to.procs[i].phase, to.txn = pAwait, txnCommitting
		emit(Step{who, "asks to commit", -1, false}, to)
	case pAwait:
		if !fenced && s.txn == txnCommitting {
			return
		}
		p.phase, p.open = pSend, 0
		emit(Step{who, "hears that the commit took place", -1, false}, with(p))
	}
	if p.phase == pAwait && may {
		to := with(producerProcess{})
		to.faults++
		emit(Step{who, "never hears about the commit and begins anew", -1, true}, to)
	}
}

// last is the newest row in a log that f accepts and the reader sees.
func (c ProducerCase) last(l *partitionLog, f func(record) bool) (row uint8, found bool) {
	for i := int(l.n) - 1; i >= 0; i-- {
		if r := l.records[i]; (r.committed || c.Rules.ReadUncommitted) && f(r) {
			return r.row, true
		}
	}
	return 0, false
}

func (c ProducerCase) scan(s producerState, i int, emit func(Step, producerState)) {
	p := s.procs[i]
	p.next, p.phase, p.seen = 1, pScanDead, [3]uint8{}
	any, cut, unknown := false, false, false
	for part := range s.logs[:dead] {
		row, found := c.last(&s.logs[part], func(record) bool { return true })
		if found {
			p.seen[part] = row
			p.next = max(p.next, row+1)
		}
		any = any || found
		cut = cut || s.logs[part].cut
		unknown = unknown || s.logs[part].cut && !found
	}
	if c.Rules.CutTopicOnly {
		unknown = cut && !any
	}
	if c.Rules.LastKey {
		p.next = 1
	}
	to := s
	to.procs[i] = p
	if unknown {
		to.procs[i], to.stopped = producerProcess{}, true
		emit(Step{processes[i], "stops: the topic has lost records", -1, false}, to)
		return
	}
	emit(Step{processes[i], "has read the topic backwards", -1, false}, to)
}

func (c ProducerCase) send(s producerState, i int, fenced bool, emit func(Step, producerState)) {
	who, p := processes[i], s.procs[i]
	to := s
	if fenced && (p.next <= rows || p.open > 0) {
		to.procs[i] = producerProcess{}
		emit(Step{who, "is refused: fenced", -1, false}, to)
		return
	}
	if p.next > rows && p.open == 0 {
		to.procs[i] = producerProcess{}
		emit(Step{who, "is at the end of the source", -1, false}, to)
	}
	if p.next <= rows {
		part := s.partitionOf(p.next)
		row := int8(p.next)
		to.procs[i].next++
		if c.Rules.LastKey && p.next <= p.seen[part] {
			emit(Step{who, "passes over row", row, false}, to)
			return
		}
		r := record{row: p.next, committed: c.Rules.NoFencing}
		if part == dead {
			r.topic = p.topic
		}
		to.logs[part].add(r)
		if c.Rules.NoFencing {
			to.committed[r.row]++
		} else {
			to.procs[i].open++
			to.txn = txnOpen
		}
		emit(Step{who, "sends row", row, false}, to)
		if c.Rules.NoIdempotence && int(s.faults) < c.Faults {
			to.logs[part].add(r)
			to.faults++
			emit(Step{who, "hears nothing and sends again row", row, true}, to)
		}
	}
	if p.open > 0 {
		to = s
		if s.topic != p.topic && !c.Rules.NoTopicCheck {
			to.abort()
			to.procs[i] = producerProcess{}
			emit(Step{who, "aborts and stops: the topic was re-created", -1, false}, to)
			return
		}
		to.procs[i].phase = pCommit
		emit(Step{who, "sees all records acknowledged and the topic unchanged", -1, false}, to)
	}
}

// coordinator writes the commit markers, one partition at a time.
func (c ProducerCase) coordinator(s producerState, emit func(Step, producerState)) {
	if s.txn != txnCommitting {
		return
	}
	left := false
	for part := range s.logs {
		to, some := s, false
		for k := range s.logs[part].n {
			if r := &to.logs[part].records[k]; !r.committed {
				r.committed, some = true, true
				if part != dead || r.topic == s.topic {
					to.committed[r.row]++
				}
			}
		}
		if some {
			left = true
			emit(Step{"", "commit marker in partition", int8(part), false}, to)
		}
	}
	if !left {
		s.txn = txnNone
		emit(Step{"", "the commit is complete", -1, false}, s)
	}
}

// world is what happens to the topic.
func (c ProducerCase) world(s producerState, emit func(Step, producerState)) {
	s.faults++
	if s.txn == txnOpen {
		to := s
		to.abort()
		to.owner = 0
		emit(Step{"", "the transaction times out", -1, true}, to)
	}
	if c.Grow && s.parts == 1 {
		to := s
		to.parts = 2
		emit(Step{"", "a partition is added", -1, true}, to)
	}
	if c.Recreate && s.topic == 1 {
		to := s
		to.topic = 2
		to.logs[0], to.logs[1] = partitionLog{}, partitionLog{}
		to.logs[dead].keep(func(record) bool { return true })
		to.committed = [rows + 1]uint8{}
		for _, r := range to.logs[dead].records[:to.logs[dead].n] {
			if r.topic == 2 && r.committed {
				to.committed[r.row]++
			}
		}
		emit(Step{"", "the topic is re-created", -1, true}, to)
	}
	if c.Truncate {
		for part := range s.logs[:dead] {
			l := s.logs[part]
			if l.n == 0 || !l.records[0].committed {
				continue
			}
			to := s
			copy(to.logs[part].records[:], l.records[1:])
			to.logs[part].records[capacity-1] = record{}
			to.logs[part].n--
			to.logs[part].cut = true
			emit(Step{"", "retention removes the oldest record of partition", int8(part), true}, to)
		}
	}
}
