package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/providers"
)

// What a Need of Kafka is on. Do is an operation of an ACL, such as "WRITE" or "CREATE" (Apache Kafka, "Authorization and ACLs").
const (
	OnCluster = "cluster"
	OnTopic   = "topic"
	OnGroup   = "group"
)

// granted are the operations that brokers say they allow, by On + " " + Name. What they do not say is not there.
type granted map[string][]kmsg.ACLOperation

func (g granted) add(on, name string, bits int32) {
	if bits != math.MinInt32 { // omitted (KIP-430)
		g[on+" "+name] = kadm.DecodeACLOperations(bits)
	}
}

func (g granted) ask(n providers.Need) providers.Ability {
	a := providers.Ability{Need: n, May: providers.Unclear, Why: "the brokers do not say"}
	ops, said := g[n.On+" "+n.Name]
	want, err := kmsg.ParseACLOperation(strings.ReplaceAll(n.Do, "_", ""))
	if !said || err != nil {
		return a
	}
	if slices.Contains(ops, want) {
		a.May, a.Why = providers.Yes, ""
	} else {
		a.May, a.Why = providers.No, fmt.Sprintf("no ACL allows %s on the %s %s", n.Do, n.On, n.Name)
	}
	return a
}

// Abilities asks the brokers what the connection may do (KIP-430). A topic that is not there is asked for by a creation that is
// only validated.
func (c Connection) Abilities(ctx context.Context, needs []providers.Need) []providers.Ability {
	s := &second{conn: c}
	defer s.close()
	g := granted{}
	missing, err := askSecond(ctx, s, "ask what may be done", func(ctx context.Context, admin *kadm.Client) (map[string]error, error) {
		return g.load(ctx, s, admin, needs)
	})
	if err != nil {
		return providers.NotKnown(needs, err)
	}
	out := make([]providers.Ability, len(needs))
	for i, n := range needs {
		refused, absent := missing[n.Name]
		switch {
		case n.On != OnTopic || !absent:
			out[i] = g.ask(n)
		case n.Do == "CREATE" && refused == nil:
			out[i] = providers.Ability{Need: n, May: providers.Yes}
		case n.Do == "CREATE" && errors.Is(refused, kerr.TopicAuthorizationFailed):
			out[i] = providers.Ability{Need: n, May: providers.No, Why: "the topic is not there, or not to be seen, and no ACL allows CREATE on it or on the cluster"}
		case n.Do == "CREATE":
			out[i] = providers.Ability{Need: n, May: providers.Unclear, Why: refused.Error()}
		default:
			out[i] = providers.Ability{Need: n, May: providers.Unclear, Why: "the topic is not there yet"}
		}
		if n.On == OnTopic && n.Do == "CREATE" && !absent {
			out[i] = providers.Ability{Need: n, May: providers.Yes, Why: "it is there"}
		}
	}
	return out
}

// load asks for what the needs are on. missing are the topics that are not there, and what trying to create one was answered.
func (g granted) load(ctx context.Context, s *second, admin *kadm.Client, needs []providers.Need) (missing map[string]error, err error) {
	var topics, groups []string
	for _, n := range needs {
		switch list := map[string]*[]string{OnTopic: &topics, OnGroup: &groups}[n.On]; {
		case list != nil && !slices.Contains(*list, n.Name):
			*list = append(*list, n.Name)
		}
	}
	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.IncludeClusterAuthorizedOperations = true
	answer, err := cluster.RequestWith(ctx, s.client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return nil, err
	}
	g.add(OnCluster, "", answer.ClusterAuthorizedOperations)
	if len(topics) > 0 {
		req := kmsg.NewPtrMetadataRequest()
		req.IncludeTopicAuthorizedOperations = true
		for _, name := range topics {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(name)
			req.Topics = append(req.Topics, t)
		}
		metadata, err := req.RequestWith(ctx, s.client)
		if err != nil {
			return nil, err
		}
		missing = map[string]error{}
		for _, t := range metadata.Topics {
			if t.Topic == nil {
				continue
			}
			if t.ErrorCode != 0 {
				missing[*t.Topic] = nil
				continue
			}
			g.add(OnTopic, *t.Topic, t.AuthorizedOperations)
		}
	}
	if len(missing) > 0 {
		names := make([]string, 0, len(missing))
		for name := range missing {
			names = append(names, name)
		}
		tried, err := admin.ValidateCreateTopics(ctx, -1, -1, nil, names...)
		for _, name := range names {
			missing[name] = err
			if t, ok := tried[name]; ok {
				missing[name] = t.Err
			}
		}
	}
	for _, group := range groups { // one by one: what is refused for one is refused for all of a request
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{group}, true
		described, err := req.RequestWith(ctx, s.client)
		if err == nil && len(described.Groups) == 1 {
			err = kerr.ErrorForCode(described.Groups[0].ErrorCode)
		}
		switch {
		case errors.Is(err, kerr.GroupAuthorizationFailed):
			g.add(OnGroup, group, 0) // not even DESCRIBE, which READ implies
		case (err == nil || errors.Is(err, kerr.GroupIDNotFound)) && described != nil && len(described.Groups) == 1:
			g.add(OnGroup, group, described.Groups[0].AuthorizedOperations)
		}
	}
	return missing, nil
}

// RegistryAbilities asks the registry what the connection may do: Do is "read" or "register", Name a subject. A registry says
// nothing of rights beforehand: what is refused when read is known, and what a mode forbids.
func (c Connection) RegistryAbilities(ctx context.Context, needs []providers.Need) []providers.Ability {
	r, err := newRegistryClient(c)
	if err != nil {
		return providers.NotKnown(needs, err)
	}
	defer r.close()
	out := make([]providers.Ability, len(needs))
	for i, n := range needs {
		a := providers.Ability{Need: n, May: providers.Yes}
		var mode struct {
			Mode string `json:"mode"`
		}
		var level struct {
			Level string `json:"compatibilityLevel"`
		}
		var versions []int
		var err error
		switch n.Do {
		case "register":
			err = r.send(ctx, "read the mode", "GET", "/mode/"+escape(n.Name)+"?defaultToGlobal=true", nil, &mode)
			if providers.CodeOf(err) == providers.NotFound {
				err = r.send(ctx, "read the mode", "GET", "/mode", nil, &mode)
			}
			if err == nil && mode.Mode == "READONLY" {
				a.May, a.Why = providers.No, "the mode is READONLY"
			} else if err == nil {
				a.May, a.Why = providers.Unclear, fmt.Sprintf("the mode is %s; whether the credential may write, a registry tells when it is written to", mode.Mode)
			}
		case "compatibility":
			if err = r.send(ctx, "read the compatibility", "GET", "/config", nil, &level); err == nil {
				a.Why = "the level is " + level.Level
			}
		default:
			err = r.send(ctx, "list the versions", "GET", "/subjects/"+escape(n.Name)+"/versions", nil, &versions)
			if providers.CodeOf(err) == providers.NotFound {
				err, a.Why = nil, "the subject is not there yet"
			}
		}
		switch {
		case providers.CodeOf(err) == providers.Denied:
			a.May, a.Why = providers.No, err.Error()
		case err != nil:
			a.May, a.Why = providers.Unclear, err.Error()
		}
		out[i] = a
	}
	return out
}
