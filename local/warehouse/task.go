package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// taskDef is a task: SQL that runs by the clock, or after other tasks of its graph.
type taskDef struct {
	Warehouse string   `json:"warehouse,omitempty"` // "" is serverless
	Schedule  string   `json:"schedule,omitempty"`
	After     []string `json:"after,omitempty"` // full names, as SHOW TASKS writes them
	SQL       string   `json:"sql"`
	Started   bool     `json:"started,omitempty"`
}

type createTask struct {
	head
	def     taskDef
	after   []objName
	comment string
}

func parseCreateTask(p *parser, h head) (statement, error) {
	st := &createTask{head: h}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("COMMENT", &st.comment)
	if err := setSchedule(&st.def, &opts); err != nil {
		return nil, err
	}
	if err := opts.refuseRest("TASK"); err != nil {
		return nil, err
	}
	if p.accept("AFTER") {
		if st.after, err = p.names(); err != nil {
			return nil, err
		}
	}
	if st.def.SQL, err = p.taskSQL(); err != nil {
		return nil, err
	}
	if st.after != nil && st.def.Schedule != "" {
		return nil, errInvalid("a task has SCHEDULE or AFTER, not both")
	}
	return st, nil
}

func (p *parser) names() (out []objName, err error) {
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		if out = append(out, n); !p.accept(",") {
			return out, nil
		}
	}
}

// taskSQL reads AS and one statement, which has to be one that can run here.
func (p *parser) taskSQL() (string, error) {
	if p.word(0, "WHEN") {
		return "", errUnsupported("WHEN of a task")
	}
	if err := p.expect("AS"); err != nil {
		return "", err
	}
	if p.word(0, "BEGIN") || p.word(0, "DECLARE") {
		return "", errUnsupported("Snowflake Scripting in a task")
	}
	sql := p.rest()
	if sql == "" {
		return "", errSyntax(p.peek())
	}
	_, err := parseStatement(sql)
	return sql, err
}

// setSchedule takes WAREHOUSE and SCHEDULE.
func setSchedule(def *taskDef, opts *options) error {
	if v, ok := opts.take("WAREHOUSE"); ok {
		def.Warehouse = nameOf(v.text)
	}
	if opts.takeString("SCHEDULE", &def.Schedule) {
		if _, err := parseSchedule(def.Schedule); err != nil {
			return errInvalid("invalid value [%s] for parameter 'SCHEDULE': %v", def.Schedule, err)
		}
	}
	return nil
}

func (st *createTask) run(ctx context.Context, s *session) (*result, error) {
	def := st.def
	return s.createObject(ctx, st.head, &object{Task: &def, Comment: st.comment}, func(*ddlTx) error {
		if def.Warehouse != "" {
			if err := s.w.hasWarehouse(def.Warehouse); err != nil {
				return err
			}
		}
		var err error
		def.After, err = s.predecessors(nil, st.after)
		return err
	})
}

