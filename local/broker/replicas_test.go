package broker_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// replicasOf describes the replicas of a topic's partitions, each list in order, as librdkafka sees them.
func replicasOf(t *testing.T, a *ck.AdminClient, topic string) (lists [][]int, leaders []int) {
	t.Helper()
	for _, p := range describe(t, a, topic)[0].Partitions {
		var list []int
		for _, r := range p.Replicas {
			list = append(list, r.ID)
		}
		slices.Sort(list)
		lists, leaders = append(lists, list), append(leaders, p.Leader.ID)
	}
	return lists, leaders
}

func TestReassignment(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	a, adm := admin(t, b.Addr()), kadm.NewClient(franz(t, b.Addr()))
	ctx := within(t, 60*time.Second)
	if _, err := adm.CreateTopic(ctx, 2, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	// Every set of replicas there can be, up and down, is what is described then.
	for _, set := range [][]int32{{0}, {2}, {1}, {0, 1}, {2, 0}, {0, 2}, {1, 2}, {2, 1}, {1}, {2, 1, 0}, {1, 0}} {
		answers, err := adm.AlterPartitionAssignments(ctx, kadm.AlterPartitionAssignmentsReq{"t": {0: set, 1: set}})
		if err == nil {
			err = answers.Error()
		}
		if err != nil {
			t.Fatal(set, err)
		}
		var want []int
		for _, id := range set {
			want = append(want, int(id))
		}
		slices.Sort(want)
		lists, leaders := replicasOf(t, a, "t")
		if fmt.Sprint(lists) != fmt.Sprint([][]int{want, want}) || !slices.Contains(want, leaders[0]) {
			t.Errorf("%v: described as %v, led by %v", set, lists, leaders)
		}
	}
	moving, err := adm.ListPartitionReassignments(ctx, kadm.TopicsSet{"t": {0: {}, 1: {}}})
	if err != nil || len(moving) != 0 {
		t.Errorf("under way: %v %v", moving, err)
	}
	if _, err := adm.UpdatePartitions(ctx, 3, "t"); err != nil {
		t.Fatal(err)
	}
	if lists, _ := replicasOf(t, a, "t"); len(lists[2]) != 2 {
		t.Errorf("a new partition has the replicas %v", lists[2])
	}

	// A process that is killed now has it on disk; the copy is what it would leave.
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(left, "ports.json")); err != nil {
		t.Fatal(err)
	}
	if lists, _ := replicasOf(t, admin(t, start(t, left).Addr()), "t"); len(lists[0]) != 2 || len(lists) != 3 {
		t.Errorf("after a kill: %v", lists)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir)
	a, adm = admin(t, b.Addr()), kadm.NewClient(franz(t, b.Addr()))
	if lists, _ := replicasOf(t, a, "t"); len(lists[0]) != 2 || len(lists) != 3 {
		t.Errorf("after a restart: %v", lists)
	}
	// Another topic of that name has a factor of its own.
	if _, err := adm.DeleteTopic(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if lists, _ := replicasOf(t, admin(t, start(t, dir).Addr()), "t"); len(lists[0]) != 1 {
		t.Errorf("created again: %v", lists)
	}
}

func TestReassignmentRefusals(t *testing.T) {
	b := start(t, t.TempDir())
	a, adm := admin(t, b.Addr()), kadm.NewClient(franz(t, b.Addr()))
	ctx := within(t, 60*time.Second)
	if _, err := adm.CreateTopic(ctx, 2, 2, nil, "t"); err != nil {
		t.Fatal(err)
	}
	before, _ := replicasOf(t, a, "t")
	for _, tc := range []struct {
		name  string
		topic string
		set   map[int32][]int32
		want  *kerr.Error
	}{
		{"a broker that is not there", "t", map[int32][]int32{0: {0, 3}, 1: {0, 3}}, kerr.InvalidReplicaAssignment},
		{"a broker below zero", "t", map[int32][]int32{0: {0, -1}, 1: {0, -1}}, kerr.InvalidReplicaAssignment},
		{"a broker twice", "t", map[int32][]int32{0: {1, 1}, 1: {1, 1}}, kerr.InvalidReplicaAssignment},
		{"nobody", "t", map[int32][]int32{0: {}, 1: {}}, kerr.InvalidReplicaAssignment},
		{"nothing to cancel", "t", map[int32][]int32{0: nil}, kerr.NoReassignmentInProgress},
		{"no such partition", "t", map[int32][]int32{7: {0, 1}}, kerr.UnknownTopicOrPartition},
		{"no such topic", "other", map[int32][]int32{0: {0, 1}}, kerr.UnknownTopicOrPartition},
		{"one partition of two", "t", map[int32][]int32{0: {0, 1, 2}}, kerr.InvalidReplicaAssignment},
	} {
		answers, err := adm.AlterPartitionAssignments(ctx, kadm.AlterPartitionAssignmentsReq{tc.topic: tc.set})
		if err != nil || !errors.Is(answers.Error(), tc.want) {
			t.Errorf("%s: %v %v, want %v", tc.name, err, answers.Error(), tc.want)
		}
	}
	answers, err := adm.AlterPartitionAssignments(kadm.ForbidAlterRf(ctx), kadm.AlterPartitionAssignmentsReq{"t": {0: {0}, 1: {0}}})
	if err != nil || !errors.Is(answers.Error(), kerr.InvalidReplicationFactor) {
		t.Errorf("another factor where it is forbidden: %v %v", err, answers.Error())
	}
	if after, _ := replicasOf(t, a, "t"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("refused, but %v became %v", before, after)
	}
}
