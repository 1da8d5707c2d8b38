package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

const (
	membersEvery  = time.Second
	membersGrace  = 3 * time.Second  // from the first doubt about a member to its end: more than a heartbeat
	sessionUnsaid = 45 * time.Second // Kafka's default of session.timeout.ms
)

// members watches who of a consumer group is alive. kfake starts the session timer of a member with the answer to its
// join: one that was killed before that answer has none, stays in the group for good and keeps its partitions from all
// others. Here every sign of life is written down, and a member that a stable group has not heard of within its session
// timeout leaves it, as Kafka's coordinator would see to.
type members struct {
	mu   sync.Mutex
	seen map[member]*sighting
	stop context.CancelFunc
	done chan struct{}
}

type member struct{ group, id string }

type sighting struct {
	at      time.Time     // the last sign of life
	timeout time.Duration // of its session
	doubted time.Time     // since when its group is stable without a sign of it; zero while it is not
}

// WatchMembers makes dead members leave the groups of a cluster, as Start does for its own; stop ends that. It is for
// tests that run a kfake of their own.
func WatchMembers(cluster *kfake.Cluster) (stop func(), err error) {
	m := newMembers()
	m.watch(cluster)
	if err := m.start(cluster.ListenAddrs()[0], "", ""); err != nil {
		return nil, err
	}
	return m.close, nil
}

func newMembers() *members { return &members{seen: map[member]*sighting{}, done: make(chan struct{})} }

// watch puts m in front of kfake's handlers of groups.
func (m *members) watch(cluster *kfake.Cluster) {
	before := func(key kmsg.Key, fn func(kmsg.Request)) {
		cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			fn(req)
			return nil, nil, false
		})
	}
	before(kmsg.JoinGroup, func(req kmsg.Request) {
		join := req.(*kmsg.JoinGroupRequest)
		m.alive(join.Group, join.MemberID, time.Duration(join.SessionTimeoutMillis)*time.Millisecond)
	})
	before(kmsg.SyncGroup, func(req kmsg.Request) {
		sync := req.(*kmsg.SyncGroupRequest)
		m.alive(sync.Group, sync.MemberID, 0)
	})
	before(kmsg.Heartbeat, func(req kmsg.Request) {
		beat := req.(*kmsg.HeartbeatRequest)
		m.alive(beat.Group, beat.MemberID, 0)
	})
}

// alive notes a sign of life; timeout 0 leaves the session's as it is.
func (m *members) alive(group, id string, timeout time.Duration) {
	if id == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.seen[member{group, id}]
	if s == nil {
		s = &sighting{timeout: sessionUnsaid}
		m.seen[member{group, id}] = s
	}
	if timeout > 0 {
		s.timeout = timeout
	}
	s.at, s.doubted = time.Now(), time.Time{}
}

// silent returns the groups with members that have been silent for too long.
func (m *members) silent(now time.Time) map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]string{}
	for who, s := range m.seen {
		if now.Sub(s.at) > s.timeout {
			out[who.group] = append(out[who.group], who.id)
		}
	}
	return out
}

// gone decides about a silent member of a group: whether it is to leave.
func (m *members) gone(who member, inGroup, stable bool, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.seen[who]
	switch {
	case s == nil || now.Sub(s.at) <= s.timeout:
		return false // it has spoken meanwhile
	case !inGroup:
		delete(m.seen, who)
		return false
	case !stable: // its join may be waiting for the others'
		s.doubted = time.Time{}
		return false
	case s.doubted.IsZero():
		s.doubted = now
		return false
	}
	return now.Sub(s.doubted) > membersGrace
}

// start looks after the members of the cluster at addr until close.
func (m *members) start(addr, user, password string) error {
	opts := []kgo.Opt{kgo.SeedBrokers(addr)}
	if user != "" {
		opts = append(opts, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go func() {
		defer close(m.done)
		defer client.Close()
		tick := time.NewTicker(membersEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := m.sweep(ctx, client); err != nil && ctx.Err() == nil {
					slog.Debug("look after group members", "error", err)
				}
			}
		}
	}()
	return nil
}

func (m *members) close() {
	m.stop()
	<-m.done
}

// sweep makes dead members leave.
func (m *members) sweep(ctx context.Context, client *kgo.Client) error {
	silent := m.silent(time.Now())
	if len(silent) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var names []string
	for group := range silent {
		names = append(names, group)
	}
	groups, err := kadm.NewClient(client).DescribeGroups(ctx, names...)
	if err != nil {
		return err
	}
	for group, ids := range silent {
		described := groups[group]
		for _, id := range ids {
			var in bool
			for _, other := range described.Members {
				in = in || other.MemberID == id
			}
			if !m.gone(member{group, id}, in, described.State == "Stable", time.Now()) {
				continue
			}
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = group
			who := kmsg.NewLeaveGroupRequestMember()
			who.MemberID = id
			leave.Members = append(leave.Members, who)
			if _, err := leave.RequestWith(ctx, client); err != nil {
				return err
			}
		}
	}
	return nil
}
