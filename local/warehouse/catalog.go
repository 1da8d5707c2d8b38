package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"mkt/local/dialect"
)

// kind is a kind of object, by the word SQL uses.
type kind string

const (
	kindDatabase    kind = "DATABASE"
	kindSchema      kind = "SCHEMA"
	kindTable       kind = "TABLE"
	kindView        kind = "VIEW"
	kindStage       kind = "STAGE"
	kindFormat      kind = "FILE FORMAT"
	kindPipe        kind = "PIPE"
	kindWarehouse   kind = "WAREHOUSE"
	kindIntegration kind = "INTEGRATION"
	kindGrant       kind = "GRANT"
	kindDynamic     kind = "DYNAMIC TABLE"
	kindStream      kind = "STREAM"
	kindTask        kind = "TASK"
)

// inSchema are the kinds of what a schema holds.
var inSchema = []kind{kindTable, kindView, kindDynamic, kindStream, kindTask, kindStage, kindFormat, kindPipe}

// title gives the kind as messages write it: "File format".
func (k kind) title() string { return string(k[:1]) + strings.ToLower(string(k[1:])) }

// level says how many names qualify an object: 1 account, 2 database, 3 schema.
func (k kind) level() int {
	switch k {
	case kindDatabase, kindWarehouse, kindIntegration, kindGrant:
		return 1
	case kindSchema:
		return 2
	}
	return 3
}

