package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench runs the peers, each command in a directory of its own below work.
type bench struct {
	peers
	work string
	runs int
	slow bool
	dirs int
}

// cost is what one command took.
type cost struct {
	wall, cpu time.Duration
	rss       int64 // bytes, the largest of the process and its children
}

func (c cost) String() string {
	return fmt.Sprintf("%.2f s · %.2f CPU-s | %d MB", c.wall.Seconds(), c.cpu.Seconds(), c.rss>>20)
}

// row prints one line of the table. A nil peer was not measured.
func row(name string, mkt cost, peer *cost) {
	if peer == nil {
		fmt.Printf("| %s | %v | not run | |\n", name, mkt)
		return
	}
	fmt.Printf("| %s | %v | %v | %.0f× time, %.1f× memory |\n", name, mkt, peer, float64(peer.wall)/float64(mkt.wall), float64(peer.rss)/float64(mkt.rss))
}

// dir makes a directory that holds one file.
func (b *bench) dir(file, text string) (string, error) {
	b.dirs++
	dir := filepath.Join(b.work, fmt.Sprint(b.dirs))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644)
}

// once runs a command in dir. It fails with the command's output.
func once(ctx context.Context, dir string, env []string, name string, args ...string) (cost, string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	c := cost{wall: time.Since(start)}
	if err != nil {
		return c, string(out), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, tail(out))
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.rss = u.Maxrss << 10
	}
	return c, string(out), nil
}

// median runs a command b.runs times and returns the run with the median wall time. Each run's output must have the text.
func (b *bench) median(ctx context.Context, text, dir string, env []string, name string, args ...string) (cost, error) {
	var costs []cost
	for range b.runs {
		c, out, err := once(ctx, dir, env, name, args...)
		if err != nil {
			return cost{}, err
		}
		if !strings.Contains(out, text) {
			return cost{}, errors.New("a plan that should be empty is not:\n" + tail([]byte(out)))
		}
		costs = append(costs, c)
	}
	slices.SortFunc(costs, func(a, b cost) int { return int(a.wall - b.wall) })
	return costs[len(costs)/2], nil
}

func tail(out []byte) string {
	return string(out[max(0, len(out)-2000):])
}
