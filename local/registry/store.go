package registry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/twmb/avro"
)

// store is the registry's state in memory and the journal that makes it last.
// The registry's lock guards it.
type store struct {
	journal *os.File
	lock    *flock.Flock

	schemas  map[int]*schema      // by id
	ids      map[string]int       // id by schema.key
	subjects map[string][]version // versions in ascending order, soft-deleted ones included
	configs  map[string]config    // by subject, "" for the global one
	modes    map[string]string    // by subject, "" for the global one
	nextID   int
	parsed   sync.Map // *avro.Schema by id, filled when first needed
}

// version is one version of a subject.
type version struct {
	Version int  `json:"version"`
	ID      int  `json:"id"`
	Deleted bool `json:"deleted,omitempty"` // soft
}

// entry is one change, whole or not at all: a line of the journal. Each field
// that is set replaces what it names.
type entry struct {
	Schema *schema       `json:"schema,omitempty"`
	NextID int           `json:"nextId,omitempty"`
	Subj   *subjectEntry `json:"subject,omitempty"`
	Config *configEntry  `json:"config,omitempty"`
	Mode   *modeEntry    `json:"mode,omitempty"`
}

type subjectEntry struct {
	Name     string    `json:"name"`
	Versions []version `json:"versions"` // empty: the subject is gone
}

type configEntry struct {
	Subject string  `json:"subject"`
	Value   *config `json:"value"` // nil: reset
}

type modeEntry struct {
	Subject string `json:"subject"`
	Value   string `json:"value"` // "": reset
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("%s is in use by another process", dir), err)
	}
	s := &store{
		lock:     lock,
		schemas:  map[int]*schema{},
		ids:      map[string]int{},
		subjects: map[string][]version{},
		configs:  map[string]config{},
		modes:    map[string]string{},
		nextID:   1,
	}
	if err := s.load(filepath.Join(dir, "journal.jsonl")); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

// load replays the journal, writes it anew without what has been superseded,
// and leaves it open for appending.
func (s *store) load(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := bufio.NewReader(bytes.NewReader(old))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break // no newline: cut short, never acknowledged
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		s.apply(e)
	}
	var now bytes.Buffer
	for _, e := range s.entries() {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		now.Write(append(line, '\n'))
	}
	if !bytes.Equal(old, now.Bytes()) {
		if err := renameio.WriteFile(path, now.Bytes(), 0o600); err != nil {
			return err
		}
	}
	s.journal, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return err
}

// entries returns the fewest entries that lead to the present state.
func (s *store) entries() []entry {
	var out []entry
	for _, id := range sortedKeys(s.schemas) {
		out = append(out, entry{Schema: s.schemas[id]})
	}
	if s.nextID > 1 {
		out = append(out, entry{NextID: s.nextID})
	}
	for _, name := range sortedKeys(s.subjects) {
		out = append(out, entry{Subj: &subjectEntry{name, s.subjects[name]}})
	}
	for _, name := range sortedKeys(s.configs) {
		c := s.configs[name]
		out = append(out, entry{Config: &configEntry{name, &c}})
	}
	for _, name := range sortedKeys(s.modes) {
		out = append(out, entry{Mode: &modeEntry{name, s.modes[name]}})
	}
	return out
}

// commit makes a change durable and then visible. On an error nothing is
// visible, and the journal is cut back to where it was.
func (s *store) commit(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	end, err := s.journal.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = s.journal.Write(append(line, '\n'))
	if err == nil {
		err = s.journal.Sync()
	}
	if err != nil {
		return errors.Join(err, s.journal.Truncate(end))
	}
	s.apply(e)
	return nil
}

func (s *store) apply(e entry) {
	if e.Schema != nil {
		s.schemas[e.Schema.ID] = e.Schema
		s.ids[e.Schema.key()] = e.Schema.ID
		s.nextID = max(s.nextID, e.Schema.ID+1)
	}
	s.nextID = max(s.nextID, e.NextID)
	if e.Subj != nil {
		if len(e.Subj.Versions) == 0 {
			delete(s.subjects, e.Subj.Name)
		} else {
			s.subjects[e.Subj.Name] = e.Subj.Versions
		}
	}
	if e.Config != nil {
		if e.Config.Value == nil {
			delete(s.configs, e.Config.Subject)
		} else {
			s.configs[e.Config.Subject] = *e.Config.Value
		}
	}
	if e.Mode != nil {
		if e.Mode.Value == "" {
			delete(s.modes, e.Mode.Subject)
		} else {
			s.modes[e.Mode.Subject] = e.Mode.Value
		}
	}
}

func (s *store) close() error { return errors.Join(s.journal.Close(), s.lock.Unlock()) }

// avro returns the compiled schema of an id.
func (s *store) avro(id int) (*avro.Schema, error) {
	if v, ok := s.parsed.Load(id); ok {
		return v.(*avro.Schema), nil
	}
	sch := s.schemas[id]
	parsed, err := s.parse(sch.Text, sch.References)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	s.parsed.Store(id, parsed)
	return parsed, nil
}

// live returns the subject's versions that are not soft-deleted.
func (s *store) live(subject string) []version {
	return slices.DeleteFunc(slices.Clone(s.subjects[subject]), func(v version) bool { return v.Deleted })
}
