package storage

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Values of the maps below are never changed in place: a change puts a copy.
// So a reader may keep what it found under the lock after letting it go.

// containerProps is what a container has besides its blobs.
type containerProps struct {
	ETag     string
	Modified time.Time
	Access   string            `json:",omitempty"` // "", "blob" or "container"
	Metadata map[string]string `json:",omitempty"`
	Policies []accessPolicy    `json:",omitempty"`
	Lease    lease             `json:",omitzero"`
}

type container struct {
	props  *containerProps
	names  []string // of blobs, sorted
	blobs  map[string]*blob
	staged map[string]map[string]*block // uncommitted blocks: blob name, block id
}

// blob is one version of a block blob; its bytes are in the immutable File.
type blob struct {
	File               string
	Size               int64
	ETag               string
	Created, Modified  time.Time
	ContentType        string            `json:",omitempty"`
	ContentEncoding    string            `json:",omitempty"`
	ContentLanguage    string            `json:",omitempty"`
	ContentDisposition string            `json:",omitempty"`
	CacheControl       string            `json:",omitempty"`
	MD5                []byte            `json:",omitempty"`
	Metadata           map[string]string `json:",omitempty"`
	Tags               map[string]string `json:",omitempty"`
	Tier               string            `json:",omitempty"` // "" is the account's default, Hot
	Blocks             []block           `json:",omitempty"` // committed, in order
	Lease              lease             `json:",omitzero"`
	Copy               *copyInfo         `json:",omitempty"`
}

type block struct {
	ID   string
	Size int64
	File string `json:",omitempty"` // only while uncommitted
}

type copyInfo struct {
	ID, Source string
	Completed  time.Time
}

type queueProps struct {
	Metadata map[string]string `json:",omitempty"`
}

type queue struct {
	props    *queueProps
	order    []string // message ids in order of insertion; may name deleted ones
	messages map[string]*message
}

type message struct {
	Text                       string
	Inserted, Expires, Visible time.Time
	Count                      int64
	Receipt                    string
}

// state is everything that the journal holds. Keys: account/container,
// account/queue, and the lower-cased resource id of a subscription.
type state struct {
	containers    map[string]*container
	queues        map[string]*queue
	subscriptions map[string]*subscription
	lifecycles    map[string]*lifecycle      // by the lower-cased resource id of an account
	roles         map[string]*roleAssignment // by lower-cased resource id
	clock         int64                      // highest tick seen, see Storage.tick
}

func newState() *state {
	return &state{containers: map[string]*container{}, queues: map[string]*queue{}, subscriptions: map[string]*subscription{}, lifecycles: map[string]*lifecycle{}, roles: map[string]*roleAssignment{}}
}

// Kinds of journal operations. The key of each is in brackets.
const (
	kindContainer    = "container"    // [account/container]
	kindBlob         = "blob"         // [account/container, blob]
	kindBlock        = "block"        // [account/container, blob, block id]
	kindStaged       = "staged"       // [account/container, blob], only to delete all its blocks
	kindQueue        = "queue"        // [account/queue]
	kindMessage      = "message"      // [account/queue, message id]
	kindMessages     = "messages"     // [account/queue], only to clear
	kindSubscription = "subscription" // [resource id in lower case]
	kindLifecycle    = "lifecycle"    // [resource id of an account in lower case]
	kindRole         = "role"         // [resource id in lower case]
	kindClock        = "clock"        // []
)

var keyLength = map[string]int{
	kindContainer: 1, kindBlob: 2, kindBlock: 3, kindStaged: 2, kindQueue: 1,
	kindMessage: 2, kindMessages: 1, kindSubscription: 1, kindLifecycle: 1, kindRole: 1, kindClock: 0,
}

// op sets (Value) or deletes (no Value) one object.
type op struct {
	Kind  string          `json:"k"`
	Key   []string        `json:"n,omitempty"`
	Value json.RawMessage `json:"v,omitempty"`
}

// replay applies one journal document, a list of operations.
func (st *state) replay(doc []byte) error {
	var ops []op
	if err := json.Unmarshal(doc, &ops); err != nil {
		return err
	}
	for _, o := range ops {
		n, known := keyLength[o.Kind]
		if !known || len(o.Key) != n {
			return fmt.Errorf("unknown operation %q with %d keys", o.Kind, len(o.Key))
		}
		var value any
		if o.Value != nil {
			value = newValue(o.Kind)
			if value == nil {
				return fmt.Errorf("operation %q takes no value", o.Kind)
			}
			if err := json.Unmarshal(o.Value, value); err != nil {
				return err
			}
		}
		st.apply(o.Kind, o.Key, value)
	}
	return nil
}

func newValue(kind string) any {
	switch kind {
	case kindContainer:
		return &containerProps{}
	case kindBlob:
		return &blob{}
	case kindBlock:
		return &block{}
	case kindQueue:
		return &queueProps{}
	case kindMessage:
		return &message{}
	case kindSubscription:
		return &subscription{}
	case kindLifecycle:
		return &lifecycle{}
	case kindRole:
		return &roleAssignment{}
	case kindClock:
		return new(int64)
	}
	return nil
}

