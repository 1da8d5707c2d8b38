package snowflake

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

const historyLost = "a pipe keeps what it was made with; it is drained, paused and made again, and its load history is kept beside the ledger so that no file is loaded twice"

// Pipe describes snowflake_pipe.
var Pipe = &spec.Kind{
	Name: "snowflake_pipe", System: System, HoldsData: true,
	Doc: "Loads files from a stage into a table as they arrive. A pipe that has stopped for good, because its stage or file format was dropped or moved, is replaced. " +
		"A replacement loses and doubles nothing: it waits until the pipe has loaded what is there, pauses it, keeps its load history beside the ledger, " +
		"makes the pipe again, and has it load just the files that came meanwhile.",
	Example: `snowflake_pipe "market" {
  schema      = "MARKET.RAW"
  auto_ingest = true
  integration = "AZURE"

  copy {
    into                 = "MARKET.RAW.PRICES"
    from                 = "MARKET.RAW.MARKET"
    file_format          = "MARKET.RAW.JSON"
    match_by_column_name = "CASE_INSENSITIVE"
  }
}
`,
	ID: idOf("schema"),
	Attrs: append(nameAttrs("Name of the pipe.", "schema", "Schema that holds the pipe.", "snowflake_schema"),
		spec.Attr{Name: "auto_ingest", Type: cty.Bool, Default: cty.False, Doc: "Whether events of the integration's queue start the loading.", Change: spec.Replaced(historyLost)},
		spec.Attr{Name: "integration", Type: cty.String, Refs: []string{"snowflake_notification_integration"}, Doc: "Notification integration with the events; needed with `auto_ingest`.",
			Check: checkName(1), Norm: normName, Change: spec.Replaced(historyLost)},
		spec.Attr{Name: "paused", Type: cty.Bool, Default: cty.False, Doc: "Whether loading rests. A pipe that rests for more than 14 days is stale.", Change: spec.Updated},
		spec.Attr{Name: "error_integration", Type: cty.String, Check: checkName(1), Norm: normName, Change: spec.Updated,
			Doc: "Notification integration, outbound, that tells an Event Grid topic of files that did not load. mkt does not make it: name one that exists."},
		spec.Attr{Name: "stopped", Type: cty.String, Computed: true, Doc: "Why the pipe can never load again, such as `STOPPED_STAGE_DROPPED`; empty while it can.",
			Change: func(before, _ cty.Value) spec.Verdict {
				if before.IsNull() || before.AsString() == "" {
					return spec.Verdict{Act: spec.Same}
				}
				return spec.Verdict{Act: spec.Replace, Why: "the pipe has stopped for good (" + before.AsString() + ") and only a new one loads again"}
			}},
		spec.Attr{Name: "unfinished", Type: cty.String, Computed: true, Doc: "What is left to do after the pipe was made again, where an apply was interrupted there; empty when nothing is.",
			Change: func(before, _ cty.Value) spec.Verdict {
				if before.IsNull() || before.AsString() == "" {
					return spec.Verdict{Act: spec.Same}
				}
				return spec.Verdict{Act: spec.InPlace, Why: before.AsString()}
			}},
		commentAttr(),
	),
	Blocks: []spec.Nested{{
		Name: "copy", Min: 1, Max: 1, Doc: "The COPY INTO statement that the pipe runs.", Attrs: copyAttrs, Change: copyChange,
	}},
	Check: func(v cty.Value) []spec.Problem {
		o := objectOf(v)
		if o.boolean("auto_ingest") && o["integration"].IsKnown() && o["integration"].IsNull() {
			return []spec.Problem{{Path: cty.GetAttrPath("auto_ingest"), Summary: "Integration missing",
				Detail: "With auto_ingest, a pipe on an Azure stage needs the notification integration whose queue has the events. Set integration."}}
		}
		if o.set("integration") {
			if n := o.name("integration"); n != nil && strings.ToUpper(string(n[0])) != string(n[0]) {
				return []spec.Problem{{Path: cty.GetAttrPath("integration"), Summary: "Integration name in lower case",
					Detail: fmt.Sprintf("A pipe names its integration in upper case, so it cannot use %s. Name the integration without double quotes.", n)}}
			}
		}
		return nil
	},
}

