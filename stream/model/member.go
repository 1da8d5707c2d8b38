package model

var memberNames = [2]string{"consumer A", "consumer B"}

// member is what one member of the group may do. Whether it still owns the
// partition makes no difference: both may believe so at any time, for any
// time, and the broker takes the commits of both. That covers every way a
// group can hand partitions over.
func (c ConsumerCase) member(s consumerState, i int, emit func(Step, consumerState)) {
	who, m := memberNames[i], s.members[i]
	with := func(m member) consumerState {
		out := s
		out.members[i] = m
		return out
	}
	if m.phase == cOff {
		emit(Step{who, "starts", -1, false}, with(member{phase: cJoined, topic: s.topic, suffix: s.suffix}))
		return
	}
	emit(Step{who, "killed", -1, true}, with(member{}))
	if m.topic != s.topic {
		emit(Step{who, "notices that the topic was re-created and stops", -1, false}, with(member{}))
	}
	if m.phase == cJoined {
		at, forced, ok := c.position(&s, m)
		if !ok {
			emit(Step{who, "stops: dead letters of another format are missing", -1, false}, with(member{}))
			return
		}
		m.phase, m.start, m.next, m.forced, m.current = cOwner, at, at, forced, true
		if at > 0 && !(c.speaksOf(&s, m.topic) && at == s.offset) && !c.Rules.ListedUncommitted {
			m.pending = at
		}
		to := with(m)
		to.members[1-i].current = false
		emit(Step{who, "is assigned the partition and goes on at", int8(at), false}, to)
		return
	}
	emit(Step{who, "loses the partition", -1, true}, with(member{phase: cJoined, topic: m.topic, suffix: m.suffix}))
	c.read(s, i, emit)
	c.upload(s, i, emit)
	if m.pending > 0 && c.refuses(m) {
		emit(Step{who, "is refused a commit: somebody else owns the partition", -1, false}, with(member{phase: cJoined, topic: m.topic, suffix: m.suffix}))
	} else if m.pending > 0 {
		to := with(m)
		to.offset, to.offsets, to.told = m.pending, m.topic, 0
		emit(Step{who, "commits, and does not hear of it, offset", int8(m.pending), true}, to)
		to.members[i].pending = 0
		emit(Step{who, "commits offset", int8(m.pending), false}, to)
	}
}

// refuses says whether the broker refuses a member's commits.
func (c ConsumerCase) refuses(m member) bool {
	return c.Remove && !c.Rules.LateCommits && !m.current
}

// position is where a new owner goes on: behind the last file. From a committed
// offset it follows the chain, without one it lists. A file whose dead letters
// are missing is written again up to its end and made good by its name, so that
// one of another format stops the member. Where no file follows the committed offset and it
// was committed where that file will end, it has to end there: somebody may have
// written it, and it may have been loaded and removed.
func (c ConsumerCase) position(s *consumerState, m member) (at, forced uint8, ok bool) {
	committed := c.speaksOf(s, m.topic)
	if committed {
		at = s.offset
		if c.Rules.FormatIgnored {
			return at, 0, true
		}
	}
	for _, f := range s.files { // in the order of their starts
		if f.end == 0 || f.removed || f.topic != c.pathOf(m.topic) || committed && f.start != at {
			continue
		}
		if c.Rules.OthersOnly && committed && f.suffix == m.suffix {
			return at, 0, true
		}
		if f.dead != 0 && !f.written && !c.Rules.NoRepair {
			return f.start, f.end, f.suffix == m.suffix
		}
		at = f.end
	}
	if committed && at == s.offset {
		forced = s.told
	}
	return at, forced, true
}

func (c ConsumerCase) pathOf(topic uint8) uint8 {
	if c.Rules.NoIncarnation {
		return 1
	}
	return topic
}

