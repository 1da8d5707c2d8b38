package broker

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refusal is why one entity of a request cannot be served.
type refusal struct {
	err     *kerr.Error
	message string
}

// addChecks puts the validation that kfake lacks in front of its handlers.
//
// A request whose every entity is refused is answered here, with Kafka's
// messages. In a mixed request kfake must serve the good entities, so each bad
// one becomes a fault that answers for it in the same response, by code alone.
func addChecks(c *kfake.Cluster, user, password string) {
	if user != "" {
		refusePassword(c, user, password)
	}
	control := func(key kmsg.Key, fn func(kmsg.Request) kmsg.Response) {
		c.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp := fn(req)
			return resp, nil, resp != nil
		})
	}
	control(kmsg.CreateTopics, func(req kmsg.Request) kmsg.Response {
		return checkCreateTopics(c, req.(*kmsg.CreateTopicsRequest))
	})
	control(kmsg.CreatePartitions, func(req kmsg.Request) kmsg.Response {
		return checkCreatePartitions(c, req.(*kmsg.CreatePartitionsRequest))
	})
	control(kmsg.IncrementalAlterConfigs, func(req kmsg.Request) kmsg.Response {
		return checkIncrementalAlterConfigs(c, req.(*kmsg.IncrementalAlterConfigsRequest))
	})
	control(kmsg.AlterConfigs, func(req kmsg.Request) kmsg.Response {
		return checkAlterConfigs(c, req.(*kmsg.AlterConfigsRequest))
	})
}

// refusePassword answers a wrong user or password as Kafka does; kfake by
// itself closes the connection, which clients read as a network failure.
func refusePassword(c *kfake.Cluster, user, password string) {
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		// RFC 4616: [authzid] NUL authcid NUL passwd
		parts := bytes.SplitN(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, []byte{0}, 3)
		if len(parts) == 3 && subtle.ConstantTimeCompare(parts[1], []byte(user)) == 1 && subtle.ConstantTimeCompare(parts[2], []byte(password)) == 1 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new("Authentication failed: Invalid username or password")
		return resp, nil, true
	})
}

// refuseSome installs the faults for the bad entities of a mixed request. They
// answer this request only, by identity; kfake drops each after its one answer.
func refuseSome(c *kfake.Cluster, req kmsg.Request, bad map[string]refusal, fault func(name string) kfake.Fault) {
	for name, why := range bad {
		f := fault(name)
		f.Keys = []kmsg.Key{kmsg.Key(req.Key())}
		f.Err = why.err
		f.When = func(r kmsg.Request) bool { return r == req }
		c.Fault(f)
	}
}

func topicFault(name string) kfake.Fault    { return kfake.Fault{Topic: name} }
func resourceFault(name string) kfake.Fault { return kfake.Fault{Resource: name} }

// answerAll reports whether the request has to be answered here as a whole:
// every entity is bad, or one has an empty name, which no fault can select.
func answerAll(bad map[string]refusal, entities int) bool {
	_, empty := bad[""]
	return len(bad) > 0 && (empty || len(bad) == entities)
}

// why returns what to answer for name when the whole request is answered here.
func why(bad map[string]refusal, name string) refusal {
	if r, ok := bad[name]; ok {
		return r
	}
	return refusal{kerr.InvalidRequest, "another entity of the request has no name"}
}