var pipeKind = &kind{spec: Pipe, noun: "PIPE", plural: "PIPES", parent: "schema",
	complete: func(o object) error {
		o["stopped"], o["unfinished"] = text(""), text("")
		return nil
	},
	read: readPipe,
	create: func(n Name, o object) []string {
		s := "CREATE PIPE " + n.SQL() + " AUTO_INGEST = " + boolean(o.boolean("auto_ingest"))
		if o.set("error_integration") {
			s += " ERROR_INTEGRATION = " + o.name("error_integration").SQL()
		}
		if o.set("integration") {
			s += " INTEGRATION = " + literal(string(o.name("integration").Last()))
		}
		out := []string{s + setComment(o) + " AS\n" + copyOf(o.block("copy")).SQL()}
		if o.boolean("paused") {
			out = append(out, setPaused(n, true))
		}
		return out
	},
	update: func(n Name, before, after object) []string {
		k := &kind{noun: "PIPE"}
		out := k.alterComment(n, before, after)
		if before.differs(after, "paused") {
			out = append(out, setPaused(n, after.boolean("paused")))
		}
		switch {
		case !before.differs(after, "error_integration"):
		case after.set("error_integration"):
			out = append(out, k.alter(n, "SET ERROR_INTEGRATION = "+after.name("error_integration").SQL()))
		default:
			out = append(out, k.alter(n, "UNSET ERROR_INTEGRATION"))
		}
		return out
	},
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		return "load history (mkt keeps a copy of it beside the ledger)", nil
	},
}

func setPaused(n Name, paused bool) string {
	return "ALTER PIPE " + n.SQL() + " SET PIPE_EXECUTION_PAUSED = " + boolean(paused)
}

func readPipe(ctx context.Context, p *Provider, n Name, r row, _ map[string]string) (object, error) {
	c, err := parseCopy(r["definition"], n.Parent())
	if err != nil {
		return nil, err
	}
	status, err := readStatus(ctx, p, n)
	if err != nil {
		return nil, err
	}
	state := status.State
	o := object{"copy": c.value(), "auto_ingest": cty.BoolVal(r["notification_channel"] != "" || r["integration"] != ""),
		"paused": cty.BoolVal(state == "PAUSED"), "stopped": text(""), "unfinished": text("")}
	if open, err := p.unfinished(ctx, c); err != nil {
		return nil, err
	} else if open {
		o["unfinished"] = text("the pipe was made again, and the files that came meanwhile are not loaded yet")
	}
	if name := r["integration"]; name != "" {
		o["integration"] = text(Ident(name).String())
	}
	if name := r["error_integration"]; name != "" {
		o["error_integration"] = text(Ident(name).String())
	}
	if strings.HasPrefix(state, "STOPPED_") && state != "STOPPED_CLONED" {
		o["stopped"] = text(state)
	}
	return o, nil
}

// pipeStatus is what SYSTEM$PIPE_STATUS tells, as far as it matters here.
type pipeStatus struct {
	State    string `json:"executionState"`
	Pending  int64  `json:"pendingFileCount"`
	Messages int64  `json:"numOutstandingMessagesOnChannel"`
}

func readStatus(ctx context.Context, p *Provider, n Name) (status pipeStatus, err error) {
	rows, err := p.client.query(ctx, "SELECT SYSTEM$PIPE_STATUS("+literal(n.SQL())+") AS STATUS")
	if err != nil {
		return status, err
	}
	for _, r := range rows {
		if err := json.Unmarshal([]byte(r["STATUS"]), &status); err != nil {
			return status, providers.Errorf(providers.Unknown, "read the pipe's status: %w", err)
		}
	}
	return status, nil
}