// read takes in a record or cuts the file.
func (c ConsumerCase) read(s consumerState, i int, emit func(Step, consumerState)) {
	who, m := memberNames[i], s.members[i]
	if m.upload != uNone && !c.Pipeline {
		return
	}
	to := s
	if m.next < s.visible && (m.forced == 0 || m.next < m.forced) {
		n := &to.members[i]
		n.next++
		what := "passes over the control record at"
		switch c.Log[m.next] {
		case 'r':
			n.rows |= bit(s.topic, m.next)
			what = "reads the row at"
		case 'd':
			n.dead |= bit(s.topic, m.next)
			what = "reads the undecodable record at"
		}
		emit(Step{who, what, int8(m.next), false}, to)
	}
	if !m.open() || m.upload != uNone || m.forced != 0 && m.next < m.forced {
		return
	}
	to = s
	n := &to.members[i]
	n.upload, n.upStart, n.upEnd, n.upRows, n.upDead = uTell, m.start, m.next, m.rows, m.dead
	n.start, n.rows, n.dead, n.forced = m.next, 0, 0, 0
	if c.Rules.FirstRecord {
		for n.upStart < m.next && (m.rows|m.dead)&bit(s.topic, n.upStart) == 0 {
			n.upStart++
		}
	}
	if c.Rules.Untold {
		n.upload = uCheck
	}
	if c.Rules.CommitFirst {
		n.upload, n.pending = uCheck, m.next
	}
	emit(Step{who, "cuts its file at", int8(m.next), false}, to)
}

// upload does the next step of the upload that is under way.
func (c ConsumerCase) upload(s consumerState, i int, emit func(Step, consumerState)) {
	who, m := memberNames[i], s.members[i]
	to := s
	n := &to.members[i]
	name := file{topic: c.pathOf(m.topic), start: m.upStart, suffix: m.suffix}
	if c.Rules.StartAndEnd {
		name.last = m.upEnd
	}
	switch m.upload {
	case uTell:
		if c.refuses(m) {
			to.members[i] = member{phase: cJoined, topic: m.topic, suffix: m.suffix}
			emit(Step{who, "is refused a commit: somebody else owns the partition", -1, false}, to)
			return
		}
		to.offset, to.offsets, to.told = m.upStart, m.topic, m.upEnd
		emit(Step{who, "commits, and does not hear of it, that its file will end at", int8(m.upEnd), true}, to)
		n.upload, n.pending = uCheck, 0
		emit(Step{who, "commits that its file will end at", int8(m.upEnd), false}, to)
	case uCheck:
		if m.topic != s.topic && !c.Rules.LateTopicCheck {
			return // it stops
		}
		n.upload = uCreate
		emit(Step{who, "sees the topic unchanged", -1, false}, to)
		if c.Rules.DeadFirst && m.upDead != 0 {
			to.writeLetters(name, &m)
			emit(Step{who, "writes the dead letters first, at", int8(m.upStart), false}, to)
		}
	case uCreate:
		if c.create(&to, name, &m) {
			n.upload = uExists
			if c.Rules.TakeForOwn {
				n.upload = uLetters
			}
			emit(Step{who, "finds the name taken at", int8(m.upStart), false}, to)
			return
		}
		lost := to
		emit(Step{who, "creates, and does not hear of it, the file at", int8(m.upStart), true}, lost)
		n.upload = uLetters
		if c.Rules.CommitBeforeDead {
			n.pending = m.upEnd
		}
		emit(Step{who, "creates the file at", int8(m.upStart), false}, to)
	case uExists:
		at, found := s.find(name)
		if !found || s.files[at].removed {
			to.members[i] = member{}
			emit(Step{who, "stops: the file that it was to adopt is gone", -1, false}, to)
			return
		}
		theirs := s.files[at]
		if theirs.end == m.upEnd {
			// mkt compares digests here and stops if they differ.
			to.differs = theirs.rows != m.upRows || theirs.dead != m.upDead
			n.upload = uLetters
			emit(Step{who, "finds its own range written at", int8(m.upStart), false}, to)
			return
		}
		if theirs.dead != 0 && !theirs.written && !c.Rules.NoRepair {
			n.rewind(m.upStart)
			n.forced = theirs.end
			emit(Step{who, "reads again, for dead letters that are missing, up to", int8(theirs.end), false}, to)
			return
		}
		n.rewind(theirs.end)
		n.pending = theirs.end
		emit(Step{who, "adopts the end", int8(theirs.end), false}, to)
	case uLetters:
		if to.writeLetters(name, &m); to != s {
			emit(Step{who, "writes, and does not hear of it, the dead letters at", int8(m.upStart), true}, to)
		}
		if !c.Rules.CommitFirst {
			n.pending = m.upEnd
		}
		n.clearUpload()
		emit(Step{who, "has the file and its dead letters in place, at", int8(m.upStart), false}, to)
	}
}

func (m *member) clearUpload() {
	m.upload, m.upStart, m.upEnd, m.upRows, m.upDead = uNone, 0, 0, 0, 0
}

// rewind drops what is read and reads on from an offset.
func (m *member) rewind(at uint8) {
	m.clearUpload()
	m.start, m.next, m.forced, m.rows, m.dead = at, at, 0, 0, 0
}
