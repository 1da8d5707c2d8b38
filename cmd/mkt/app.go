package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/spec"
	"mkt/stream"
	"mkt/stream/source"
)

// app evaluates the blocks of the given app kinds with the values that their resources have now. names limits them to
// these, "consumer.blobs"; none are all. What the blocks refer to must exist: the app runs on what was applied.
func (s *session) app(ctx context.Context, kinds []string, names ...string) ([]*spec.Instance, error) {
	blocks, err := s.appBlocks(kinds, names)
	if err != nil || len(blocks) == 0 {
		return nil, err
	}
	owned, err := s.ledger(ctx)
	if err != nil {
		return nil, err
	}
	in := planner.Input{Stack: s.stack, Ledger: owned, Parallelism: s.c.parallelism, Providers: s.providerFunc(ctx)}
	for _, b := range blocks {
		in.Targets = append(in.Targets, b.Addr)
	}
	p, diags := planner.New(ctx, in)
	if err := s.c.report(diags, s.stack.Files); err != nil {
		return nil, err
	}
	for _, change := range p.Changes {
		switch change.Action {
		case planner.Create:
			return nil, fmt.Errorf("%s does not exist: run `mkt apply` first", change.Addr)
		case planner.Update, planner.Replace:
			s.c.view(s.c.err).Printf("Note: %s differs from the stack; `mkt plan` shows how.\n", change.Addr)
		}
	}
	var out []*spec.Instance
	for _, b := range blocks {
		instances, diags := p.Scope.Instances(b)
		if err := s.c.report(diags, s.stack.Files); err != nil {
			return nil, err
		}
		for _, inst := range instances {
			if len(names) == 0 || slices.Contains(names, b.Addr.String()) || slices.Contains(names, inst.Addr.String()) {
				out = append(out, inst)
			}
		}
	}
	for _, n := range names { // an instance by its key
		if addr, ok := spec.ParseAddr(n); ok && addr.Keyed && !slices.ContainsFunc(out, func(i *spec.Instance) bool { return i.Addr == addr }) {
			return nil, fmt.Errorf("%s has no instance with the key %q", addr.Block(), addr.Key)
		}
	}
	return out, nil
}

// appBlocks finds the app blocks of these kinds that have one of the names, or all.
func (s *session) appBlocks(kinds, names []string) ([]*spec.Block, error) {
	wanted := map[string]bool{}
	block := func(name string) string { // that the name, perhaps of an instance, is about
		if addr, ok := spec.ParseAddr(name); ok {
			return addr.Block().String()
		}
		return name
	}
	for _, n := range names {
		wanted[block(n)] = true
	}
	var blocks []*spec.Block
	var has []string
	for _, b := range s.stack.Blocks() {
		if !slices.Contains(kinds, b.Kind.Name) {
			continue
		}
		addr := b.Addr.String()
		has = append(has, addr)
		if len(names) == 0 || wanted[addr] {
			blocks = append(blocks, b)
			delete(wanted, addr)
		}
	}
	for _, n := range names {
		if wanted[block(n)] {
			return nil, fmt.Errorf("the stack has no %q: it has %s", n, orNone(has))
		}
	}
	return blocks, nil
}

// streamConfig turns evaluated producers and consumers into the plain configuration of package stream.
func (s *session) streamConfig(ctx context.Context, app []*spec.Instance) (stream.Config, error) {
	kafka, err := s.kafka(ctx)
	if err != nil {
		return stream.Config{}, err
	}
	cfg := stream.Config{
		Kafka: kafka.ClientConfig(),
		Registry: stream.Registry{URL: kafka.RegistryURL, User: kafka.RegistryUser, Password: kafka.RegistryPassword, Token: kafka.RegistryToken,
			TLS: kafka.RegistryTLS},
		Blob:  s.container,
		Abort: s.c.stopped.Done(),
		Stdin: s.c.in,
	}
	for _, inst := range app {
		switch inst.Addr.Kind {
		case "producer":
			p, err := producerConfig(inst, s.stack.Dir)
			if err != nil {
				return cfg, err
			}
			cfg.Producers = append(cfg.Producers, p)
		case "consumer":
			c, err := consumerConfig(inst)
			if err != nil {
				return cfg, err
			}
			cfg.Consumers = append(cfg.Consumers, c)
		}
	}
	return cfg, nil
}

