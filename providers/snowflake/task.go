package snowflake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Task describes snowflake_task.
var Task = &spec.Kind{
	Name: "snowflake_task", System: System,
	Doc: "SQL that Snowflake runs by the clock, or after other tasks. Snowflake changes nothing in a graph of tasks while its first task is started, so mkt " +
		"suspends that one for the moment and starts it again.\n\nRunning tasks needs the privilege `EXECUTE TASK` on the account, or without a warehouse `EXECUTE MANAGED TASK`: " +
		"see [snowflake_grant](snowflake_grant.md). `WHEN` and settings of sessions are not described; a task that has some keeps them.",
	Example: `snowflake_task "daily" {
  schema    = "MARKET.RAW"
  warehouse = "COMPUTE_WH"
  schedule  = "USING CRON 0 6 * * * UTC"
  sql       = "INSERT INTO MARKET.RAW.DAILY SELECT Date, AVG(Close) FROM MARKET.RAW.PRICES GROUP BY Date"
}

snowflake_task "clean" {
  schema    = "MARKET.RAW"
  warehouse = "COMPUTE_WH"
  after     = [snowflake_task.daily.qualified_name]
  sql       = "TRUNCATE TABLE MARKET.RAW.PRICES"
}
`,
	ID: idOf("schema"),
	Attrs: append(nameAttrs("Name of the task.", "schema", "Schema that holds the task.", "snowflake_schema"),
		spec.Attr{Name: "warehouse", Type: cty.String, Refs: []string{"snowflake_warehouse"}, Check: checkName(1), Norm: normName, Change: spec.Updated,
			Doc: "The warehouse that runs it; without one Snowflake finds something (serverless)."},
		spec.Attr{Name: "schedule", Type: cty.String, Check: checkSchedule, Norm: normSchedule, Change: spec.Updated, Doc: "When it runs: `5 MINUTES`, or `USING CRON 0 9 * * MON-FRI Europe/Berlin`."},
		spec.Attr{Name: "after", Type: cty.Set(cty.String), Default: cty.SetValEmpty(cty.String), Check: checkAfter, Norm: normAfter, Change: spec.Updated,
			Doc: "The tasks of the same schema that it runs after, by their full names, in place of a schedule."},
		spec.Attr{Name: "sql", Type: cty.String, Required: true, Doc: "The statement.", Norm: normQuery, Change: func(before, after cty.Value) spec.Verdict {
			return changeQuery(before, after, spec.Verdict{Act: spec.InPlace})
		}},
		spec.Attr{Name: "started", Type: cty.Bool, Default: cty.True, Doc: "Whether it runs. One that is not is suspended.", Change: spec.Updated},
		commentAttr(),
	),
	Check: checkTask,
}

func checkTask(v cty.Value) []spec.Problem {
	o := objectOf(v)
	after := o["after"]
	given := after.IsKnown() && !after.IsNull() && after.LengthInt() > 0
	switch {
	case given && o.set("schedule"):
		return []spec.Problem{{Path: cty.GetAttrPath("after"), Summary: "Task with two causes", Detail: "A task runs by a schedule or after others, and this one has both. Take one out."}}
	case after.IsKnown() && !given && o["schedule"].IsNull() && o.boolean("started"):
		return []spec.Problem{{Summary: "Task that never runs", Detail: "Set schedule or after; or started = false, for a task that EXECUTE TASK alone runs."}}
	}
	return nil
}

func checkSchedule(v cty.Value) error {
	words := strings.Fields(v.AsString())
	if len(words) > 1 && strings.EqualFold(words[0], "USING") && strings.EqualFold(words[1], "CRON") {
		if len(words) != 8 {
			return fmt.Errorf("%q is no schedule: after USING CRON come minute, hour, day of the month, month, day of the week and a time zone, as in USING CRON 0 9 * * MON UTC", v.AsString())
		}
		return nil
	}
	_, unit, length, ok := parseInterval(v.AsString())
	if !ok || unit == "day" || length < 10*time.Second || length > 11520*time.Minute {
		return fmt.Errorf("%q is no schedule: write \"5 MINUTES\", from 10 seconds to 8 days, or \"USING CRON 0 9 * * MON UTC\"", v.AsString())
	}
	return nil
}

// normSchedule writes a schedule in one spelling: Snowflake keeps that which it was given.
func normSchedule(v cty.Value) cty.Value {
	words := strings.Fields(v.AsString())
	if len(words) == 8 {
		for i := range words[:7] {
			words[i] = strings.ToUpper(words[i])
		}
		return text(strings.Join(words, " "))
	}
	n, unit, _, ok := parseInterval(v.AsString())
	if !ok {
		return v
	}
	if n != 1 {
		unit += "s"
	}
	return text(strconv.Itoa(n) + " " + strings.ToUpper(unit))
}

