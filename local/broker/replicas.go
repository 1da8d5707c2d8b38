package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// replicasFile holds the replication factors that were changed, by topic id.
const replicasFile = "replicas.json"

// replicas changes replication factors (KIP-455). kfake takes a reassignment and does nothing. It keeps one factor for each
// topic, and places replicas on the leader and the brokers after it; on three brokers every set of replicas is such a row, if
// the leader is the right one. So a reassignment is done at once, by a new factor and, where needed, another leader. What
// that cannot express, partitions of one topic with different factors, is refused. All of it runs in kfake's one goroutine.
type replicas struct {
	cluster *kfake.Cluster
	path    string
	factors map[string]int // kfake's own, by topic name
	changed map[string]changedFactor
}

type changedFactor struct {
	Topic  string `json:"topic"`
	Factor int    `json:"factor"`
}

// loadReplicas reads what was changed before and tells kfake, whose own file may be from before that.
func loadReplicas(dir string, cluster *kfake.Cluster) (*replicas, error) {
	r := &replicas{cluster: cluster, path: filepath.Join(dir, replicasFile), changed: map[string]changedFactor{}}
	// kfake has no way to change a factor; this is the map that it describes topics by and writes down.
	data := reflect.ValueOf(cluster).Elem().FieldByName("data")
	if !data.IsValid() || data.Kind() != reflect.Struct {
		return nil, errors.New("kfake keeps its topics elsewhere than it used to")
	}
	field := data.FieldByName("treplicas")
	if !field.IsValid() || field.Type() != reflect.TypeFor[map[string]int]() {
		return nil, errors.New("kfake keeps replication factors elsewhere than it used to")
	}
	r.factors = *(*map[string]int)(field.Addr().UnsafePointer())
	text, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r.changed)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", replicasFile, err)
	}
	for id, c := range r.changed {
		if info := cluster.TopicInfo(c.Topic); info != nil && fmt.Sprintf("%x", info.TopicID) == id {
			r.factors[c.Topic] = c.Factor
		} else {
			delete(r.changed, id) // deleted since
		}
	}
	return r, nil
}

// watch puts r in front of kfake's handler of reassignments.
func (r *replicas) watch() {
	r.cluster.ControlKey(int16(kmsg.AlterPartitionAssignments), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		resp, err := r.alter(req.(*kmsg.AlterPartitionAssignmentsRequest))
		return resp, err, true
	})
}

func (r *replicas) alter(req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	leaders := map[string]map[int32]int32{}
	for _, t := range req.Topics {
		st := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		st.Topic = t.Topic
		infos := r.cluster.PartitionInfos(t.Topic)
		good := 0
		for _, p := range t.Partitions {
			why := r.check(t.Topic, infos, p, req.AllowReplicationFactorChange)
			sp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			sp.Partition = p.Partition
			if why != (refusal{}) {
				sp.ErrorCode, sp.ErrorMessage = why.err.Code, &why.message
			} else {
				good++
			}
			st.Partitions = append(st.Partitions, sp)
		}
		if good > 0 {
			if why := r.oneFactor(t, infos, st.Partitions); why != (refusal{}) {
				for i := range st.Partitions {
					if sp := &st.Partitions[i]; sp.ErrorCode == 0 {
						sp.ErrorCode, sp.ErrorMessage = why.err.Code, &why.message
					}
				}
			} else {
				leaders[t.Topic] = r.plan(t, infos, st.Partitions)
			}
		}
		resp.Topics = append(resp.Topics, st)
	}
	if len(leaders) == 0 {
		return resp, nil
	}
	if err := r.save(); err != nil {
		return nil, err
	}
	for topic, moves := range leaders {
		for p, node := range moves {
			if err := r.cluster.MoveTopicPartition(topic, p, node); err != nil {
				return nil, err
			}
		}
	}
	return resp, nil
}

// check refuses what Kafka does, in its words (ReplicationControlManager, Kafka 4.1).
func (r *replicas) check(topic string, infos []*kfake.PartitionInfo, p kmsg.AlterPartitionAssignmentsRequestTopicPartition, allowFactor bool) refusal {
	seen := map[int32]bool{}
	switch {
	case !slices.ContainsFunc(infos, func(i *kfake.PartitionInfo) bool { return i.Partition == p.Partition }):
		return refusal{kerr.UnknownTopicOrPartition, fmt.Sprintf("Unable to find partition %s:%d.", topic, p.Partition)}
	case p.Replicas == nil:
		return refusal{kerr.NoReassignmentInProgress, kerr.NoReassignmentInProgress.Description}
	case len(p.Replicas) == 0:
		return refusal{kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."}
	}
	for _, id := range p.Replicas {
		switch {
		case id < 0 || id >= brokers:
			return refusal{kerr.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes broker %d, but no such broker is registered.", id)}
		case seen[id]:
			return refusal{kerr.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes the broker %d more than once.", id)}
		}
		seen[id] = true
	}
	if have := r.factors[topic]; !allowFactor && have != len(p.Replicas) {
		return refusal{kerr.InvalidReplicationFactor, fmt.Sprintf("The replication factor is changed from %d to %d", have, len(p.Replicas))}
	}
	return refusal{}
}

// oneFactor refuses what would leave the partitions of a topic with different factors.
func (r *replicas) oneFactor(t kmsg.AlterPartitionAssignmentsRequestTopic, infos []*kfake.PartitionInfo, answers []kmsg.AlterPartitionAssignmentsResponseTopicPartition) refusal {
	factors := map[int32]int{}
	for _, i := range infos {
		factors[i.Partition] = r.factors[t.Topic]
	}
	for i, p := range t.Partitions {
		if answers[i].ErrorCode == 0 {
			factors[p.Partition] = len(p.Replicas)
		}
	}
	for _, n := range factors {
		if n != factors[t.Partitions[0].Partition] {
			return refusal{kerr.InvalidReplicaAssignment, "The embedded cluster has one replication factor for all partitions of a topic."}
		}
	}
	return refusal{}
}

// plan notes a topic's new factor and returns the leaders that have to change.
func (r *replicas) plan(t kmsg.AlterPartitionAssignmentsRequestTopic, infos []*kfake.PartitionInfo, answers []kmsg.AlterPartitionAssignmentsResponseTopicPartition) map[int32]int32 {
	moves := map[int32]int32{}
	for i, p := range t.Partitions {
		if answers[i].ErrorCode != 0 {
			continue
		}
		at := slices.IndexFunc(infos, func(i *kfake.PartitionInfo) bool { return i.Partition == p.Partition })
		first := append([]int32{p.Replicas[0], infos[at].Leader}, p.Replicas...)
		leader := first[slices.IndexFunc(first, func(id int32) bool { return isRow(id, p.Replicas) })]
		if leader != infos[at].Leader {
			moves[p.Partition] = leader
		}
		r.factors[t.Topic] = len(p.Replicas)
	}
	info := r.cluster.TopicInfo(t.Topic)
	r.changed[fmt.Sprintf("%x", info.TopicID)] = changedFactor{Topic: t.Topic, Factor: r.factors[t.Topic]}
	return moves
}

// isRow tells whether the replicas are the brokers from first on, around the circle.
func isRow(first int32, replicas []int32) bool {
	for i := range int32(len(replicas)) {
		if !slices.Contains(replicas, (first+i)%brokers) {
			return false
		}
	}
	return true
}

func (r *replicas) save() error {
	text, err := json.Marshal(r.changed)
	if err == nil {
		err = renameio.WriteFile(r.path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write down replication factors: %w", err)
	}
	return nil
}
