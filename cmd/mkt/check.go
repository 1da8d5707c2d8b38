package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/check"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/spec"
	"mkt/stream/engine"
	"mkt/stream/source"
)

// validateStack evaluates a loaded stack and, when it is sound, asks the checks across systems that need no server.
func validateStack(stack *spec.Stack) hcl.Diagnostics {
	diags := stack.Validate()
	if diags.HasErrors() {
		return diags
	}
	return append(diags, check.Run(check.Input{Stack: stack, Source: sourceFiles(stack), Property: clientProperty})...)
}

// check asks the checks across systems about the stack as it is planned.
func (s *session) check(ctx context.Context, p *planner.Plan, targets []spec.Addr) hcl.Diagnostics {
	in := check.Input{Stack: s.stack, Scope: p.Scope, Source: sourceFiles(s.stack), Property: clientProperty}
	in.Facts.Now = time.Now()
	if len(targets) > 0 {
		in.Selected = func(addr spec.Addr) bool {
			return p.Change(addr) != nil || slices.ContainsFunc(targets, func(t spec.Addr) bool { return t.Covers(addr) })
		}
	}
	s.facts(ctx, p, &in)
	return check.Run(in)
}

// exist asks the systems for objects that the stack names and does not describe. What cannot be told is left out.
func (s *session) exist(ctx context.Context, named map[string][]string) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	for kind, ids := range named {
		p, err := s.provider(ctx, s.stack.Kind(kind).System)
		if err != nil {
			continue
		}
		refs := make([]providers.Ref, len(ids))
		for i, id := range ids {
			refs[i].ID = id
		}
		found[kind] = map[string]bool{}
		for i, r := range p.Resource(kind).Read(ctx, refs) {
			if r.Err == nil {
				found[kind][ids[i]] = r.State != cty.NilVal
			}
		}
	}
	return found
}

// topics are the stack's topics as they are now, by name. One that is replaced is another by then.
func topics(p *planner.Plan) map[string]check.TopicFacts {
	now := map[string]check.TopicFacts{}
	for _, c := range p.Changes {
		if c.Kind != kafka.Topic || c.Before == cty.NilVal || c.After == cty.NilVal || c.Action == planner.Replace {
			continue
		}
		t := check.TopicFacts{Partitions: whole(c.Before.GetAttr("partitions")), Replicas: whole(c.Before.GetAttr("replication_factor"))}
		if own, ok := c.Before.GetAttr("config").AsValueMap()["min.insync.replicas"]; ok {
			t.MinInSync, _ = strconv.Atoi(own.AsString())
		}
		now[c.ID] = t
	}
	return now
}

func whole(v cty.Value) int {
	if v.IsNull() || !v.IsKnown() {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return int(n)
}

// clientProperty says what is wrong with a property of the Kafka client of a producer or consumer.
func clientProperty(kind, name, value string) error {
	if kind == "producer" {
		return engine.CheckSender(name, value)
	}
	return engine.CheckReceiver(name, value)
}

// sourceFiles reads the beginnings of a source's files for the checks.
func sourceFiles(stack *spec.Stack) func(check.SourceConfig) ([]check.SourceFile, error) {
	return func(c check.SourceConfig) ([]check.SourceFile, error) {
		c.Path = sourcePath(stack.Dir, c.Path)
		cfg := source.Config{Paths: []string{c.Path}, Format: c.Format, Delimiter: c.Delimiter, Drop: c.Drop}
		headers, err := source.Headers(cfg)
		if err != nil || len(headers) == 0 {
			return nil, err
		}
		files := make([]check.SourceFile, len(headers))
		for i, h := range headers {
			files[i] = check.SourceFile{Name: h.File, Header: h.Columns}
		}
		files[0].Rows, err = firstRows(cfg, files[0].Name)
		return files, err
	}
}

// firstRows reads the first rows of a source that can be split, as far as its first file goes.
func firstRows(cfg source.Config, first string) (rows [][]string, err error) {
	r, err := source.Open(cfg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for len(rows) < check.SampleRows {
		row, err := r.Next()
		if errors.Is(err, io.EOF) || err == nil && row.File != first {
			break
		}
		if err != nil {
			return nil, err
		}
		fields := make([]string, len(row.Fields))
		for i, f := range row.Fields {
			if !source.IsNull(f) {
				fields[i] = string(f)
			}
		}
		rows = append(rows, fields)
	}
	return rows, nil
}
