package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// join asks for membership of group "g", with a session far longer than the test: kfake's own timer is out of the way.
func join(t *testing.T, c *kgo.Client, id string) *kmsg.JoinGroupResponse {
	t.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = "g", id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 60_000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{"t"}
	p.Metadata = meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	resp, err := req.RequestWith(within(t, 20*time.Second), c)
	if err != nil {
		t.Fatal(err)
	}
	return resp
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
