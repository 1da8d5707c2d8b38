package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/local/broker"
)

// join asks for membership of group "g", with a session far longer than the test: kfake's own timer is out of the way.
func join(t *testing.T, c *kgo.Client, id string) *kmsg.JoinGroupResponse {
	t.Helper()
	resp, err := joinWithin(within(t, 20*time.Second), c, id, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func joinWithin(ctx context.Context, c *kgo.Client, id string, session time.Duration) (*kmsg.JoinGroupResponse, error) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = "g", id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session.Milliseconds()), 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{"t"}
	p.Metadata = meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	return req.RequestWith(ctx, c)
}

// A member of a stable group leaves it when it is silent for longer than its session, and not as long as it speaks.
func TestSilentMemberLeaves(t *testing.T) {
	b := start(t, t.TempDir())
	c := franz(t, b.Addr())
	first := join(t, c, "")
	if err := kerr.ErrorForCode(first.ErrorCode); err != kerr.MemberIDRequired { //nolint:errorlint // kerr's errors are compared
		t.Fatalf("the first join is answered with %v", err)
	}
	id := first.MemberID
	joined := join(t, c, id)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = "g", id, joined.Generation
	if _, err := sync.RequestWith(within(t, 5*time.Second), c); err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(c)
	members := func() int {
		groups, err := admin.DescribeGroups(within(t, 5*time.Second), "g")
		if err != nil {
			t.Fatal(err)
		}
		return len(groups["g"].Members)
	}
	b.Expect("g", id, 2*time.Second)

	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.MemberID, beat.Generation = "g", id, joined.Generation
	for start := time.Now(); time.Since(start) < 6*time.Second; time.Sleep(500 * time.Millisecond) {
		if resp, err := beat.RequestWith(within(t, 5*time.Second), c); err != nil || resp.ErrorCode != 0 {
			t.Fatalf("a heartbeat is answered with %+v, %v", resp, err)
		}
	}
	if n := members(); n != 1 {
		t.Fatalf("%d members while it speaks, want 1", n)
	}
	for start := time.Now(); members() > 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the silent member is still there")
		}
	}
}

// Members that die in the midst of a rebalance hold up the next one for their session, not for the 60 s that they may take
// between two polls: the leader before it hands out partitions, and another one while it waits for them.
func TestMembersDieWithinRebalance(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	stop, err := broker.WatchMembers(cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	client := func() *kgo.Client {
		c, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	leader, follower, heir := client(), client(), client()
	first := join(t, leader, "").MemberID
	second := join(t, follower, "").MemberID
	third := join(t, heir, "").MemberID
	ctx := within(t, 40*time.Second)
	joined := make(chan *kmsg.JoinGroupResponse, 2)
	rejoin := func(c *kgo.Client, id string, session time.Duration) {
		if resp, err := joinWithin(ctx, c, id, session); err == nil {
			joined <- resp
		}
	}
	rejoin(leader, first, 1500*time.Millisecond)
	<-joined
	go rejoin(follower, second, 700*time.Millisecond) // a rebalance
	for cluster.GroupInfo("g") == nil || len(cluster.GroupInfo("g").Members) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	go rejoin(leader, first, 1500*time.Millisecond)
	generation := (<-joined).Generation
	<-joined
	go func() { // it waits for the leader, which is silent
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = "g", second, generation
		_, _ = sync.RequestWith(ctx, follower)
	}()
	for start := time.Now(); cluster.GroupInfo("g").State != "PreparingRebalance"; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("nobody is missed: %+v", cluster.GroupInfo("g"))
		}
	}
	leader.Close()
	follower.Close()
	start := time.Now()
	resp, err := joinWithin(ctx, heir, third, 6*time.Second)
	if err != nil || resp.ErrorCode != 0 || resp.LeaderID != third || len(resp.Members) != 1 {
		t.Fatalf("the heir joins after %s: %+v, %v; %+v", time.Since(start), resp, err, cluster.GroupInfo("g"))
	}
}
