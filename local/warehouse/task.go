package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