// predecessors adds tasks to a list of full names. The root of their graph must be suspended.
func (s *session) predecessors(list []string, add []objName) ([]string, error) {
	list = slices.Clone(list)
	for _, n := range add {
		t, err := s.mustFind(n, kindTask)
		if err != nil {
			return nil, err
		}
		if err := s.w.graphSuspended(t); err != nil {
			return nil, err
		}
		if name := taskName(t); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, nil
}

func taskName(o *object) string { return quotedName(objName{o.DB, o.Schema, o.Name}) }

func (w *Warehouse) task(name string) *object {
	n, err := parseName(name)
	if err != nil || len(n) != 3 {
		return nil
	}
	return w.cat.get(keyOf(kindTask, n[0], n[1], n[2]))
}

// roots are the tasks without predecessors that lead to one, itself if it has none.
func (w *Warehouse) roots(o *object, depth int) (out []*object) {
	if len(o.Task.After) == 0 || depth > 100 {
		return []*object{o}
	}
	for _, name := range o.Task.After {
		if before := w.task(name); before != nil {
			out = append(out, w.roots(before, depth+1)...)
		}
	}
	return out
}

func (w *Warehouse) graphSuspended(o *object) error {
	for _, root := range w.roots(o, 0) {
		if root.Task.Started {
			return compileError("091421", "55000", "Unable to update graph with root task %s since that root task is not suspended.", root.full())
		}
	}
	return nil
}

func parseAlterTask(p *parser, st *alterStmt) (statement, error) {
	change := func(f func(*session, *ddlTx, *taskDef, *object) error) {
		st.change = func(_ context.Context, s *session, d *ddlTx, o *object) error {
			def := *o.Task
			if err := f(s, d, &def, o); err != nil {
				return err
			}
			o.Task = &def
			return nil
		}
	}
	suspended := func(f func(*session, *ddlTx, *taskDef, *object) error) {
		change(func(s *session, d *ddlTx, def *taskDef, o *object) error {
			if err := s.w.graphSuspended(o); err != nil {
				return err
			}
			return f(s, d, def, o)
		})
	}
	switch {
	case p.accept("RESUME"):
		change(func(_ *session, _ *ddlTx, def *taskDef, _ *object) error {
			if def.Schedule == "" && len(def.After) == 0 {
				return errInvalid("a task without SCHEDULE and AFTER cannot be resumed: EXECUTE TASK runs it")
			}
			def.Started = true
			return nil
		})
	case p.accept("SUSPEND"):
		change(func(_ *session, _ *ddlTx, def *taskDef, _ *object) error { def.Started = false; return nil })
	case p.accept("MODIFY"):
		sql, err := p.taskSQL()
		if err != nil {
			return nil, err
		}
		suspended(func(_ *session, _ *ddlTx, def *taskDef, _ *object) error { def.SQL = sql; return nil })
	case p.accept("ADD", "AFTER"):
		names, err := p.names()
		if err != nil {
			return nil, err
		}
		suspended(func(s *session, _ *ddlTx, def *taskDef, _ *object) (err error) {
			if def.Schedule != "" {
				return errInvalid("a task has SCHEDULE or AFTER, not both")
			}
			def.After, err = s.predecessors(def.After, names)
			return err
		})
	case p.accept("REMOVE", "AFTER"):
		names, err := p.names()
		if err != nil {
			return nil, err
		}
		suspended(func(s *session, _ *ddlTx, def *taskDef, _ *object) error {
			for _, n := range names {
				k, err := qualify(n, kindTask, s.db, s.schema)
				if err != nil {
					return err
				}
				gone := quotedName(objName{k.db, k.schema, k.name})
				def.After = slices.DeleteFunc(slices.Clone(def.After), func(a string) bool { return a == gone })
			}
			return nil
		})
	case p.accept("UNSET", "SCHEDULE"):
		suspended(func(_ *session, _ *ddlTx, def *taskDef, _ *object) error { def.Schedule = ""; return nil })
	case p.accept("UNSET", "WAREHOUSE"):
		suspended(func(_ *session, _ *ddlTx, def *taskDef, _ *object) error { def.Warehouse = ""; return nil })
	case p.accept("SET"):
		opts, err := p.parseOptions()
		if err != nil {
			return nil, err
		}
		if len(opts) == 0 {
			return nil, errSyntax(p.peek())
		}
		suspended(func(s *session, d *ddlTx, def *taskDef, o *object) error {
			opts := append(options(nil), opts...)
			opts.takeString("COMMENT", &o.Comment)
			if err := setSchedule(def, &opts); err != nil {
				return err
			}
			if def.Warehouse != "" {
				if err := s.w.hasWarehouse(def.Warehouse); err != nil {
					return err
				}
			}
			if def.Schedule != "" && len(def.After) > 0 {
				return errInvalid("a task has SCHEDULE or AFTER, not both")
			}
			return opts.refuseRest("TASK")
		})
	default:
		return nil, errUnsupported("ALTER TASK … %s", p.peek().Value)
	}
	return st, p.end()
}

func (s *session) taskRow(o *object) []any {
	def := o.Task
	state := "suspended"
	if def.Started {
		state = "started"
	}
	after, _ := json.Marshal(append([]string{}, def.After...))
	return []any{o.Created, o.Name, fmt.Sprintf("%08d", o.ID), o.DB, o.Schema, o.Owner, o.Comment, null(def.Warehouse), null(def.Schedule), string(after), state, def.SQL, nil,
		"false", "null", nil, nil, "ROLE", nil, nil, `{"Predecessors":` + string(after) + `}`, nil}
}

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
	if _, err = st.run(ctx, s); err != nil {
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
	length := map[string]time.Duration{"SECOND": time.Second, "S": time.Second, "MINUTE": time.Minute, "M": time.Minute, "HOUR": time.Hour, "H": time.Hour}[strings.TrimSuffix(unit, "S")]
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
