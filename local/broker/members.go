package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

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
// join: one that was killed before that answer has none, keeps its partitions from all others in a stable group, and
// holds up a rebalance until max.poll.interval.ms is over. Here every sign of life is written down, and a member that its
// group has not heard of within its session timeout leaves it, as Kafka's coordinator would see to. One that waits for the
// group itself, for the answer to a join or a sync, is not silent.
type members struct {
	cluster *kfake.Cluster
	joins   *joins
	stop    context.CancelFunc
	done    chan struct{}

	mu          sync.Mutex
	seen        map[member]*sighting
	generations map[string]int32 // of each group, when it was last looked at
	looked      time.Time        // when that was
}

type member struct{ group, id string }

type sighting struct {
	at      time.Time     // the last sign of life
	last    kmsg.Key      // what that was; none once a join was answered
	timeout time.Duration // of its session
	doubted time.Time     // since when its group waits for it in vain; zero while it does not
}

const none kmsg.Key = -1

// WatchMembers makes dead members leave the groups of a cluster, as Start does for its own; stop ends that. It is for
// tests that run a kfake of their own.
func WatchMembers(cluster *kfake.Cluster) (stop func(), err error) {
	m, err := newMembers(cluster)
	if err != nil {
		return nil, err
	}
	m.watch()
	if err := m.start(cluster.ListenAddrs()[0], "", ""); err != nil {
		return nil, err
	}
	return m.close, nil
}

func newMembers(cluster *kfake.Cluster) (*members, error) {
	j, err := joinsOf(cluster)
	return &members{cluster: cluster, joins: j, seen: map[member]*sighting{}, generations: map[string]int32{}, done: make(chan struct{})}, err
}

// watch puts m in front of kfake's handlers of groups.
func (m *members) watch() {
	before := func(key kmsg.Key, fn func(kmsg.Request)) {
		m.cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			m.cluster.KeepControl()
			fn(req)
			return nil, nil, false
		})
	}
	before(kmsg.JoinGroup, func(req kmsg.Request) {
		join := req.(*kmsg.JoinGroupRequest)
		m.joins.correct(join.Group)
		m.alive(join.Group, join.MemberID, kmsg.JoinGroup, time.Duration(join.SessionTimeoutMillis)*time.Millisecond)
	})
	before(kmsg.SyncGroup, func(req kmsg.Request) {
		sync := req.(*kmsg.SyncGroupRequest)
		m.alive(sync.Group, sync.MemberID, kmsg.SyncGroup, 0)
	})
	before(kmsg.Heartbeat, func(req kmsg.Request) {
		beat := req.(*kmsg.HeartbeatRequest)
		m.alive(beat.Group, beat.MemberID, kmsg.Heartbeat, 0)
	})
}

// alive notes a sign of life; timeout 0 leaves the session's as it is.
func (m *members) alive(group, id string, sign kmsg.Key, timeout time.Duration) {
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
	s.at, s.last, s.doubted = time.Now(), sign, time.Time{}
}

// groups returns those that anything was heard of.
func (m *members) groups() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]bool{}
	for who := range m.seen {
		out[who.group] = true
	}
	return out
}

// gone looks at the members of a group, nil if there is none of that name, and returns those that are to leave it.
func (m *members) gone(group string, info *kfake.GroupInfo, now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := map[string]bool{}
	var state string
	if info != nil {
		state = info.State
		for _, other := range info.Members {
			in[other.MemberID] = true
		}
		old, known := m.generations[group]
		m.generations[group] = info.Epoch
		for who, s := range m.seen {
			// A new generation begins with the answers to all joins, and with it the session of those who asked.
			if who.group == group && known && old != info.Epoch && s.last == kmsg.JoinGroup && s.at.Before(m.looked) {
				s.at, s.last = now, none
			}
		}
	}
	var out []string
	for who, s := range m.seen {
		if who.group != group || now.Sub(s.at) <= s.timeout {
			continue
		}
		switch {
		case !in[who.id]:
			delete(m.seen, who)
		case state == "PreparingRebalance" && s.last == kmsg.JoinGroup, state == "CompletingRebalance" && s.last == kmsg.SyncGroup:
			s.doubted = time.Time{} // it waits for the others
		case s.doubted.IsZero():
			s.doubted = now
		case now.Sub(s.doubted) > membersGrace:
			out = append(out, who.id)
		}
	}
	if info == nil {
		delete(m.generations, group)
	}
	return out
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
	now := time.Now()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.looked = now
	}()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for group := range m.groups() {
		for _, id := range m.gone(group, m.cluster.GroupInfo(group), now) {
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
