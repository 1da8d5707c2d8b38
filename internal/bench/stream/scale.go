package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// share is the part of a core that each consumer gets where one is compared with two: so little that neither cores, broker nor
// storage are what holds two of them back.
const share = 0.15

const (
	oneConsumer  = "one consumer with 0.15 of a core"
	twoConsumers = "two consumers with 0.15 of a core each"
)

// runScale measures one consumer and then two of one group, each held to the same share of a core, of a topic whose partitions are
// equally long: else who has the longest would be waited for.
func runScale(ctx context.Context, s *stack, t *table) error {
	t.title("mkt stream, one machine and two")
	if _, err := s.stream(ctx, mktProducer, "producer."+mktEven); err != nil {
		return err
	}
	for _, r := range []struct {
		name, part string
		n          int
	}{{oneConsumer, "consumer.one", 1}, {twoConsumers, "consumer.two", 2}} {
		f, err := s.held(ctx, r.name, r.part, r.n)
		if errors.Is(err, errNoGroups) {
			fmt.Printf("not measured: %v\n", err)
			return nil
		}
		if err != nil {
			return err
		}
		t.add(f)
	}
	return nil
}

// held runs n processes of a part of the stack's app, each with a share of a core, until all have ended.
func (s *stack) held(ctx context.Context, name, part string, n int) (figures, error) {
	f := figures{name: name, rows: s.n * evenTimes}
	began := time.Now()
	var running []*exec.Cmd
	for i := range n {
		g, err := newGroup(fmt.Sprintf("mkt-bench-%d-%d", os.Getpid(), i))
		if err != nil {
			return f, err
		}
		defer g.remove()
		cmd := s.command(ctx, "stream", part)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return f, err
		}
		if err := g.hold(cmd.Process.Pid); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return f, err
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
		f.add(cmd.ProcessState)
	}
	f.elapsed = time.Since(began)
	return f, nil
}

// group is a control group of Linux that limits processor time.
type group string

var errNoGroups = errors.New("control groups of Linux cannot be made here; it takes the superuser")

const period = 100_000 // µs, the kernel's default

// newGroup makes a group of version 2 or, where the machine has that, 1.
func newGroup(name string) (group, error) {
	for _, v := range []struct{ root, file, text string }{
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", strconv.Itoa(int(share * period))},
		{"/sys/fs/cgroup", "cpu.max", fmt.Sprintf("%d %d", int(share*period), period)},
	} {
		dir := filepath.Join(v.root, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, v.file), []byte(v.text), 0o600) == nil {
			return group(dir), nil
		}
		_ = os.Remove(dir)
	}
	return "", errNoGroups
}

func (g group) hold(pid int) error {
	return os.WriteFile(filepath.Join(string(g), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600)
}

func (g group) remove() { _ = os.Remove(string(g)) }