// object is one object of the account. Values in the catalog are never changed: an ALTER puts a copy.
type object struct {
	ID      int64     `json:"id"`
	Kind    kind      `json:"kind"`
	DB      string    `json:"db,omitempty"`
	Schema  string    `json:"schema,omitempty"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Owner   string    `json:"owner"`
	Comment string    `json:"comment,omitempty"`

	Retention   *int            `json:"retention,omitempty"` // databases, schemas, tables: days
	Table       *tableDef       `json:"table,omitempty"`
	View        *viewDef        `json:"view,omitempty"`
	Format      *formatDef      `json:"format,omitempty"`
	Stage       *stageDef       `json:"stage,omitempty"`
	Pipe        *pipeDef        `json:"pipe,omitempty"`
	Warehouse   *warehouseDef   `json:"warehouse,omitempty"`
	Integration *integrationDef `json:"integration,omitempty"`
	Grant       *grantDef       `json:"grant,omitempty"`
	Dynamic     *dynamicDef     `json:"dynamic,omitempty"` // beside View
	Stream      *streamDef      `json:"stream,omitempty"`
	Task        *taskDef        `json:"task,omitempty"`
}

// copy gives a copy whose definition parts may be replaced, not changed in place.
func (o *object) copy() *object { c := *o; return &c }

var plainName = regexp.MustCompile(`^[A-Z_][A-Z0-9_$]*$`)

// full gives the qualified name, with quotes where a name needs them.
func (o *object) full() string {
	parts := []string{o.Name}
	switch o.Kind.level() {
	case 2:
		parts = []string{o.DB, o.Name}
	case 3:
		parts = []string{o.DB, o.Schema, o.Name}
	}
	for i, name := range parts {
		if !plainName.MatchString(name) {
			parts[i] = dialect.Quote(name)
		}
	}
	return strings.Join(parts, ".")
}

// physical names the DuckDB table that holds a table's rows.
func (o *object) physical() string { return fmt.Sprintf(`data."t%d"`, o.ID) }

type key struct {
	kind             kind
	db, schema, name string
}

// keyOf gives the place of a name; tables, views and dynamic tables share one name space.
func keyOf(k kind, db, schema, name string) key {
	if k == kindView || k == kindDynamic {
		k = kindTable
	}
	return key{k, db, schema, name}
}

func (o *object) key() key { return keyOf(o.Kind, o.DB, o.Schema, o.Name) }

// catalog is what exists. Reads take the lock for the moment; changes happen under Warehouse.ddlMu too.
type catalog struct {
	mu     sync.RWMutex
	byKey  map[key]*object
	byID   map[int64]*object
	lastID int64
	last   time.Time
}

func (c *catalog) get(k key) *object {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byKey[k]
}

func (c *catalog) id(id int64) *object {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[id]
}

// list gives the objects of a kind that pass the filter, by database, schema and name.
func (c *catalog) list(k kind, keep func(*object) bool) []*object {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*object
	for _, o := range c.byID {
		if o.Kind == k && (keep == nil || keep(o)) {
			out = append(out, o)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.DB != b.DB {
			return a.DB < b.DB
		}
		if a.Schema != b.Schema {
			return a.Schema < b.Schema
		}
		return a.Name < b.Name
	})
	return out
}

func loadCatalog(ctx context.Context, db *sql.DB) (*catalog, error) {
	c := &catalog{byKey: map[key]*object{}, byID: map[int64]*object{}}
	rows, err := db.QueryContext(ctx, `SELECT body FROM meta.objects`)
	if err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read catalog: %w", err)
		}
		o := &object{}
		if err := json.Unmarshal([]byte(body), o); err != nil {
			return nil, fmt.Errorf("read catalog: %w", err)
		}
		c.byKey[o.key()], c.byID[o.ID] = o, o
		c.lastID = max(c.lastID, o.ID)
		if o.Created.After(c.last) {
			c.last = o.Created
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	return c, db.QueryRowContext(ctx, `SELECT greatest(?, (SELECT coalesce(max(last_id), 0) FROM meta.ids))`, c.lastID).Scan(&c.lastID)
}

// ddlTx is a change of the catalog and of DuckDB that commits as one.
type ddlTx struct {
	ctx  context.Context
	w    *Warehouse
	s    *session
	tx   *sql.Tx
	put  []*object
	gone []*object
}

// ddl runs a change alone: no other change, load or DML statement runs meanwhile.
func (w *Warehouse) ddl(ctx context.Context, s *session, change func(*ddlTx) error) error {
	w.ddlMu.Lock()
	defer w.ddlMu.Unlock()
	for try := 0; ; try++ {
		err := w.ddlOnce(ctx, s, change)
		if !conflict(err) || try == 20 {
			return err
		}
		select { // an open transaction of another session holds the table
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try+1) * 5 * time.Millisecond):
		}
	}
}

func (w *Warehouse) ddlOnce(ctx context.Context, s *session, change func(*ddlTx) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // an error when it was committed
	d := &ddlTx{ctx: ctx, w: w, s: s, tx: tx}
	first := w.cat.lastID
	if err := change(d); err != nil {
		return err
	}
	if len(d.put) == 0 && len(d.gone) == 0 {
		return nil
	}
	for _, o := range d.gone {
		if err := d.exec(`DELETE FROM meta.objects WHERE id = ?`, o.ID); err != nil {
			return err
		}
	}
	for _, o := range d.put {
		body, err := json.Marshal(o)
		if err != nil {
			return err
		}
		q := `UPDATE meta.objects SET body = $2 WHERE id = $1`
		if w.cat.id(o.ID) == nil {
			q = `INSERT INTO meta.objects VALUES ($1, $2)`
		}
		if err := d.exec(q, o.ID, string(body)); err != nil {
			return err
		}
	}
	if w.cat.lastID != first {
		if err := d.exec(`UPDATE meta.ids SET last_id = ?`, w.cat.lastID); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.cat.mu.Lock()
	byKey, byID := w.cat.byKey, w.cat.byID
	for _, o := range d.gone {
		delete(byKey, o.key())
		delete(byID, o.ID)
	}
	for _, o := range d.put {
		if old := byID[o.ID]; old != nil && byKey[old.key()] == old {
			delete(byKey, old.key())
		}
	}
	for _, o := range d.put {
		byKey[o.key()], byID[o.ID] = o, o
	}
	w.cat.mu.Unlock()
	w.syncPipes()
	return nil
}

func (d *ddlTx) exec(q string, args ...any) error {
	_, err := d.tx.ExecContext(d.ctx, q, args...)
	return err
}

// create puts a new object with a new identity and a creation time that no other object has.
func (d *ddlTx) create(o *object) error {
	d.w.cat.lastID++
	o.ID = d.w.cat.lastID
	now := d.w.now().UTC().Truncate(time.Millisecond)
	if !now.After(d.w.cat.last) {
		now = d.w.cat.last.Add(time.Millisecond)
	}
	d.w.cat.last = now
	o.Created, o.Owner = now, d.s.role
	if o.Kind == kindTable {
		if err := d.exec(o.Table.createSQL(o.physical())); err != nil {
			return err
		}
	}
	d.put = append(d.put, o)
	return nil
}

// update puts a changed copy of an object.
func (d *ddlTx) update(o *object) { d.put = append(d.put, o) }

// remove takes an object and the grants on it out of the catalog.
func (d *ddlTx) remove(o *object) {
	d.gone = append(append(d.gone, o), d.w.cat.grants(o.ID)...)
}

// drop removes an object, what is inside it, and what DuckDB keeps for it.
func (d *ddlTx) drop(o *object) error {
	d.remove(o)
	switch o.Kind {
	case kindDatabase, kindSchema:
		for _, k := range append([]kind{kindSchema}, inSchema...) {
			if o.Kind == kindSchema && k == kindSchema {
				continue
			}
			for _, in := range d.w.cat.list(k, func(in *object) bool {
				return o.Kind == kindDatabase && in.DB == o.Name || o.Kind == kindSchema && in.DB == o.DB && in.Schema == o.Name
			}) {
				if in.Kind == kindSchema { // what is inside it is in the lists that follow
					d.remove(in)
					continue
				}
				if err := d.drop(in); err != nil {
					return err
				}
			}
		}
	case kindTable:
		if err := d.exec(`DELETE FROM meta.copy_files WHERE table_id = ?`, o.ID); err != nil {
			return err
		}
		if err := d.exec(`DELETE FROM meta.loads WHERE table_id = ?`, o.ID); err != nil {
			return err
		}
		return d.exec(`DROP TABLE ` + o.physical())
	case kindPipe:
		if err := d.exec(`DELETE FROM meta.pipe_files WHERE pipe_id = ?`, o.ID); err != nil {
			return err
		}
		if err := d.exec(`DELETE FROM meta.loads WHERE pipe_id = ?`, o.ID); err != nil {
			return err
		}
		return d.exec(`DELETE FROM meta.pipe_pending WHERE pipe_id = ?`, o.ID)
	}
	return nil
}
