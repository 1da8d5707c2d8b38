package model

// ConsumerRules says which decisions of the consumer are taken differently.
// The zero value is the protocol.
type ConsumerRules struct {
	StartAndEnd       bool // a file is named by its start and its end
	FirstRecord       bool // a file is named by the offset of its first record
	Overwrite         bool // a file may be written over one of its name
	TakeForOwn        bool // a file that exists is taken to be the one that was to be written
	CommitFirst       bool // the offset is committed before the upload
	CommitBeforeDead  bool // the offset is committed before the dead letters are written
	DeadFirst         bool // the dead letters are written before the file
	NoRepair          bool // whoever adopts a file does not look whether its dead letters are there
	NoIncarnation     bool // the topic's id is not in the path and not in the commit
	CommitWithoutID   bool // the topic's id is in the path but not in the commit
	LateTopicCheck    bool // the topic's id is looked at now and then, not before each upload
	ListedUncommitted bool // where the files end is not committed by who finds it
	FormatIgnored     bool // files of another format are not looked for
	OthersOnly        bool // and if they are, the way along the chain ends at the first of one's own
	Untold            bool // files are written without having committed where they will end
	LateCommits       bool // (of the broker) commits of a former owner are taken although Remove is set
}

// ConsumerCase is an instance of the consumer model: two members that may
// both believe that they own the one partition.
type ConsumerCase struct {
	Rules ConsumerRules
	// Log is the partition: r is a row, d a record that is no datum, c a
	// control record. A transaction ends with each c and with the log.
	Log string

	One      bool // there is one member, not two
	Pipeline bool // records are read while a file is being uploaded
	Recreate bool // the topic is deleted and created again
	Reformat bool // files get another suffix, while no member runs
	Pipe     bool // events arrive late and in any order; otherwise with the file
	// Remove: a file is removed after it was loaded. The broker then refuses the
	// commits of a former owner; otherwise it takes them.
	Remove bool
}

// Invariants of the consumer.
const (
	// LoadedOnce: no record is in the table twice.
	LoadedOnce = "LoadedOnce"
	// FiledOnce: no record is in two files.
	FiledOnce = "FiledOnce"
	// DeadOnce: no record that is no datum is in the dead letters twice.
	DeadOnce = "DeadOnce"
	// Chain: the files of an incarnation start at its first offset and each
	// starts where the one before it ends.
	Chain = "Chain"
	// Committed: everything before the committed offset is in a file or in the
	// dead letters.
	Committed = "Committed"
	// Immutable: two who write [start, end) write the same records.
	Immutable = "Immutable"
)

const (
	logMax  = 6
	blobMax = 6
)

// set is a set of records: bit 8*(incarnation-1) + offset.
type set uint16

func bit(topic, offset uint8) set { return 1 << (8*(topic-1) + offset) }

// file is a blob and its dead letters.
type file struct {
	used                       bool
	topic, start, last, suffix uint8 // its name; last is used by StartAndEnd
	end                        uint8 // metadata; 0: there are dead letters at most
	removed                    bool
	loaded                     bool // the pipe has seen this name
	rows, dead                 set  // of the range, as its writer read it
	written                    bool // the dead letters are there
	letters                    set  // and what is in them
}

type consumerPhase uint8

const (
	cOff consumerPhase = iota
	cJoined
	cOwner
)

type uploadPhase uint8

const (
	uNone    uploadPhase = iota
	uTell                // sealed
	uCheck               // has committed where the file will end
	uCreate              // the topic was the same after the last record was read
	uExists              // the name is taken
	uLetters             // the file is there
	uSettled             // CommitFirst only
)

type member struct {
	phase  consumerPhase
	topic  uint8 // incarnation it found when it began
	suffix uint8

	start, next, forced uint8
	rows, dead          set // of the open file

	upload         uploadPhase
	upStart, upEnd uint8
	upRows, upDead set

	pending uint8 // chain end to commit, 0 for none
	current bool  // nobody was assigned the partition since
}

