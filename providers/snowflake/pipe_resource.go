package snowflake

import (
	"context"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// pipeResource is the resource of pipes, which stop for good when what they name is dropped or moved.
type pipeResource struct{ *holder }

// Suffers implements providers.Dependent. A pipe holds on to the very objects that it was made with (Snowflake: "CREATE
// PIPE", usage notes), so one of the same name does not revive it.
func (r *pipeResource) Suffers(v cty.Value, changes []providers.RefChange) spec.Verdict {
	for _, c := range changes {
		why := ""
		switch {
		case c.Replaced && c.Kind == Stage.Name:
			why = "its stage is replaced, which stops it for good (STOPPED_STAGE_DROPPED)"
		case c.Replaced && c.Kind == FileFormat.Name:
			why = "its file format is replaced, which stops it for good (STOPPED_FILE_FORMAT_DROPPED)"
		case c.Replaced && c.Kind == NotificationIntegration.Name:
			why = "its integration is replaced, and a pipe keeps the one that it was made with"
		case c.Replaced && c.Kind == Table.Name:
			why = "its table is replaced, and a pipe keeps the one that it was made with"
		case c.Kind == Stage.Name && objectOf(c.Before).differs(objectOf(c.After), "url"):
			why = "its stage moves, which stops it for good (STOPPED_STAGE_ALTERED)"
		}
		if why != "" {
			return spec.Verdict{Act: spec.Replace, Why: why}
		}
	}
	return r.holder.Suffers(v, changes)
}

// Create implements providers.Resource. A pipe that is made again loads what came since the old one was paused.
func (r *pipeResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	out := r.holder.Create(ctx, changes)
	for i := range out {
		if out[i].Err != nil && unbound(out[i].Err) {
			out[i].Err = r.awaitConsent(ctx, objectOf(changes[i].After), out[i].Err)
		}
	}
	return r.finishAll(ctx, changes, out)
}

// Update implements providers.Resource. It also does what an interrupted Create has left.
func (r *pipeResource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.finishAll(ctx, changes, r.holder.Update(ctx, changes))
}

func (r *pipeResource) finishAll(ctx context.Context, changes []providers.Change, out []providers.Result) []providers.Result {
	for i := range out {
		if out[i].Err != nil || out[i].State == cty.NilVal {
			continue
		}
		n, err := ParseName(changes[i].ID)
		if err == nil {
			err = r.finish(ctx, n)
		}
		if err != nil {
			out[i].Err = wrap(err, "load what came while %s %s was made again", r.kind.spec.Name, changes[i].ID)
			continue
		}
		state := objectOf(out[i].State)
		state["unfinished"] = text("")
		out[i].State = cty.ObjectVal(state)
	}
	return out
}

// Delete implements providers.Resource. Files that a running pipe has been told of and not loaded yet would be
// lost with it, so they are waited for; a paused or stopped pipe goes at once.
func (r *pipeResource) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		n, err := ParseName(c.ID)
		if err == nil {
			err = r.retire(ctx, n, c.Replaced)
		}
		if err != nil {
			return providers.Result{Err: wrap(err, "delete %s %s", r.kind.spec.Name, c.ID)}
		}
		return r.holder.Delete(ctx, []providers.Change{c})[0]
	})
}

// shown gives the row of SHOW PIPES, nil where there is no such pipe.
func (r *pipeResource) shown(ctx context.Context, n Name) (row, error) {
	return r.p.show(ctx, "PIPES", n)
}

// show gives the row of SHOW for one object in a schema, nil where there is no such object.
func (p *Provider) show(ctx context.Context, plural string, n Name) (row, error) {
	rows, err := p.client.query(ctx, "SHOW "+plural+" IN SCHEMA "+n.Parent().SQL())
	if notFound(err) {
		return nil, nil
	}
	for _, shown := range rows {
		if shown["name"] == string(n.Last()) {
			return shown, nil
		}
	}
	return nil, err
}

// free says which pipes stand on an object that is about to be replaced or moved. Those that the apply makes again are removed by
// then, so these are somebody else's, or not among the targets, and would stop for good.
func (r *resource) free(ctx context.Context, n Name) error {
	if r.kind.carries == nil {
		return nil
	}
	rows, err := r.p.client.query(ctx, "SHOW PIPES IN ACCOUNT")
	if err != nil {
		return err
	}
	var on []string
	for _, shown := range rows {
		schema := Name{Ident(shown["database_name"]), Ident(shown["schema_name"])}
		c, err := parseCopy(shown["definition"], schema)
		if err != nil {
			c = copyInto{} // a statement that mkt cannot say; it may still name an integration
		}
		carried, err := r.kind.carries(ctx, r.p, n, shown, c)
		if err != nil {
			return err
		}
		if carried {
			on = append(on, append(schema, Ident(shown["name"])).String())
		}
	}
	if on == nil {
		return nil
	}
	return &providers.Error{Code: providers.Conflict, Err: fmt.Errorf("pipes stand on it that this apply does not make again, and they would stop for good: %s", strings.Join(on, ", ")),
		Hint: "Have them dropped first, or bring them into the stack with `mkt import`, and apply without -target: then mkt makes them again in the same apply."}
}

// unbound says whether CREATE PIPE failed because Snowflake cannot read the integration's queue. Snowflake documents no
// number for it, so here alone the text decides: `Pipe Notifications bind failure "Internal error, could not locate queue"`.
func unbound(err error) bool { return strings.Contains(err.Error(), "Pipe Notifications bind failure") }

// awaitConsent turns that failure into one that waits for a person, where the integration itself is all right.
func (r *pipeResource) awaitConsent(ctx context.Context, pipe object, cause error) error {
	if !pipe.boolean("auto_ingest") || !pipe.set("integration") {
		return cause
	}
	rows, err := r.p.client.query(ctx, "DESCRIBE INTEGRATION "+pipe.name("integration").SQL())
	v := properties(rows, "")
	if err != nil || v["AZURE_CONSENT_URL"] == "" || !truth(v["ENABLED"]) {
		return cause
	}
	// Snowflake: "Automating Snowpipe for Microsoft Azure Blob Storage", granting Snowflake access to the storage queue.
	principal, _, _ := strings.Cut(v["AZURE_MULTI_TENANT_APP_NAME"], "_")
	return &providers.Error{Code: providers.Waiting,
		Err: fmt.Errorf("Snowflake may not read the queue %s yet", v["AZURE_STORAGE_QUEUE_PRIMARY_URI"]), //nolint:staticcheck // a name
		Steps: []string{
			fmt.Sprintf("As an administrator of the Azure tenant %s, open %s and accept.", v["AZURE_TENANT_ID"], v["AZURE_CONSENT_URL"]),
			fmt.Sprintf("Give the service principal of %s (search for %q) the role Storage Queue Data Contributor on the queue %s. It can take an hour after the consent until Azure knows the principal.",
				v["AZURE_MULTI_TENANT_APP_NAME"], principal, v["AZURE_STORAGE_QUEUE_PRIMARY_URI"]),
			"Run `mkt apply` again. If both is done already, look whether the queue exists under that URL.",
		}}
}