func producerConfig(inst *spec.Instance, dir string) (stream.Producer, error) {
	v := inst.Value
	src := v.GetAttr("source")
	p := stream.Producer{
		Name: inst.Addr.Label(), Topic: text(v, "topic"), Subject: text(v, "subject"),
		OnError:         stream.OnError(text(v, "on_error")),
		DeadLetterTopic: text(v.GetAttr("dead_letter"), "topic"),
		Properties:      textMap(v.GetAttr("properties")),
		Source: stream.Source{
			Paths: []string{text(src, "path")}, Rename: textMap(src.GetAttr("rename")),
			Drop: texts(src.GetAttr("drop")), Null: texts(src.GetAttr("null")),
			Format: text(src, "type"), Header: texts(src.GetAttr("header")), Follow: src.GetAttr("follow").True(),
			DateFormat: text(src, "date_format"), TimestampFormat: text(src, "timestamp_format"),
		},
	}
	if limit := src.GetAttr("limit"); !limit.IsNull() {
		p.Limit, _ = limit.AsBigFloat().Uint64()
	}
	if key := text(v, "key"); key != rowNumber {
		p.Key = key
	}
	if p.Paths[0] != source.Stdin {
		p.Paths[0] = sourcePath(dir, p.Paths[0])
	}
	if d := text(src, "delimiter"); d != "" {
		p.Delimiter = d[0]
	}
	var err error
	if speed := text(v, "speed"); speed != "" {
		if p.Speed, err = spec.ParseSpeed(speed); err != nil {
			return p, err
		}
	}
	p.Time = text(v, "time")
	for attr, to := range map[string]*time.Time{"from": &p.From, "to": &p.To} {
		if moment := text(v, attr); moment != "" {
			if *to, err = spec.ParseMoment(moment); err != nil {
				return p, err
			}
		}
	}
	if p.Rate, err = spec.ParseRate(text(v, "rate")); math.IsInf(p.Rate, 1) {
		p.Rate = 0
	}
	return p, err
}

// sourcePath is a source's path as a pattern for all of it: the stack's directory, which is no pattern, may have any name.
func sourcePath(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if rest, inside := strings.CutPrefix(path, dir+string(filepath.Separator)); inside {
		return spec.Pattern(dir, rest)
	}
	return path
}

// rowNumber is what the language calls the row's number: key = row.index.
const rowNumber = "index"

func consumerConfig(inst *spec.Instance) (stream.Consumer, error) {
	v := inst.Value
	c := stream.Consumer{
		Name: inst.Addr.Label(), Topic: text(v, "topic"), Group: text(v, "group"), From: text(v, "from"),
		ContainerURL: text(v, "container"), Prefix: text(v, "prefix"),
		Format: text(v, "format"), Compression: text(v, "compression"),
		DeadLetterPrefix: text(v.GetAttr("dead_letter"), "prefix"),
		By:               stream.By{Directory: text(v, "partition_by"), Time: text(v, "time")},
		Properties:       textMap(v.GetAttr("properties")),
	}
	roll := v.GetAttr("roll")
	if roll.IsNull() {
		return c, nil
	}
	c.Roll.Rows, _ = roll.GetAttr("rows").AsBigFloat().Int64()
	var err error
	if c.Roll.Bytes, err = spec.ParseBytes(text(roll, "bytes")); err != nil {
		return c, err
	}
	c.Roll.Every, err = spec.ParseDuration(text(roll, "every"))
	return c, err
}

// text returns a string attribute; "" where it, or the object itself, is null.
func text(v cty.Value, name string) string {
	if v.IsNull() || v.GetAttr(name).IsNull() {
		return ""
	}
	return v.GetAttr(name).AsString()
}

func texts(v cty.Value) []string {
	if v.IsNull() {
		return nil
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		out = append(out, e.AsString())
	}
	return out
}

func textMap(v cty.Value) map[string]string {
	out := map[string]string{}
	if v.IsNull() {
		return out
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		out[k.AsString()] = e.AsString()
	}
	return out
}

// appTimeout bounds what a command asks of the systems besides its main work.
const appTimeout = 60 * time.Second
