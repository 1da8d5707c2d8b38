package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// executeTask is EXECUTE TASK: the task runs now, whether it is started or not, and then the started ones after it.
type executeTask struct{ name objName }

func parseExecuteTask(p *parser) (statement, error) {
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	if p.word(0, "RETRY") {
		return nil, errUnsupported("EXECUTE TASK … RETRY LAST")
	}
	return &executeTask{n}, p.end()
}

func (st *executeTask) run(ctx context.Context, s *session) (*result, error) {
	o, err := s.mustFind(st.name, kindTask)
	if err != nil {
		return nil, err
	}
	if len(o.Task.After) > 0 {
		return nil, errInvalid("task %s is not the root of its graph", o.full())
	}
	s.w.runGraph(ctx, o)
	return status("Task %s is scheduled to run immediately.", o.Name), nil
}

// runGraph runs a root task and the started tasks of its graph, each after those before it. One that fails keeps those after it from running.
func (w *Warehouse) runGraph(ctx context.Context, root *object) {
	if err := w.runTask(ctx, root); err != nil {
		w.log.Warn("task failed", "task", root.full(), "err", err)
		return
	}
	done := map[string]bool{taskName(root): true}
	tried := map[string]bool{}
	for again := true; again; {
		again = false
		for _, o := range w.cat.list(kindTask, func(o *object) bool { return o.Task.Started && len(o.Task.After) > 0 }) {
			name := taskName(o)
			if tried[name] || slices.ContainsFunc(o.Task.After, func(a string) bool { return !done[a] }) {
				continue
			}
			tried[name], again = true, true
			if err := w.runTask(ctx, o); err != nil {
				w.log.Warn("task failed", "task", o.full(), "err", err)
				continue
			}
			done[name] = true
		}
	}
}

// runTask runs a task's statement in a session of its own.
func (w *Warehouse) runTask(ctx context.Context, o *object) error {
	s := &session{w: w, token: randomToken(), user: "SYSTEM", used: w.now(), role: o.Owner, wh: o.Task.Warehouse, db: o.DB, schema: o.Schema,
		params: map[string]string{}, queries: map[string]*query{}, aborted: map[string]bool{}}
	defer s.close()
	st, err := parseStatement(o.Task.SQL)
	if err != nil {
		return err
	}
	if sel, ok := st.(*selectStmt); ok {
		sel.id, sel.json = newQueryID(), true
	}
	if _, err = s.runStatement(ctx, st); err != nil {
		return mapError(err)
	}
	return nil
}

// schedule says when a task runs next.
type schedule interface {
	next(after time.Time) time.Time
}

type every time.Duration

func (e every) next(after time.Time) time.Time { return after.Add(time.Duration(e)) }

// parseSchedule reads SCHEDULE of a task (Snowflake: "CREATE TASK").
func parseSchedule(s string) (schedule, error) {
	words := strings.Fields(strings.ToUpper(s))
	if len(words) >= 2 && words[0] == "USING" && words[1] == "CRON" {
		return parseCron(strings.Fields(s)[2:])
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(strings.ToUpper(s), "%d %s", &n, &unit); err != nil || len(words) != 2 {
		return nil, fmt.Errorf("write 'N MINUTES' or 'USING CRON …'")
	}
	length := map[string]time.Duration{"SECOND": time.Second, "MINUTE": time.Minute, "M": time.Minute, "HOUR": time.Hour, "H": time.Hour}[strings.TrimSuffix(unit, "S")]
	if unit == "S" {
		length = time.Second
	}
	d := time.Duration(n) * length
	if d < 10*time.Second || d > 11520*time.Minute {
		return nil, fmt.Errorf("an interval is from 10 seconds to 11520 minutes")
	}
	return every(d), nil
}

// runTasks runs the tasks that are due, until the warehouse closes. When one is due next is counted from when it was seen first.
func (w *Warehouse) runTasks() {
	due := map[int64]dueTask{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-tick.C:
			w.runDue(w.ctx, due, w.now())
		}
	}
}

// dueTask is when a task runs next, by the schedule that it had when that was told.
type dueTask struct {
	schedule string
	at       time.Time
}

// runDue runs what is due, and sets when each started root task runs next.
func (w *Warehouse) runDue(ctx context.Context, due map[int64]dueTask, now time.Time) {
	started := w.cat.list(kindTask, func(o *object) bool { return o.Task.Started && o.Task.Schedule != "" })
	seen := map[int64]bool{}
	for _, o := range started {
		seen[o.ID] = true
		plan, err := parseSchedule(o.Task.Schedule)
		if err != nil {
			continue // refused when it was set
		}
		next, known := due[o.ID]
		switch {
		case !known || next.schedule != o.Task.Schedule:
			due[o.ID] = dueTask{o.Task.Schedule, plan.next(now)}
		case !now.Before(next.at):
			due[o.ID] = dueTask{o.Task.Schedule, plan.next(now)} // one run for all that were missed
			w.runGraph(ctx, o)
		}
	}
	for id := range due {
		if !seen[id] {
			delete(due, id)
		}
	}
}
