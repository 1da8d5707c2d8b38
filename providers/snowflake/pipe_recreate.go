package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mkt/providers"
)

// A pipe is made again in steps, each of which may be the last of an apply:
//
//	settle   while it runs, wait until it has loaded all that is there
//	pause    so that what is loaded stays as it is
//	keep     write down the load history, which goes with the pipe, and that its folder is being worked on
//	drop     here ends Delete; Create begins with CREATE PIPE
//	refresh  tell the new pipe of the files that came meanwhile: those that the history does not have
//	close    write down that it is done
//
// Killed before keep there is the old pipe, paused at most. After it the note is open, and whoever makes or alters the pipe next
// refreshes it; a file is never in both the history and a refresh.

const (
	settleFor   = 2 * time.Minute
	settleEvery = 250 * time.Millisecond
	settleMost  = 5 * time.Second
	// refreshReach is how far REFRESH reaches back (Snowflake: "ALTER PIPE", 7 days), less an hour for clocks that differ.
	refreshReach = 7*24*time.Hour - time.Hour
)

// file is a file of a stage.
type file struct {
	url      string
	modified time.Time // whole seconds
}

// source is where a pipe loads from.
type source struct {
	copy   copyInto
	into   Name
	folder string // URL of the folder, with a slash at its end
	stage  string // URL of the stage, likewise
}

// source finds the folder of a pipe; ok is false where stage or statement do not tell.
func (p *Provider) source(ctx context.Context, c copyInto) (s source, ok bool, err error) {
	from, err := ParseName(c.from)
	if err != nil {
		return s, false, nil //nolint:nilerr // then there is nothing to find
	}
	shown, err := p.show(ctx, "STAGES", from)
	if err != nil || shown == nil || shown["url"] == "" {
		return s, false, err
	}
	into, err := ParseName(c.into)
	stage := strings.TrimSuffix(shown["url"], "/") + "/"
	return source{copy: c, into: into, stage: stage, folder: stage + c.path}, err == nil, err
}

// files lists what a pipe would load of a folder.
func (p *Provider) files(ctx context.Context, s source) ([]file, error) {
	from, err := ParseName(s.copy.from)
	if err != nil {
		return nil, err
	}
	q := "LIST @" + from.SQL() + "/" + s.copy.path
	if s.copy.pattern != "" {
		q += " PATTERN = " + literal(s.copy.pattern)
	}
	rows, err := p.client.query(ctx, q)
	if err != nil {
		return nil, wrap(err, "list the files of %s", s.copy.from)
	}
	out := make([]file, 0, len(rows))
	for _, r := range rows {
		at, err := time.Parse(time.RFC1123, r["last_modified"])
		if err != nil {
			at, err = time.Parse("Mon, 2 Jan 2006 15:04:05 GMT", r["last_modified"])
		}
		if err != nil {
			return nil, providers.Errorf(providers.Unknown, "list the files of %s: %q is no time", s.copy.from, r["last_modified"])
		}
		out = append(out, file{r["name"], at.UTC()})
	}
	return out, nil
}

// unloaded are the files since a time that a history does not have. Its answer is in the order of their times.
func unloaded(files []file, since time.Time, loads map[string]Load) (list []file) {
	for _, f := range files {
		if _, known := loads[f.url]; !known && !f.modified.Before(since.Truncate(time.Second)) {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b file) int { return a.modified.Compare(b.modified) })
	return list
}

// made is the created_on of a table, "" where there is none.
func (p *Provider) made(ctx context.Context, table Name) (string, error) {
	shown, err := p.show(ctx, "TABLES", table)
	return shown["created_on"], err
}

// retire settles and pauses a pipe that is about to go, and keeps its history. Where it is not made again, only what it has been
// told of is waited for, and a history that cannot be read is let go with it.
func (r *pipeResource) retire(ctx context.Context, n Name, again bool) error {
	shown, err := r.shown(ctx, n)
	if err != nil || shown == nil {
		return err
	}
	c, err := parseCopy(shown["definition"], n.Parent())
	known := err == nil
	var s source
	if known {
		if s, known, err = r.p.source(ctx, c); err != nil && again {
			return err
		}
	}
	deadline := r.p.opts.Now().Add(r.p.opts.Settle)
	for {
		paused, err := r.settle(ctx, n, s, timeOf(shown["created_on"]), known && again, deadline)
		if err != nil {
			return err
		}
		if !paused {
			break // it was not running
		}
		status, err := readStatus(ctx, r.p, n)
		if err != nil || status.Pending == 0 {
			if err != nil && !notFound(err) {
				return err
			}
			break
		}
		// Something came in between: it is loaded first.
		if err := r.p.client.exec(ctx, setPaused(n, false)); err != nil {
			return err
		}
	}
	if !known {
		return nil
	}
	if err := r.keep(ctx, s, timeOf(shown["created_on"]), again); err != nil && (again || ctx.Err() != nil) {
		return err
	}
	return nil
}

