package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/providers/snowflake"
	"mkt/stream"
)

const (
	// leaveFor is how long a group may need to notice that a member was killed: a consumer's session lasts 6 s.
	leaveFor   = 8 * time.Second
	leavePoll  = 500 * time.Millisecond
	groupsWait = 15 * time.Second
)

// checkWriters refuses a plan that makes a pipe again while a consumer of the stack writes files for it: the pipe would not come to
// rest. What cannot be asked is let be; the pipe itself is waited for anyway.
func (s *session) checkWriters(ctx context.Context, p *planner.Plan) error {
	groups := s.writers(p)
	if len(groups) == 0 {
		return nil
	}
	conn, err := s.kafka(ctx)
	if err != nil {
		return nil
	}
	admin, err := stream.NewAdmin(conn.ClientConfig())
	if err != nil {
		return nil
	}
	defer admin.Close()
	for end := time.Now().Add(leaveFor); ; {
		busy := running(ctx, admin, groups)
		if busy == "" || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s; its pipe is to be made again, which wants the files to rest. Stop `mkt stream` there, then apply again. Nothing was changed", busy)
		}
		select {
		case <-ctx.Done():
		case <-time.After(leavePoll):
		}
	}
}

// writers are the groups of the consumers whose files are loaded by pipes that the plan replaces, with the consumers' addresses.
func (s *session) writers(p *planner.Plan) map[string]string {
	stages := map[string]cty.Value{}
	for _, c := range p.Changes {
		if c.Kind == snowflake.Stage && c.Before != cty.NilVal {
			stages[c.ID] = c.Before
		}
	}
	groups := map[string]string{}
	for _, c := range p.Changes {
		if c.Kind != snowflake.Pipe || c.Action != planner.Replace || p.Scope == nil {
			continue
		}
		copy := c.Before.GetAttr("copy")
		stage, known := stages[text(copy, "from")]
		for _, b := range s.stack.Blocks() {
			if b.Kind.Name != "consumer" {
				continue
			}
			instances, _ := p.Scope.Instances(b) // what is wrong with them was said by the plan
			for _, inst := range instances {
				v := inst.Value
				fed := !known || !isKnown(v, "container") || !isKnown(v, "prefix") ||
					text(v, "container") == text(stage, "container") && strings.HasPrefix(text(v, "prefix"), text(stage, "path")+text(copy, "path"))
				if isKnown(v, "group") && fed {
					groups[text(v, "group")] = inst.Addr.String()
				}
			}
		}
	}
	return groups
}

func isKnown(v cty.Value, attr string) bool {
	a := v.GetAttr(attr)
	return a.IsKnown() && !a.IsNull()
}

// running names a consumer whose group has members, "" where none has.
func running(ctx context.Context, admin *kafka.AdminClient, groups map[string]string) string {
	ctx, cancel := context.WithTimeout(ctx, groupsWait)
	defer cancel()
	for group, addr := range groups {
		res, err := admin.DescribeConsumerGroups(ctx, []string{group})
		if err != nil {
			return ""
		}
		for _, g := range res.ConsumerGroupDescriptions {
			if len(g.Members) > 0 {
				return fmt.Sprintf("%s is running: its group %q has a member at %s", addr, group, strings.TrimPrefix(g.Members[0].Host, "/"))
			}
		}
	}
	return ""
}
