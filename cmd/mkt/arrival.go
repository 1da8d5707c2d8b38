package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/providers/snowflake"
	"mkt/render"
	"mkt/stream"
)

const (
	arrivalPoll = 500 * time.Millisecond
	// pipeMemory is how long a pipe remembers what it loaded (Snowflake: "CREATE PIPE", usage notes).
	pipeMemory = 14 * 24 * time.Hour
)

// pipe is an auto-ingest pipe of the stack, as it is now.
type pipe struct {
	name      string // of the pipe, qualified
	table     string // likewise
	container string // URL
	path      string // folder that it loads from, "kafka-messages/"
	copy      cty.Value
	match     string // how keys find columns: CASE_INSENSITIVE, CASE_SENSITIVE or NONE

	stage      string    // that it loads from, qualified
	sasExpires time.Time // when the stage's token ends; zero if it has none
}

// pipes returns the stack's pipes that exist.
func (s *session) pipes(ctx context.Context) ([]pipe, error) {
	found, diags, err := s.findPipes(ctx)
	if err != nil {
		return nil, err
	}
	return found, s.c.report(diags, s.stack.Files)
}

// findPipes is pipes for where nothing may be printed. With errors among the diagnostics there are no pipes.
func (s *session) findPipes(ctx context.Context) ([]pipe, hcl.Diagnostics, error) {
	owned, err := s.ledger(ctx)
	if err != nil {
		return nil, nil, err
	}
	in := planner.Input{Stack: s.stack, Ledger: owned, Parallelism: s.c.parallelism, Providers: s.providerFunc(ctx)}
	for _, b := range s.stack.Blocks() {
		if b.Kind == snowflake.Pipe {
			in.Targets = append(in.Targets, b.Addr)
		}
	}
	if len(in.Targets) == 0 {
		return nil, nil, nil
	}
	p, diags := planner.New(ctx, in)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	stages := map[string]cty.Value{}
	for _, c := range p.Changes {
		if c.Kind == snowflake.Stage && c.Before != cty.NilVal {
			stages[c.ID] = c.Before
		}
	}
	var out []pipe
	for _, c := range p.Changes {
		if c.Kind != snowflake.Pipe || c.Before == cty.NilVal {
			continue
		}
		copy := c.Before.GetAttr("copy")
		stage, ok := stages[text(copy, "from")]
		if ok && c.Before.GetAttr("auto_ingest").True() {
			expires, _ := time.Parse(time.RFC3339, text(stage, "sas_expires_at"))
			out = append(out, pipe{
				stage: text(copy, "from"), sasExpires: expires,
				name: c.ID, table: text(copy, "into"), container: text(stage, "container"),
				path: text(stage, "path") + text(copy, "path"), copy: copy, match: text(copy, "match_by_column_name"),
			})
		}
	}
	return out, diags, nil
}

// loads reports whether the pipe's stage covers the consumer's files.
func (p pipe) loads(c stream.Consumer) bool {
	return p.container == c.ContainerURL && strings.HasPrefix(c.Prefix, p.path)
}

// awaitArrival waits until the pipes have loaded the consumers' files, or have said that they will not.
func (s *session) awaitArrival(ctx context.Context, consumers []stream.Consumer) error {
	pipes, err := s.pipes(ctx)
	if err != nil {
		return err
	}
	var waits []wait
	for _, c := range consumers {
		for _, p := range pipes {
			if p.loads(c) {
				waits = append(waits, wait{c, p})
			}
		}
	}
	if len(waits) == 0 {
		return nil
	}
	conn, err := s.snowflake(ctx)
	if err != nil {
		return err
	}
	db, err := conn.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, w := range waits {
		if err := s.await(ctx, db, w); err != nil {
			return err
		}
	}
	return nil
}

// wait is a consumer whose files a pipe loads.
type wait struct {
	consumer stream.Consumer
	pipe     pipe
}

// await polls until every file of the consumer is in the load history of the pipe's table.
func (s *session) await(ctx context.Context, db *sql.DB, w wait) error {
	client, err := s.container(w.consumer.ContainerURL)
	if err != nil {
		return err
	}
	files, err := listFiles(ctx, client, w.consumer.Prefix+w.consumer.Topic+"/", time.Now().Add(-pipeMemory))
	if err != nil {
		return fmt.Errorf("list the files of consumer %s: %w", w.consumer.Name, err)
	}
	for {
		loads, err := s.history(ctx, db, w.pipe.table)
		if err != nil && ctx.Err() == nil {
			return err
		}
		missing, failed := w.pipe.compare(files, loads)
		if err == nil && len(missing) == 0 {
			if err := s.c.showArrival(w.pipe, len(files)-len(failed)); err != nil {
				return err
			}
			if len(failed) > 0 {
				return fmt.Errorf("pipe %s refused %d of %d files, the first is %s: %s; mend the cause, and `mkt audit` shows the statement that loads them",
					w.pipe.name, len(failed), len(files), strings.TrimPrefix(failed[0].File, w.pipe.url(w.pipe.path)), failed[0].Problem)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("pipe %s has not loaded %d of %d files yet, the first is %s; `mkt status` shows its state, and running "+
					"`mkt stream` again goes on waiting", w.pipe.name, len(missing), len(files), missing[0])
			}
			return ctx.Err()
		case <-time.After(arrivalPoll):
		}
	}
}

// listFiles returns the names of the blobs under prefix that are younger than since.
func listFiles(ctx context.Context, client *container.Client, prefix string, since time.Time) ([]string, error) {
	var names []string
	err := eachFile(ctx, client, prefix, func(name string, modified time.Time) {
		if modified.IsZero() || modified.After(since) {
			names = append(names, name)
		}
	})
	return names, err
}

// eachFile goes through the blobs under prefix; modified is zero where the storage does not say.
func eachFile(ctx context.Context, client *container.Client, prefix string, f func(name string, modified time.Time)) error {
	pager := client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the files below %s: %w", prefix, err)
		}
		for _, b := range page.Segment.BlobItems {
			var modified time.Time
			if b.Properties.LastModified != nil {
				modified = *b.Properties.LastModified
			}
			f(*b.Name, modified)
		}
	}
	return nil
}

// compare returns which files are not in the load history, and which are there as failed. The files are named as in their container.
func (p pipe) compare(files []string, loads map[string]snowflake.Load) (missing []string, failed []snowflake.Load) {
	for _, f := range files {
		l, ok := loads[p.url(f)]
		switch {
		case !ok:
			missing = append(missing, f)
		case !l.Loaded():
			failed = append(failed, l)
		}
	}
	return missing, failed
}

// url names a file of the pipe's container as Snowflake does.
func (p pipe) url(file string) string { return fileURL(p.container, file) }

// history is what became of the files of the pipe's table in the last 14 days.
func (s *session) history(ctx context.Context, db *sql.DB, table string) (map[string]snowflake.Load, error) {
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	return snowflake.LoadHistory(ctx, db, s.notes, table)
}

func (c *cli) showArrival(p pipe, files int) error {
	if c.json {
		return render.ArrivalJSON(c.out, p.name, p.table, files)
	}
	c.view(c.out).Arrival(p.name, p.table, files)
	return nil
}
