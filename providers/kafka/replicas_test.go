package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/kafka"
)

func TestAssign(t *testing.T) {
	for _, tc := range []struct {
		name     string
		leader   int32
		replicas []int32
		inSync   []int32 // nil: all
		factor   int
		racks    []string // of the brokers 0, 1, …
		load     map[int32]int
		want     []int32
	}{
		{name: "the next brokers", leader: 1, replicas: []int32{1}, factor: 3, racks: make([]string, 4), want: []int32{1, 2, 3}},
		{name: "around the circle", leader: 3, replicas: []int32{3}, factor: 2, racks: make([]string, 4), want: []int32{3, 0}},
		{name: "the least loaded", leader: 0, replicas: []int32{0}, factor: 2, racks: make([]string, 4), load: map[int32]int{0: 1, 1: 2, 2: 2, 3: 1}, want: []int32{0, 3}},
		{name: "other racks first", leader: 0, replicas: []int32{0}, factor: 3, racks: []string{"a", "a", "b", "b", "c"}, load: map[int32]int{2: 9, 4: 9}, want: []int32{0, 3, 4}},
		{name: "racks used up", leader: 0, replicas: []int32{0, 2}, factor: 3, racks: []string{"a", "a", "b", "b"}, want: []int32{0, 2, 1}},
		{name: "as many as there are", leader: 0, replicas: []int32{0}, factor: 5, racks: make([]string, 2), want: []int32{0, 1}},
		{name: "no leader now", leader: -1, replicas: []int32{1, 2}, factor: 3, racks: make([]string, 3), want: []int32{1, 2, 0}},
		{name: "the last go", leader: 2, replicas: []int32{2, 0, 1}, factor: 2, racks: make([]string, 3), want: []int32{2, 0}},
		{name: "not the leader", leader: 1, replicas: []int32{2, 0, 1}, factor: 1, racks: make([]string, 3), want: []int32{1}},
		{name: "the preferred leader stays first", leader: 1, replicas: []int32{2, 0, 1}, factor: 2, racks: make([]string, 3), want: []int32{2, 1}},
		{name: "out of sync goes first", leader: 0, replicas: []int32{2, 0, 1}, inSync: []int32{0, 1}, factor: 2, racks: make([]string, 3), want: []int32{0, 1}},
		{name: "racks stay apart", leader: 0, replicas: []int32{0, 1, 2}, factor: 2, racks: []string{"a", "a", "b"}, want: []int32{0, 2}},
		{name: "a broker that is gone", leader: 0, replicas: []int32{9, 0}, inSync: []int32{0}, factor: 1, racks: make([]string, 3), want: []int32{0}},
	} {
		if tc.inSync == nil {
			tc.inSync = tc.replicas
		}
		if tc.load == nil {
			tc.load = map[int32]int{}
		}
		before := slices.Clone(tc.replicas)
		got := kafka.Assign(tc.leader, tc.replicas, tc.inSync, tc.factor, tc.racks, tc.load)
		if !slices.Equal(got, tc.want) || !slices.Equal(tc.replicas, before) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	// Followers are spread: 12 partitions on 4 brokers, one leader each in turn.
	load := map[int32]int{0: 3, 1: 3, 2: 3, 3: 3}
	for p := range int32(12) {
		kafka.Assign(p%4, []int32{p % 4}, []int32{p % 4}, 3, make([]string, 4), load)
	}
	for id, n := range load {
		if n != 9 {
			t.Errorf("broker %d has %d replicas, not 9", id, n)
		}
	}
}

// factor changes a topic of the fake cluster from 1 replica to another number.
func factor(ctx context.Context, conn kafka.Connection, t *testing.T, to int) providers.Result {
	t.Helper()
	r := provider(t, conn).Resource("kafka_topic")
	got := r.Read(ctx, []providers.Ref{{ID: "t"}})[0]
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	return r.Update(ctx, []providers.Change{{ID: "t", Before: got.State, After: topic("t", 2, to)}})[0]
}

// reassigning is a fake cluster whose topic t has 2 partitions on broker 1, and on what was asked for once the test says so.
type reassigning struct {
	conn     kafka.Connection
	asked    atomic.Int32 // requests to reassign
	listed   atomic.Int32
	arrived  atomic.Bool
	moving   atomic.Pointer[[]int32] // where the partitions are going
	alterErr atomic.Pointer[kerr.Error]
	listErr  atomic.Pointer[kerr.Error]
}

func startReassigning(t *testing.T, opts ...kfake.Opt) *reassigning {
	c, conn := fake(t, append(opts, kfake.NumBrokers(3))...)
	r := &reassigning{conn: conn}
	res := provider(t, conn).Resource("kafka_topic").Create(within(t, 30*time.Second), []providers.Change{create(topic("t", 2, 1))})
	if res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	for p := range int32(2) {
		if err := c.MoveTopicPartition("t", p, 1); err != nil {
			t.Fatal(err)
		}
	}
	c.ControlKey(int16(kmsg.AlterPartitionAssignments), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r.asked.Add(1)
		resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
		if e := r.alterErr.Load(); e != nil {
			resp.ErrorCode = e.Code
			return resp, nil, true
		}
		for _, rt := range req.(*kmsg.AlterPartitionAssignmentsRequest).Topics {
			st := kmsg.NewAlterPartitionAssignmentsResponseTopic()
			st.Topic = rt.Topic
			for _, p := range rt.Partitions {
				st.Partitions = append(st.Partitions, kmsg.AlterPartitionAssignmentsResponseTopicPartition{Partition: p.Partition})
				r.moving.Store(&p.Replicas)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.ListPartitionReassignments), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r.listed.Add(1)
		resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		if e := r.listErr.Load(); e != nil {
			resp.ErrorCode = e.Code
			return resp, nil, true
		}
		if to := r.moving.Load(); to != nil && !r.arrived.Load() {
			st := kmsg.NewListPartitionReassignmentsResponseTopic()
			st.Topic = "t"
			for p := range int32(2) {
				sp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
				sp.Partition, sp.Replicas, sp.AddingReplicas = p, slices.Clone(*to), slices.DeleteFunc(slices.Clone(*to), func(id int32) bool { return id == 1 })
				if !slices.Contains(*to, 1) {
					sp.Replicas, sp.RemovingReplicas = append(sp.Replicas, 1), []int32{1}
				}
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if r.moving.Load() == nil {
			return nil, nil, false
		}
		return r.metadata(c, req.(*kmsg.MetadataRequest)), nil, true
	})
	return r
}

// metadata is what a broker answers while replicas are copied: they are named, and not in sync.
func (r *reassigning) metadata(c *kfake.Cluster, req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.ControllerID = 0
	for i, addr := range c.ListenAddrs() {
		b := kmsg.NewMetadataResponseBroker()
		_, port, _ := strings.Cut(addr, ":")
		b.NodeID, b.Host = int32(i), "127.0.0.1"
		_, _ = fmt.Sscan(port, &b.Port)
		resp.Brokers = append(resp.Brokers, b)
	}
	st := kmsg.NewMetadataResponseTopic()
	name := "t"
	st.Topic, st.TopicID = &name, c.TopicInfo("t").TopicID
	for p := range int32(2) {
		sp := kmsg.NewMetadataResponseTopicPartition()
		sp.Partition, sp.Leader, sp.Replicas, sp.ISR = p, 1, slices.Clone(*r.moving.Load()), []int32{1}
		if !slices.Contains(sp.Replicas, 1) {
			sp.Replicas = append(sp.Replicas, 1)
		}
		if r.arrived.Load() {
			sp.ISR = sp.Replicas
		}
		st.Partitions = append(st.Partitions, sp)
	}
	resp.Topics = append(resp.Topics, st)
	return resp
}

// A process is killed while replicas are copied; the next one sees that they are not there yet and waits for them without
// asking again.
func TestReassignmentGoesOnAfterAKill(t *testing.T) {
	r := startReassigning(t)
	ctx := within(t, 60*time.Second)
	killed, kill := context.WithCancel(ctx)
	done := make(chan providers.Result)
	go func() { done <- factor(killed, r.conn, t, 3) }()
	for r.moving.Load() == nil || r.listed.Load() < 3 {
		if ctx.Err() != nil {
			t.Fatal("nothing was asked for")
		}
		time.Sleep(5 * time.Millisecond)
	}
	kill()
	if res := <-done; res.Err == nil {
		t.Fatal("done although the replicas were not there")
	}
	if want := []int32{1, 2, 0}; !slices.Equal(*r.moving.Load(), want) {
		t.Errorf("asked for %v, want %v", *r.moving.Load(), want)
	}
	got := provider(t, r.conn).Resource("kafka_topic").Read(ctx, []providers.Ref{{ID: "t"}})[0]
	if got.Err != nil || !got.State.GetAttr("replication_factor").RawEquals(cty.NumberIntVal(1)) {
		t.Fatalf("read while copying: %#v %v", got.State, got.Err)
	}
	go func() { done <- factor(ctx, r.conn, t, 3) }()
	for seen := r.listed.Load(); r.listed.Load() < seen+4; {
		if ctx.Err() != nil {
			t.Fatal("nobody waits")
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.arrived.Store(true)
	if res := <-done; res.Err != nil || !res.State.GetAttr("replication_factor").RawEquals(cty.NumberIntVal(3)) || r.asked.Load() != 1 {
		t.Errorf("went on to %#v (%v), asked %d times", res.State, res.Err, r.asked.Load())
	}
}

func TestReassignmentRefusals(t *testing.T) {
	elsewhere := []int32{0, 2}
	for _, tc := range []struct {
		name string
		opts []kfake.Opt
		set  func(*reassigning)
		to   int
		code providers.Code
		want string // in the error or its hint
	}{
		{name: "somebody else moves it", to: 3, set: func(r *reassigning) { r.moving.Store(&elsewhere) }, code: providers.Conflict, want: "[0 2] by somebody else"},
		{name: "too few brokers", to: 4, code: providers.Invalid, want: "cannot have 4 copies: the cluster has 3 live brokers"},
		{name: "no right to alter", to: 3, set: func(r *reassigning) { r.alterErr.Store(kerr.ClusterAuthorizationFailed) }, code: providers.Denied, want: "Confluent Cloud"},
		{name: "no right to list", to: 3, set: func(r *reassigning) { r.listErr.Store(kerr.ClusterAuthorizationFailed) }, code: providers.Denied, want: "Describe and Alter on the cluster"},
		{name: "a policy", to: 3, set: func(r *reassigning) { r.alterErr.Store(kerr.PolicyViolation) }, code: providers.Invalid, want: "Confluent Cloud"},
		{name: "it takes too long", to: 3, code: providers.Unavailable, want: "2 partitions are still being copied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kafka.SetReassignFor(t, 500*time.Millisecond)
			r := startReassigning(t, tc.opts...)
			if tc.set != nil {
				tc.set(r)
			}
			res := factor(within(t, 60*time.Second), r.conn, t, tc.to)
			d := providers.Detail(res.Err)
			if d == nil || d.Code != tc.code || !strings.Contains(d.Error()+" "+d.Hint, tc.want) {
				t.Fatalf("%+v, want %s: %s", res.Err, tc.code, tc.want)
			}
			if tc.code != providers.Unavailable && (len(d.Path) == 0 || d.Path[0].(cty.GetAttrStep).Name != "replication_factor") {
				t.Errorf("points at %#v", d.Path)
			}
		})
	}
}