func (m *member) open() bool { return m.rows|m.dead != 0 }

// consumerState is the whole world.
type consumerState struct {
	topic   uint8 // incarnation
	visible uint8 // last stable offset
	suffix  uint8 // configured
	files   [blobMax]file
	offset  uint8 // committed
	offsets uint8 // incarnation that the commit says it is of, 0: nothing is committed
	told    uint8 // end of the file at offset that somebody is about to write, as committed; 0 for none
	members [2]member
	once    set // ghost: records in the table
	twice   set // ghost: records in the table more than once
	differs bool
}

// CheckConsumer explores an instance of the consumer model.
func CheckConsumer(c ConsumerCase, limit int) Result {
	return explore(system[consumerState]{
		start:  consumerState{topic: 1},
		next:   func(s consumerState, emit func(Step, consumerState)) { c.next(s, emit) },
		broken: c.broken,
		done:   c.done,
	}, limit)
}

func (c ConsumerCase) size() uint8 { return uint8(len(c.Log)) }

// of is the records of one kind among the first n of an incarnation.
func (c ConsumerCase) of(kind byte, topic, n uint8) set {
	var out set
	for i := range n {
		if c.Log[i] == kind {
			out |= bit(topic, i)
		}
	}
	return out
}

func (c ConsumerCase) broken(s consumerState) string {
	var filed, letters set
	end := [3]uint8{}
	for _, f := range s.files {
		if filed&f.rows != 0 {
			return FiledOnce
		}
		filed |= f.rows
		if letters&f.letters != 0 {
			return DeadOnce
		}
		letters |= f.letters
		if f.end > 0 {
			if f.start != end[f.topic] {
				return Chain
			}
			end[f.topic] = f.end
		}
	}
	switch {
	case s.twice != 0:
		return LoadedOnce
	case s.differs:
		return Immutable
	}
	if c.speaksOf(&s, s.topic) && !c.Remove {
		if rows := c.of('r', s.topic, s.offset); filed&rows != rows {
			return Committed
		}
		if dead := c.of('d', s.topic, s.offset); letters&dead != dead {
			return Committed
		}
	}
	return ""
}

// speaksOf says whether a member takes the committed offset to be of an
// incarnation.
func (c ConsumerCase) speaksOf(s *consumerState, topic uint8) bool {
	return s.offsets == topic || s.offsets != 0 && (c.Rules.NoIncarnation || c.Rules.CommitWithoutID)
}

// done: all records of the present topic are loaded or dead letters, and the
// group has committed that.
func (c ConsumerCase) done(s consumerState) bool {
	if s.visible < c.size() || !c.speaksOf(&s, s.topic) {
		return false
	}
	var letters set
	for _, f := range s.files {
		letters |= f.letters
	}
	rows, dead := c.of('r', s.topic, c.size()), c.of('d', s.topic, c.size())
	last := uint8(0)
	for i := range c.size() {
		if c.Log[i] != 'c' {
			last = i + 1
		}
	}
	return s.once&rows == rows && letters&dead == dead && s.offset >= last
}

func (c ConsumerCase) next(s consumerState, emit func(Step, consumerState)) {
	put := func(step Step, to consumerState) {
		to.canonical()
		emit(step, to)
	}
	for i := range s.members {
		if i == 0 || !c.One {
			c.member(s, i, put)
		}
	}
	c.world(s, put)
}

