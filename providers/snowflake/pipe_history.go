package snowflake

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mkt/providers"
)

// Notes keep texts durably beside the ledger, where whoever applies next finds them. They are safe for concurrent use; the
// last writer of a name wins.
type Notes interface {
	// Keep replaces a text. When it returns nil the text is on stable storage. A name has letters, digits and ._- only.
	Keep(ctx context.Context, name string, text []byte) error
	// Kept returns a text, nil where there is none.
	Kept(ctx context.Context, name string) ([]byte, error)
}

// memoryNotes are notes that die with the process.
type memoryNotes struct{ texts sync.Map }

func (m *memoryNotes) Keep(_ context.Context, name string, text []byte) error {
	m.texts.Store(name, text)
	return nil
}

func (m *memoryNotes) Kept(_ context.Context, name string) ([]byte, error) {
	v, _ := m.texts.Load(name)
	text, _ := v.([]byte)
	return text, nil
}

// Load is what became of one file.
type Load struct {
	File    string    `json:"file"` // azure://ACCOUNT.blob.core.windows.net/CONTAINER/NAME
	Status  string    `json:"status"`
	At      time.Time `json:"at"`
	Problem string    `json:"-"` // of its first bad row; it may show data, so it is not kept
}

// Loaded says whether the whole file is in the table.
func (l Load) Loaded() bool { return strings.EqualFold(l.Status, "Loaded") }

// Refused says whether nothing of the file is in the table, and the pipe will not try it again.
func (l Load) Refused() bool { return strings.EqualFold(l.Status, "Load failed") }

// historyReach is how far COPY_HISTORY reaches back (Snowflake: "COPY_HISTORY"); keptReach how long its rows are kept, which
// is longer than any REFRESH reaches.
const (
	historyReach = 14 * 24 * time.Hour
	keptReach    = historyReach + 24*time.Hour
)

// LoadHistory tells what became of the files that a table was loaded from in the last 14 days, by the file's URL: what COPY_HISTORY
// says, and what was kept of it when a pipe was made again, since a pipe takes its history with it. The table is a qualified name.
func LoadHistory(ctx context.Context, db *sql.DB, notes Notes, table string) (map[string]Load, error) {
	n, err := ParseName(table)
	if err != nil {
		return nil, err
	}
	query := func(ctx context.Context, text string) ([]row, error) {
		observe(text)
		rows, err := db.QueryContext(ctx, text)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return scan(rows)
	}
	shown, err := query(ctx, "SHOW TABLES IN SCHEMA "+n.Parent().SQL())
	if err != nil {
		return nil, fmt.Errorf("look at table %s: %w", table, err)
	}
	kept, err := readKept(ctx, notes, n)
	if err != nil {
		return nil, err
	}
	for _, r := range shown {
		if r["name"] == string(n.Last()) && r["created_on"] != kept.Made {
			kept.Loads = nil
		}
	}
	return history(ctx, query, n, kept.Loads)
}

// history joins what was kept with COPY_HISTORY, which knows better where both know a file.
func history(ctx context.Context, query func(context.Context, string) ([]row, error), table Name, kept []Load) (map[string]Load, error) {
	// COPY_HISTORY wants the table's name as text, and belongs to a database.
	rows, err := query(ctx, "SELECT FILE_NAME, STAGE_LOCATION, STATUS, LAST_LOAD_TIME, FIRST_ERROR_MESSAGE FROM TABLE("+table[0].SQL()+
		".INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => '"+strings.ReplaceAll(table.SQL(), "'", "''")+"', START_TIME => DATEADD(day, -14, CURRENT_TIMESTAMP())))")
	if err != nil {
		return nil, wrap(err, "read the load history of %s", table)
	}
	out := make(map[string]Load, len(rows)+len(kept))
	for _, l := range kept {
		out[l.File] = l
	}
	fresh := make(map[string]bool, len(rows))
	for _, r := range rows {
		l := Load{File: strings.TrimSuffix(r["STAGE_LOCATION"], "/") + "/" + r["FILE_NAME"], Status: r["STATUS"], At: timeOf(r["LAST_LOAD_TIME"]), Problem: r["FIRST_ERROR_MESSAGE"]}
		if old := out[l.File]; !fresh[l.File] || !old.Loaded() {
			out[l.File] = l
		}
		fresh[l.File] = true
	}
	return out, nil
}

// timeOf reads a time as the driver gives it in text; the zero time where it cannot.
func timeOf(s string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, s)
	return t
}

// kept is the note about one table: what it was loaded from, and which of its pipes are being made again.
type kept struct {
	Table string           `json:"table"`
	Made  string           `json:"made"`  // created_on of the table: another table of the name was loaded from nothing of this
	Feeds map[string]*feed `json:"feeds"` // by the URL of the folder that a pipe loads from
	Loads []Load           `json:"loads"`
}

// feed is a folder that a pipe loads a table from.
type feed struct {
	Since time.Time `json:"since"` // when its first pipe was made: older files are none of its business
	Open  bool      `json:"open"`  // its pipe is gone or new, and was not told yet of what came meanwhile
	Again bool      `json:"again"` // and goes on even into another table, since one apply replaces both
}

func noteName(table Name) string {
	var b strings.Builder
	b.WriteString("loads-")
	for _, r := range table.String() {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			b.WriteRune(r)
		default: // also the underscore itself, so that no two names become one
			fmt.Fprintf(&b, "_%x_", r)
		}
	}
	return b.String() + ".json.gz"
}

func readKept(ctx context.Context, notes Notes, table Name) (kept, error) {
	k := kept{Table: table.String(), Feeds: map[string]*feed{}}
	if notes == nil {
		return k, nil
	}
	packed, err := notes.Kept(ctx, noteName(table))
	if err != nil || packed == nil {
		return k, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		var plain []byte
		if plain, err = io.ReadAll(z); err == nil {
			err = json.Unmarshal(plain, &k)
		}
	}
	if err != nil {
		return k, providers.Errorf(providers.Unknown, "the load history that was kept of %s (%s) is damaged: %w", table, noteName(table), err)
	}
	if k.Feeds == nil {
		k.Feeds = map[string]*feed{}
	}
	maps.DeleteFunc(k.Feeds, func(_ string, f *feed) bool { return f == nil })
	return k, nil
}

func (p *Provider) writeKept(ctx context.Context, table Name, k kept) error {
	old := p.opts.Now().Add(-keptReach)
	k.Loads = slices.DeleteFunc(k.Loads, func(l Load) bool { return l.At.Before(old) })
	plain, err := json.Marshal(k)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(plain) // a buffer takes everything
	if err := z.Close(); err != nil {
		return err
	}
	return wrap(p.opts.Notes.Keep(ctx, noteName(table), packed.Bytes()), "keep the load history of %s", table)
}

// sortedLoads are the loads by file.
func sortedLoads(loads map[string]Load) []Load {
	return slices.SortedFunc(maps.Values(loads), func(a, b Load) int { return strings.Compare(a.File, b.File) })
}