func checkCreateTopics(c *kfake.Cluster, req *kmsg.CreateTopicsRequest) kmsg.Response {
	bad := make(map[string]refusal)
	for i := range req.Topics {
		t := &req.Topics[i]
		if msg := checkTopicName(t.Topic); msg != "" {
			bad[t.Topic] = refusal{kerr.InvalidTopicException, msg}
			continue
		}
		if len(t.ReplicaAssignment) == 0 {
			switch {
			case t.NumPartitions == 0 || t.NumPartitions < -1:
				bad[t.Topic] = refusal{kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."}
				continue
			case t.ReplicationFactor == 0 || t.ReplicationFactor < -1:
				bad[t.Topic] = refusal{kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."}
				continue
			case t.ReplicationFactor > brokers:
				bad[t.Topic] = refusal{kerr.InvalidReplicationFactor, fmt.Sprintf("Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered.", t.ReplicationFactor, t.ReplicationFactor, brokers)}
				continue
			}
		}
		for _, cfg := range t.Configs {
			if msg := checkConfig(cfg.Name, cfg.Value); msg != "" {
				bad[t.Topic] = refusal{kerr.InvalidConfig, msg}
				break
			}
		}
	}
	if !answerAll(bad, len(req.Topics)) {
		refuseSome(c, req, bad, topicFault)
		return nil
	}
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	for _, t := range req.Topics {
		r := why(bad, t.Topic)
		st := kmsg.NewCreateTopicsResponseTopic()
		st.Topic, st.ErrorCode, st.ErrorMessage = t.Topic, r.err.Code, &r.message
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

// checkCreatePartitions refuses a count that changes nothing, which kfake
// takes; it refuses a smaller one itself, without Kafka's message.
func checkCreatePartitions(c *kfake.Cluster, req *kmsg.CreatePartitionsRequest) kmsg.Response {
	bad := make(map[string]refusal)
	for i := range req.Topics {
		t := &req.Topics[i]
		have := int32(len(c.PartitionInfos(t.Topic)))
		switch {
		case have == 0: // unknown: kfake says so
		case t.Count == have:
			bad[t.Topic] = refusal{kerr.InvalidPartitions, fmt.Sprintf("Topic already has %d partition(s).", have)}
		case t.Count < have:
			bad[t.Topic] = refusal{kerr.InvalidPartitions, fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)}
		}
	}
	if !answerAll(bad, len(req.Topics)) {
		refuseSome(c, req, bad, topicFault)
		return nil
	}
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	for _, t := range req.Topics {
		r := why(bad, t.Topic)
		st := kmsg.NewCreatePartitionsResponseTopic()
		st.Topic, st.ErrorCode, st.ErrorMessage = t.Topic, r.err.Code, &r.message
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func checkIncrementalAlterConfigs(c *kfake.Cluster, req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	bad := make(map[string]refusal)
	for i := range req.Resources {
		r := &req.Resources[i]
		if r.ResourceType != kmsg.ConfigResourceTypeTopic {
			continue
		}
		for _, cfg := range r.Configs {
			value := cfg.Value
			if cfg.Op == kmsg.IncrementalAlterConfigOpDelete {
				if _, known := topicConfigs[cfg.Name]; known {
					continue
				}
			}
			if msg := checkConfig(cfg.Name, value); msg != "" {
				bad[r.ResourceName] = refusal{kerr.InvalidConfig, msg}
				break
			}
		}
	}
	if !answerAll(bad, len(req.Resources)) {
		refuseSome(c, req, bad, resourceFault)
		return nil
	}
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, r := range req.Resources {
		w := why(bad, r.ResourceName)
		sr := kmsg.NewIncrementalAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = r.ResourceType, r.ResourceName
		sr.ErrorCode, sr.ErrorMessage = w.err.Code, &w.message
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

func checkAlterConfigs(c *kfake.Cluster, req *kmsg.AlterConfigsRequest) kmsg.Response {
	bad := make(map[string]refusal)
	for i := range req.Resources {
		r := &req.Resources[i]
		if r.ResourceType != kmsg.ConfigResourceTypeTopic {
			continue
		}
		for _, cfg := range r.Configs {
			if msg := checkConfig(cfg.Name, cfg.Value); msg != "" {
				bad[r.ResourceName] = refusal{kerr.InvalidConfig, msg}
				break
			}
		}
	}
	if !answerAll(bad, len(req.Resources)) {
		refuseSome(c, req, bad, resourceFault)
		return nil
	}
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, r := range req.Resources {
		w := why(bad, r.ResourceName)
		sr := kmsg.NewAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = r.ResourceType, r.ResourceName
		sr.ErrorCode, sr.ErrorMessage = w.err.Code, &w.message
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

// maxTopicName is the longest topic name, in bytes (org.apache.kafka.common.internals.Topic).
const maxTopicName = 249

// checkTopicName returns Kafka's message for a name it would refuse, or "".
func checkTopicName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == "." || name == "..":
		return "Topic name is invalid: '.' or '..' is not allowed"
	case len(name) > maxTopicName:
		return fmt.Sprintf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	case strings.ContainsFunc(name, illegalInName):
		return fmt.Sprintf("Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return ""
}

func illegalInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}