func checkAfter(v cty.Value) error {
	for _, e := range v.AsValueSlice() {
		if e.IsKnown() && !e.IsNull() {
			if err := checkName(3)(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func normAfter(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsWhollyKnown() || v.LengthInt() == 0 {
		return v
	}
	var out []cty.Value
	for _, e := range v.AsValueSlice() {
		out = append(out, normName(e))
	}
	return cty.SetVal(out)
}

var taskKind = &kind{spec: Task, noun: "TASK", plural: "TASKS", parent: "schema",
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		o := object{"warehouse": cty.NullVal(cty.String), "schedule": orNull(r["schedule"]), "after": cty.SetValEmpty(cty.String),
			"sql": text(r["definition"]), "started": cty.BoolVal(r["state"] == "started")}
		if r["warehouse"] != "" {
			o["warehouse"] = text(Ident(r["warehouse"]).String())
		}
		var after []cty.Value
		for _, n := range predecessors(r) {
			after = append(after, text(n.String()))
		}
		if after != nil {
			o["after"] = cty.SetVal(after)
		}
		return o, nil
	},
	create: func(n Name, o object) []string {
		s := "CREATE TASK " + n.SQL()
		if o.set("warehouse") {
			s += " WAREHOUSE = " + o.name("warehouse").SQL()
		}
		if o.set("schedule") {
			s += " SCHEDULE = " + literal(o.str("schedule"))
		}
		s += setComment(o)
		if after := afterOf(o); len(after) > 0 {
			s += " AFTER " + sqlNames(after)
		}
		out := []string{s + " AS\n" + o.str("sql")}
		if o.boolean("started") { // a new task is suspended
			out = append(out, "ALTER TASK "+n.SQL()+" RESUME")
		}
		return out
	},
	update: func(n Name, before, after object) []string {
		k := &kind{noun: "TASK"}
		var out, set []string
		if before.differs(after, "after") {
			gone, come := without(afterOf(before), afterOf(after)), without(afterOf(after), afterOf(before))
			if len(gone) > 0 {
				out = append(out, k.alter(n, "REMOVE AFTER "+sqlNames(gone)))
			}
			if before.set("schedule") && !after.set("schedule") {
				out = append(out, k.alter(n, "UNSET SCHEDULE"))
			}
			if len(come) > 0 {
				out = append(out, k.alter(n, "ADD AFTER "+sqlNames(come)))
			}
		} else if before.set("schedule") && !after.set("schedule") {
			out = append(out, k.alter(n, "UNSET SCHEDULE"))
		}
		if before.differs(after, "warehouse") && !after.set("warehouse") {
			out = append(out, k.alter(n, "UNSET WAREHOUSE"))
		} else if before.differs(after, "warehouse") {
			set = append(set, "WAREHOUSE = "+after.name("warehouse").SQL())
		}
		if before.differs(after, "schedule") && after.set("schedule") {
			set = append(set, "SCHEDULE = "+literal(after.str("schedule")))
		}
		for _, s := range set {
			out = append(out, k.alter(n, "SET "+s))
		}
		out = append(out, k.alterComment(n, before, after)...)
		if before.differs(after, "sql") {
			out = append(out, k.alter(n, "MODIFY AS\n"+after.str("sql")))
		}
		if before.boolean("started") && (len(out) > 0 || !after.boolean("started")) {
			out = append([]string{k.alter(n, "SUSPEND")}, out...)
		}
		if after.boolean("started") && (len(out) > 0 || !before.boolean("started")) {
			out = append(out, k.alter(n, "RESUME"))
		}
		return out
	},
}

// predecessors reads the column of SHOW TASKS, a list of full names (Snowflake: "SHOW TASKS").
func predecessors(r row) []Name {
	var list []string
	if json.Unmarshal([]byte(r["predecessors"]), &list) != nil {
		return nil
	}
	var out []Name
	for _, s := range list {
		if n, err := ParseName(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func afterOf(o object) []string {
	list := o.strings("after")
	slices.Sort(list)
	return list
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}

func sqlNames(list []string) string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if n, err := ParseName(s); err == nil {
			out = append(out, n.SQL())
		}
	}
	return strings.Join(out, ", ")
}

// taskResource is the resource of tasks. It changes one at a time, with the first tasks of its graph suspended meanwhile (Snowflake: "ALTER
// TASK", usage notes).
type taskResource struct {
	*resource
	one *sync.Mutex
}

// Create implements providers.Resource.
func (r *taskResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.each(ctx, changes, r.resource.Create)
}

// Update implements providers.Resource.
func (r *taskResource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.each(ctx, changes, r.resource.Update)
}

// Delete implements providers.Resource.
func (r *taskResource) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.each(ctx, changes, r.resource.Delete)
}

func (r *taskResource) each(ctx context.Context, changes []providers.Change, do func(context.Context, []providers.Change) []providers.Result) []providers.Result {
	r.one.Lock()
	defer r.one.Unlock()
	out := make([]providers.Result, len(changes))
	for i, c := range changes {
		roots, err := r.suspend(ctx, c)
		if err != nil {
			out[i] = providers.Result{State: c.Before, Private: c.Private, Err: wrap(err, "suspend the graph of snowflake_task %s", c.ID)}
		} else {
			out[i] = do(ctx, []providers.Change{c})[0]
		}
		for _, root := range roots { // also where the change failed
			if err := r.p.client.exec(ctx, "ALTER TASK "+root.SQL()+" RESUME"); err != nil && !notFound(err) && out[i].Err == nil {
				out[i].Err = wrap(err, "start task %s again", root)
			}
		}
	}
	return out
}

// suspend suspends the started tasks that the graphs of a task begin with, before and after a change, and returns those.
func (r *taskResource) suspend(ctx context.Context, c providers.Change) (suspended []Name, err error) {
	next := append(afterOf(objectOf(c.Before)), afterOf(objectOf(c.After))...)
	seen := map[string]bool{c.ID: true}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		n, perr := ParseName(id)
		if perr != nil || seen[id] {
			continue
		}
		seen[id] = true
		shown, err := r.p.show(ctx, "TASKS", n)
		if err != nil {
			return suspended, err
		}
		before := predecessors(shown)
		for _, b := range before {
			next = append(next, b.String())
		}
		if len(before) > 0 || shown == nil || shown["state"] != "started" {
			continue
		}
		if err := r.p.client.exec(ctx, "ALTER TASK "+n.SQL()+" SUSPEND"); err != nil {
			return suspended, err
		}
		suspended = append(suspended, n)
	}
	return suspended, nil
}