// world is the producer, the pipe and the people.
func (c ConsumerCase) world(s consumerState, emit func(Step, consumerState)) {
	if s.visible < c.size() {
		to := s
		for to.visible++; to.visible < c.size() && c.Log[to.visible-1] != 'c'; {
			to.visible++
		}
		emit(Step{"", "records can be read up to", int8(to.visible), false}, to)
	}
	for i := range s.files {
		f := s.files[i]
		if f.end > 0 && !f.loaded && !f.removed && c.Pipe {
			to := s
			to.load(i)
			emit(Step{"", "the pipe loads the file at", int8(f.start), false}, to)
		}
		if f.end > 0 && f.loaded && !f.removed && c.Remove {
			to := s
			to.remove(i)
			emit(Step{"", "somebody removes the file at", int8(f.start), true}, to)
		}
	}
	if c.Recreate && s.topic == 1 {
		to := s
		to.topic, to.visible = 2, 0
		emit(Step{"", "the topic is re-created", -1, true}, to)
	}
	if c.Reformat && s.members[0].phase == cOff && s.members[1].phase == cOff {
		to := s
		to.suffix = 1 - s.suffix
		emit(Step{"", "somebody changes the format to", int8(to.suffix), false}, to)
	}
}

// load is a pipe: it loads a name once, whatever is in the file later.
func (s *consumerState) load(i int) {
	f := &s.files[i]
	if f.loaded {
		return
	}
	f.loaded = true
	s.twice |= s.once & f.rows
	s.once |= f.rows
}

// remove keeps what a pipe remembers of a name.
func (s *consumerState) remove(i int) {
	f := &s.files[i]
	f.removed, f.rows, f.dead = true, 0, 0
}

func (f *file) key() int {
	return int(f.topic)<<24 | int(f.start)<<16 | int(f.last)<<8 | int(f.suffix)
}

// find is the place of a file, or where it would go.
func (s *consumerState) find(name file) (int, bool) {
	for i := range s.files {
		f := &s.files[i]
		if !f.used || f.key() > name.key() {
			return i, false
		}
		if f.key() == name.key() {
			return i, true
		}
	}
	return blobMax, false
}

// place is the entry of a name, which it makes if there is none. No rule needs
// more entries than there are before an invariant breaks.
func (s *consumerState) place(name file) (i int, ok bool) {
	i, found := s.find(name)
	if found {
		return i, true
	}
	if s.files[blobMax-1].used {
		return 0, false
	}
	copy(s.files[i+1:], s.files[i:])
	name.used = true
	s.files[i] = name
	return i, true
}

// create writes a file. It says whether there is one of that name.
func (c ConsumerCase) create(s *consumerState, name file, m *member) (existed bool) {
	i, ok := s.place(name)
	if !ok {
		return true
	}
	f := &s.files[i]
	if f.end > 0 && !f.removed && !c.Rules.Overwrite {
		return true
	}
	f.end, f.rows, f.dead, f.removed = m.upEnd, m.upRows, m.upDead, false
	if !c.Pipe {
		s.load(i)
	}
	return false
}

// writeLetters writes the dead letters of a file, if there are none.
func (s *consumerState) writeLetters(name file, m *member) {
	if m.upDead == 0 {
		return
	}
	if i, ok := s.place(name); ok && !s.files[i].written {
		s.files[i].written, s.files[i].letters = true, m.upDead
	}
}

// canonical puts the members into one order: they are alike.
func (s *consumerState) canonical() {
	a, b := &s.members[0], &s.members[1]
	if a.less(b) {
		*a, *b = *b, *a
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *member) less(o *member) bool {
	for _, d := range [...]int{
		int(m.phase) - int(o.phase), int(m.topic) - int(o.topic), int(m.suffix) - int(o.suffix),
		int(m.start) - int(o.start), int(m.next) - int(o.next), int(m.forced) - int(o.forced),
		int(m.rows) - int(o.rows), int(m.dead) - int(o.dead),
		int(m.upload) - int(o.upload), int(m.upStart) - int(o.upStart), int(m.upEnd) - int(o.upEnd),
		int(m.upRows) - int(o.upRows), int(m.upDead) - int(o.upDead),
		int(m.pending) - int(o.pending), number(m.current) - number(o.current),
	} {
		if d != 0 {
			return d < 0
		}
	}
	return false
}
