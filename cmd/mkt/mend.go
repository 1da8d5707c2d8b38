package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"mkt/audit"
	"mkt/providers/snowflake"
	"mkt/stream"
)

// refreshReach is how far REFRESH reaches back (Snowflake: "ALTER PIPE", 7 days).
const refreshReach = 7 * 24 * time.Hour

// mostFiles is how many files one COPY INTO may name (Snowflake: "COPY INTO <table>", FILES).
const mostFiles = 1000

// noteUnloaded adds to what an audit says about tables the statements that mend lost events: each has one pipe load what
// one consumer wrote since its oldest file that the pipe's history does not have. What the history has is not loaded again. Files that
// a pipe refused are loaded by name.
func (s *session) noteUnloaded(ctx context.Context, db *sql.DB, consumers []stream.Consumer, report *audit.Report) error {
	pipes, err := s.pipes(ctx)
	if err != nil {
		return err
	}
	for _, p := range pipes {
		table, err := snowflake.ParseName(p.table)
		if err != nil {
			return err
		}
		for i := range report.Hops {
			h := &report.Hops[i]
			if h.Kind != audit.TableRows || h.Name != table.SQL() || h.Lost == 0 {
				continue
			}
			for _, c := range consumers {
				if !p.loads(c) {
					continue
				}
				note, err := s.unloaded(ctx, db, p, c)
				if err != nil {
					return err
				}
				if note != "" {
					h.Notes = append(h.Notes, note)
				}
			}
		}
	}
	return nil
}

// unloaded says which of a consumer's files a pipe does not know or has refused, and what loads them; "" if there are none.
func (s *session) unloaded(ctx context.Context, db *sql.DB, p pipe, c stream.Consumer) (string, error) {
	loads, err := s.history(ctx, db, p.table)
	if err != nil {
		return "", err
	}
	client, err := s.container(c.ContainerURL)
	if err != nil {
		return "", err
	}
	dir := c.Prefix + c.Topic + "/"
	missing, late := 0, 0
	var refused []string
	problem := ""
	var oldest time.Time
	err = eachFile(ctx, client, dir, func(name string, modified time.Time) {
		l, known := loads[p.url(name)]
		if l.Refused() && strings.HasPrefix(name, p.path) {
			if refused = append(refused, strings.TrimPrefix(name, p.path)); problem == "" {
				problem = l.Problem
			}
		}
		switch age := time.Since(modified); {
		case known || modified.IsZero() || age > pipeMemory:
		case age > refreshReach:
			late++
		default:
			if missing++; oldest.IsZero() || modified.Before(oldest) {
				oldest = modified
			}
		}
	})
	if err != nil {
		return "", fmt.Errorf("consumer %s: %w", c.Name, err)
	}
	var notes []string
	if missing > 0 {
		n, err := snowflake.ParseName(p.name)
		if err != nil {
			return "", err
		}
		notes = append(notes, fmt.Sprintf("pipe %s has not heard of %d files: their events are late or lost; this has it load them, and none twice: "+
			"ALTER PIPE %s REFRESH PREFIX = '%s' MODIFIED_AFTER = '%s'", p.name, missing, n.SQL(),
			strings.ReplaceAll(strings.TrimPrefix(dir, p.path), "'", "''"), oldest.Add(-time.Second).UTC().Format(time.RFC3339)))
	}
	if late > 0 {
		notes = append(notes, fmt.Sprintf("%d more are older than 7 days and out of reach of a REFRESH: COPY INTO %s loads them", late, p.table))
	}
	if len(refused) > 0 {
		notes = append(notes, fmt.Sprintf("pipe %s has refused %s, and never tries one again: %s; once the cause is mended, this loads them: %s",
			p.name, count(len(refused), "file"), problem, snowflake.CopyFiles(p.copy, refused[:min(len(refused), mostFiles)])))
		if len(refused) > mostFiles {
			notes = append(notes, "audit again for the rest")
		}
	}
	return strings.Join(notes, "; "), nil
}
