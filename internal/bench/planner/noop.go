package main

import (
	"context"
	"fmt"
	"strings"
)

// shape is one stack in both languages.
type shape struct {
	name      string
	mkt, tofu string
	minutes   bool // OpenTofu takes that long
}

func shapes() []shape {
	return []shape{
		{"1,000 blocks", blocks(1000, topic), blocks(1000, data), false},
		{"10,000 blocks", blocks(10000, topic), blocks(10000, data), true},
		{"`for_each` over 1,000", each(1000, "kafka_topic", topicBody), each(1000, "terraform_data", dataBody), false},
		{"`for_each` over 10,000", each(10000, "kafka_topic", topicBody), each(10000, "terraform_data", dataBody), true},
		{"a chain of 1,000", chain(1000, "kafka_topic", "partitions", "1"), chain(1000, "terraform_data", "input", `"x"`), true},
	}
}

const (
	topicBody = "  partitions         = 1\n  replication_factor = 1\n  config             = { \"retention.ms\" = \"7d\" }\n"
	dataBody  = "  input = { partitions = 1, replication_factor = 1, config = { \"retention.ms\" = \"7d\" } }\n"
)

func topic(s *strings.Builder, i int) {
	fmt.Fprintf(s, "kafka_topic \"t%d\" {\n%s}\n", i, topicBody)
}

func data(s *strings.Builder, i int) {
	fmt.Fprintf(s, "resource \"terraform_data\" \"t%d\" {\n%s}\n", i, dataBody)
}

func blocks(n int, one func(*strings.Builder, int)) string {
	var s strings.Builder
	for i := range n {
		one(&s, i)
	}
	return s.String()
}

// head begins a block: OpenTofu's have a keyword before the type.
func head(kind, name string) string {
	if kind == "terraform_data" {
		return fmt.Sprintf("resource %q %q {\n", kind, name)
	}
	return fmt.Sprintf("%s %q {\n", kind, name)
}

func each(n int, kind, body string) string {
	var s strings.Builder
	s.WriteString("locals {\n  all = {\n")
	for i := range n {
		fmt.Fprintf(&s, "    t%d = %d\n", i, i)
	}
	s.WriteString("  }\n}\n" + head(kind, "t") + "  for_each = local.all\n")
	if kind == "kafka_topic" {
		s.WriteString("  name               = each.key\n")
	}
	s.WriteString(body + "}\n")
	return s.String()
}

// chain lets each object take an attribute from the one before.
func chain(n int, kind, attr, first string) string {
	var s strings.Builder
	for i := range n {
		value := first
		if i > 0 {
			value = fmt.Sprintf("%s.t%d.%s", kind, i-1, attr)
		}
		fmt.Fprintf(&s, "%s  %s = %s\n", head(kind, fmt.Sprintf("t%d", i)), attr, value)
		if kind == "kafka_topic" {
			s.WriteString("  replication_factor = 1\n")
		}
		s.WriteString("}\n")
	}
	return s.String()
}

// noOp applies a shape with both tools and measures the plan after.
func (b *bench) noOp(ctx context.Context, s shape) error {
	broker, err := startBroker(ctx, 0)
	if err != nil {
		return err
	}
	defer broker.Close()
	dir, err := b.dir("stack.hcl", fmt.Sprintf("provider \"kafka\" {\n  bootstrap_servers = %q\n}\n", broker.addr)+s.mkt)
	if err != nil {
		return err
	}
	if _, _, err := once(ctx, dir, nil, b.mkt, "apply", "-auto-approve"); err != nil {
		return err
	}
	mkt, err := b.median(ctx, "Nothing to do", dir, nil, b.mkt, "plan")
	if err != nil {
		return err
	}
	peer, err := b.tofuNoOp(ctx, s)
	if err != nil {
		return err
	}
	row(s.name, mkt, peer)
	return nil
}

func (b *bench) tofuNoOp(ctx context.Context, s shape) (*cost, error) {
	if b.tofu == "" || s.minutes && !b.slow {
		return nil, nil
	}
	dir, err := b.dir("main.tf", s.tofu)
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		if _, _, err := once(ctx, dir, nil, b.tofu, args...); err != nil {
			return nil, err
		}
	}
	slow := *b
	if s.minutes {
		slow.runs = 1
	}
	c, err := slow.median(ctx, "No changes", dir, nil, b.tofu, "plan", "-no-color")
	return &c, err
}