// apply changes the maps; value is nil to delete, else a pointer as newValue
// gives it. Objects inside of a container or queue that is gone are ignored.
func (st *state) apply(kind string, key []string, value any) {
	switch kind {
	case kindContainer:
		c := st.containers[key[0]]
		switch v, _ := value.(*containerProps); {
		case v == nil:
			delete(st.containers, key[0])
		case c == nil:
			st.containers[key[0]] = &container{props: v, blobs: map[string]*blob{}, staged: map[string]map[string]*block{}}
		default:
			c.props = v
		}
	case kindBlob, kindBlock, kindStaged:
		if c := st.containers[key[0]]; c != nil {
			c.apply(kind, key[1:], value)
		}
	case kindQueue:
		q := st.queues[key[0]]
		switch v, _ := value.(*queueProps); {
		case v == nil:
			delete(st.queues, key[0])
		case q == nil:
			st.queues[key[0]] = &queue{props: v, messages: map[string]*message{}}
		default:
			q.props = v
		}
	case kindMessage, kindMessages:
		if q := st.queues[key[0]]; q != nil {
			v, _ := value.(*message)
			q.apply(kind, key[1:], v)
		}
	case kindSubscription:
		if v, _ := value.(*subscription); v != nil {
			st.subscriptions[key[0]] = v
		} else {
			delete(st.subscriptions, key[0])
		}
	case kindLifecycle:
		if v, _ := value.(*lifecycle); v != nil {
			st.lifecycles[key[0]] = v
		} else {
			delete(st.lifecycles, key[0])
		}
	case kindRole:
		if v, _ := value.(*roleAssignment); v != nil {
			st.roles[key[0]] = v
		} else {
			delete(st.roles, key[0])
		}
	case kindClock:
		if v, _ := value.(*int64); v != nil {
			st.clock = max(st.clock, *v)
		}
	}
}

func (c *container) apply(kind string, key []string, value any) {
	name := key[0]
	switch kind {
	case kindBlob:
		v, _ := value.(*blob)
		at, found := slices.BinarySearch(c.names, name)
		switch {
		case v == nil && found:
			c.names = slices.Delete(c.names, at, at+1)
			delete(c.blobs, name)
		case v != nil && !found:
			c.names = slices.Insert(c.names, at, name)
		}
		if v != nil {
			c.blobs[name] = v
		}
	case kindBlock:
		if v, _ := value.(*block); v != nil {
			if c.staged[name] == nil {
				c.staged[name] = map[string]*block{}
			}
			c.staged[name][key[1]] = v
		}
	case kindStaged:
		delete(c.staged, name)
	}
}

func (q *queue) apply(kind string, key []string, value *message) {
	switch {
	case kind == kindMessages:
		q.order, q.messages = nil, map[string]*message{}
	case value == nil:
		delete(q.messages, key[0])
		if len(q.order) > 64 && len(q.order) > 2*len(q.messages) {
			q.order = slices.DeleteFunc(q.order, func(id string) bool { return q.messages[id] == nil })
		}
	default:
		if q.messages[key[0]] == nil {
			q.order = append(q.order, key[0])
		}
		q.messages[key[0]] = value
	}
}

// dump calls put for everything that is live, so that a replay of what it was
// given makes an equal state.
func (st *state) dump(put func(kind string, key []string, value any)) {
	put(kindClock, nil, &st.clock)
	for ck, c := range st.containers {
		put(kindContainer, []string{ck}, c.props)
		for _, name := range c.names {
			put(kindBlob, []string{ck, name}, c.blobs[name])
		}
		for name, blocks := range c.staged {
			for id, b := range blocks {
				put(kindBlock, []string{ck, name, id}, b)
			}
		}
	}
	for qk, q := range st.queues {
		put(kindQueue, []string{qk}, q.props)
		for _, id := range q.order {
			if m := q.messages[id]; m != nil {
				put(kindMessage, []string{qk, id}, m)
			}
		}
	}
	for id, s := range st.subscriptions {
		put(kindSubscription, []string{id}, s)
	}
	for id, l := range st.lifecycles {
		put(kindLifecycle, []string{id}, l)
	}
	for id, a := range st.roles {
		put(kindRole, []string{id}, a)
	}
}

// files calls fn for each blob file that is referenced.
func (st *state) files(fn func(name string)) {
	for _, c := range st.containers {
		c.files(fn)
	}
}

func (c *container) files(fn func(name string)) {
	for _, b := range c.blobs {
		fn(b.File)
	}
	for name := range c.staged {
		c.stagedFiles(name, fn)
	}
}

func (c *container) stagedFiles(name string, fn func(name string)) {
	for _, b := range c.staged[name] {
		fn(b.File)
	}
}