// settle waits until a running pipe has loaded all that is there, and pauses it. It reports whether it has.
func (r *pipeResource) settle(ctx context.Context, n Name, s source, made time.Time, again bool, deadline time.Time) (paused bool, err error) {
	for wait := settleEvery; ; wait = min(wait*3/2, settleMost) {
		status, err := readStatus(ctx, r.p, n)
		if notFound(err) || err == nil && status.State != "RUNNING" {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		var left string
		switch {
		case status.Pending > 0:
			left = "it still has to load " + providers.Plural(status.Pending, "file")
		case again && status.Messages > 0:
			left = "its queue still holds " + providers.Plural(status.Messages, "event")
		case again:
			missing, err := r.missing(ctx, s, made)
			if err != nil {
				return false, err
			}
			if len(missing) > 0 {
				left = fmt.Sprintf("its stage holds %s that it has not loaded, the first is %s", providers.Plural(int64(len(missing)), "file"), missing[0].url)
			}
		}
		if left == "" {
			return true, r.p.client.exec(ctx, setPaused(n, true))
		}
		if r.p.opts.Now().After(deadline) {
			return false, &providers.Error{Code: providers.Conflict, Err: fmt.Errorf("the pipe is not at rest: %s", left),
				Hint: "Stop whatever still writes files there (`mkt stream`) and apply again. What never gets loaded is let be if you pause the pipe first (paused = true, apply): the new pipe loads it then."}
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// missing are the files of a folder that should be loaded and are not.
func (r *pipeResource) missing(ctx context.Context, s source, made time.Time) ([]file, error) {
	k, err := readKept(ctx, r.p.opts.Notes, s.into)
	if err != nil {
		return nil, err
	}
	files, err := r.p.files(ctx, s)
	if err != nil {
		return nil, err
	}
	loads, err := history(ctx, r.p.client.query, s.into, k.Loads)
	if err != nil {
		return nil, err
	}
	since := k.since(s.folder, made)
	if oldest := r.p.opts.Now().Add(-historyReach + time.Hour); since.Before(oldest) {
		since = oldest // COPY_HISTORY has forgotten what is older
	}
	return unloaded(files, since, loads), nil
}

// since is when a folder was first loaded from by a pipe, as far as is known.
func (k *kept) since(folder string, made time.Time) time.Time {
	if f := k.Feeds[folder]; f != nil && f.Since.Before(made) {
		return f.Since
	}
	return made
}

// keep writes down a table's load history before a pipe goes, and that the pipe's folder is being worked on.
func (r *pipeResource) keep(ctx context.Context, s source, made time.Time, again bool) error {
	r.p.noting.Lock()
	defer r.p.noting.Unlock()
	table, err := r.p.made(ctx, s.into)
	if err != nil || table == "" { // without its table there is no history
		return err
	}
	k, err := readKept(ctx, r.p.opts.Notes, s.into)
	if err != nil {
		return err
	}
	if k.Made != table {
		k = kept{Table: s.into.String(), Made: table, Feeds: map[string]*feed{}}
	}
	loads, err := history(ctx, r.p.client.query, s.into, k.Loads)
	if err != nil {
		return err
	}
	k.Loads = sortedLoads(loads)
	k.Feeds[s.folder] = &feed{Since: k.since(s.folder, made), Open: true, Again: again}
	return r.p.writeKept(ctx, s.into, k)
}

// open gives the folders being worked on that overlap with one: a stage may have another path by now.
func (k *kept) open(folder string) (feeds []*feed) {
	for at, f := range k.Feeds {
		if f.Open && (strings.HasPrefix(at, folder) || strings.HasPrefix(folder, at)) {
			feeds = append(feeds, f)
		}
	}
	return feeds
}

// unfinished says whether a pipe was made again and not told yet of what came meanwhile.
func (p *Provider) unfinished(ctx context.Context, c copyInto) (bool, error) {
	into, err := ParseName(c.into)
	if err != nil {
		return false, nil //nolint:nilerr // then nothing was kept
	}
	k, err := readKept(ctx, p.opts.Notes, into)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(mapValues(k.Feeds), func(f *feed) bool { return f.Open }) {
		return false, nil
	}
	s, ok, err := p.source(ctx, c)
	return ok && len(k.open(s.folder)) > 0, err
}

// finish tells a pipe of the files that came while it was made again.
func (r *pipeResource) finish(ctx context.Context, n Name) error {
	shown, err := r.shown(ctx, n)
	if err != nil || shown == nil {
		return err
	}
	c, err := parseCopy(shown["definition"], n.Parent())
	if err != nil {
		return err
	}
	open, err := r.p.unfinished(ctx, c)
	if err != nil || !open {
		return err
	}
	r.p.noting.Lock()
	defer r.p.noting.Unlock()
	s, _, err := r.p.source(ctx, c)
	if err != nil {
		return err
	}
	k, err := readKept(ctx, r.p.opts.Notes, s.into)
	if err != nil {
		return err
	}
	table, err := r.p.made(ctx, s.into)
	if err != nil {
		return err
	}
	feeds := k.open(s.folder)
	since, again := feeds[0].Since, false
	for _, f := range feeds {
		if f.Open = false; f.Since.Before(since) {
			since = f.Since
		}
		again = again || f.Again
	}
	if k.Made != table && !again { // a new table that starts from nothing
		return r.p.writeKept(ctx, s.into, kept{Table: s.into.String(), Made: table, Feeds: map[string]*feed{}})
	}
	files, err := r.p.files(ctx, s)
	if err != nil {
		return err
	}
	loads, err := history(ctx, r.p.client.query, s.into, k.Loads)
	if err != nil {
		return err
	}
	wanted := unloaded(files, since, loads)
	late, err := r.refresh(ctx, n, s, files, wanted, loads)
	if err != nil {
		return err
	}
	if k.Made != table { // what is in the old table is none of the new one's business
		if since = timeOf(shown["created_on"]); len(wanted) > 0 && wanted[0].modified.Before(since) {
			since = wanted[0].modified
		}
		k = kept{Table: s.into.String(), Made: table, Feeds: map[string]*feed{}}
	}
	if k.Feeds[s.folder] == nil {
		k.Feeds[s.folder] = &feed{Since: since}
	}
	if err := r.p.writeKept(ctx, s.into, k); err != nil || late == 0 {
		return err
	}
	return &providers.Error{Code: providers.Conflict, Err: fmt.Errorf("%s came more than 7 days ago and are out of reach of a REFRESH", providers.Plural(int64(late), "file")),
		Hint: "Load them with COPY INTO and FILES; `mkt audit` shows which rows are missing."}
}

// refresh has a pipe load some files of its folder and none of those that the history has. It returns how many are too old for that.
func (r *pipeResource) refresh(ctx context.Context, n Name, s source, files, wanted []file, loads map[string]Load) (late int, err error) {
	reach := r.p.opts.Now().Add(-refreshReach)
	for len(wanted) > 0 && wanted[0].modified.Before(reach) {
		wanted, late = wanted[1:], late+1
	}
	if len(wanted) == 0 {
		return late, nil
	}
	first := wanted[0].modified
	loaded := func(match func(file) bool) bool {
		return slices.ContainsFunc(files, func(f file) bool {
			_, known := loads[f.url]
			return known && match(f)
		})
	}
	refresh := "ALTER PIPE " + n.SQL() + " REFRESH"
	after := " MODIFIED_AFTER = " + literal(first.Add(-time.Second).Format(time.RFC3339))
	if !loaded(func(f file) bool { return !f.modified.Before(first.Add(-time.Second)) }) {
		return late, r.p.client.exec(ctx, refresh+after)
	}
	for _, f := range wanted { // among files that are loaded: one by one
		if loaded(func(other file) bool { return strings.HasPrefix(other.url, f.url) }) {
			return late, providers.Errorf(providers.Conflict, "%s cannot be told from files that are loaded already and whose names begin so", f.url)
		}
		if err := r.p.client.exec(ctx, refresh+" PREFIX = "+literal(strings.TrimPrefix(f.url, s.folder))+after); err != nil {
			return late, err
		}
	}
	return late, nil
}

func mapValues[K comparable, V any](m map[K]V) []V {
	out := make([]V, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
