package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"mkt/local/dialect"
)

// StorageEndpoint tells where an Azure storage account really lives: path-style base URLs such as
// http://127.0.0.1:10000/account. Key is the account key; it opens the notification queue only, in
// place of the consent that a tenant gives Snowflake's service principal. Stages read with their own token.
type StorageEndpoint struct {
	BlobURL, QueueURL, Key string
}

// Config says where the data lives and who may log in.
type Config struct {
	Dir                     string // made if missing, mode 0700; holds the database, spilled data and results
	Account, User, Password string
	// Storage gives the endpoint of a storage account; false if it is not known here.
	Storage func(account string) (StorageEndpoint, bool)
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default discards
}

// Warehouse is an embedded warehouse. It is an http.Handler; all methods are safe for concurrent use.
type Warehouse struct {
	cfg Config
	log *slog.Logger
	now func() time.Time
	db  *sql.DB
	cat *catalog
	mux *http.ServeMux

	ddlMu sync.RWMutex // write: a change of the catalog; read: a load or DML statement

	sessMu   sync.Mutex
	sessions map[string]*session // by session token
	nextSess int64
	closed   bool // guarded by sessMu

	pipeMu  sync.Mutex
	pipes   map[int64]*pipeWorker
	queues  map[int64]*queuePoller
	pending map[int64][]pendingFile // what Open read, for syncPipes

	ctx  context.Context // ends at Close
	stop context.CancelFunc
	wg   sync.WaitGroup
}

const schemaSQL = `
CREATE SCHEMA IF NOT EXISTS meta;
CREATE SCHEMA IF NOT EXISTS data;
CREATE TABLE IF NOT EXISTS meta.objects (id BIGINT NOT NULL, body VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS meta.ids (last_id BIGINT NOT NULL);
INSERT INTO meta.ids SELECT 0 WHERE NOT EXISTS (FROM meta.ids);
CREATE TABLE IF NOT EXISTS meta.pipe_files (pipe_id BIGINT, path VARCHAR, registered BIGINT, PRIMARY KEY (pipe_id, path));
CREATE TABLE IF NOT EXISTS meta.pipe_pending (pipe_id BIGINT, path VARCHAR, size BIGINT, event BIGINT, received BIGINT);
CREATE TABLE IF NOT EXISTS meta.copy_files (table_id BIGINT, path VARCHAR, etag VARCHAR, loaded BIGINT);
CREATE TABLE IF NOT EXISTS meta.loads (
	table_id BIGINT, pipe_id BIGINT, pipe_db VARCHAR, pipe_schema VARCHAR, pipe_name VARCHAR,
	stage_location VARCHAR, file_name VARCHAR, file_size BIGINT, row_count BIGINT, row_parsed BIGINT, error_count BIGINT, error_limit BIGINT,
	first_error VARCHAR, first_error_line BIGINT, first_error_char BIGINT, first_error_column VARCHAR,
	status VARCHAR, received BIGINT, loaded BIGINT);
`

// Open opens the warehouse in cfg.Dir, creating it if needed, and starts its pipes.
// One process may have a directory open at a time; a second one gets an error.
func Open(cfg Config) (*Warehouse, error) {
	if cfg.Dir == "" || cfg.Account == "" || cfg.User == "" || cfg.Password == "" {
		return nil, errors.New("open warehouse: Dir, Account, User and Password must be set")
	}
	w := &Warehouse{
		cfg: cfg, log: cfg.Logger, now: cfg.Now,
		sessions: map[string]*session{}, pipes: map[int64]*pipeWorker{}, queues: map[int64]*queuePoller{},
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.now == nil {
		w.now = time.Now
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	if err := w.open(); err != nil {
		w.stop()
		if w.db != nil {
			w.db.Close()
		}
		return nil, fmt.Errorf("open warehouse in %s: %w", cfg.Dir, err)
	}
	return w, nil
}

func (w *Warehouse) open() error {
	if strings.ContainsAny(w.cfg.Dir, "%?") { // duckdb-go takes the path for a URL
		return errors.New("the database cannot be in a folder whose path has a % or ?: move or rename it")
	}
	if err := os.MkdirAll(w.cfg.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(w.cfg.Dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(w.cfg.Dir, "warehouse.duckdb")
	connector, err := duckdb.NewConnector(path, func(conn driver.ExecerContext) error {
		for _, q := range append(dialect.Settings(), "SET TimeZone = 'UTC'") {
			if _, err := conn.ExecContext(context.Background(), q, nil); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.db = sql.OpenDB(connector)
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	// Only the owner of the database file may clear what a dead process left.
	for _, dir := range []string{w.tmpDir(), w.resultDir()} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	for _, q := range []string{
		"SET GLOBAL memory_limit = '2GB'", "SET GLOBAL temp_directory = " + dialect.Literal(filepath.Join(w.tmpDir(), "spill")), schemaSQL,
	} {
		if _, err := w.db.Exec(q); err != nil {
			return err
		}
	}
	for _, q := range append(dialect.Macros(), loadMacros...) {
		if _, err := w.db.Exec(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	if w.cat, err = loadCatalog(w.ctx, w.db); err != nil {
		return err
	}
	if w.cat.get(keyOf(kindWarehouse, "", "", defaultWarehouse)) == nil {
		o := &object{Kind: kindWarehouse, Name: defaultWarehouse, Warehouse: newWarehouseDef()}
		if err := w.ddl(w.ctx, &session{w: w, role: defaultRole}, func(d *ddlTx) error { return d.create(o) }); err != nil {
			return err
		}
	}
	if w.pending, err = w.readPending(); err != nil {
		return err
	}
	w.mux = w.routes()
	w.syncPipes()
	w.wg.Go(w.runTasks)
	return nil
}

func (w *Warehouse) tmpDir() string    { return filepath.Join(w.cfg.Dir, "tmp") }
func (w *Warehouse) resultDir() string { return filepath.Join(w.cfg.Dir, "results") }

// Close stops the pipes, ends every session and closes the database. Loads that run are rolled back
// and done again after the next Open.
func (w *Warehouse) Close() error {
	w.stop()
	w.sessMu.Lock()
	all := w.sessions
	w.sessions, w.closed = map[string]*session{}, true
	w.sessMu.Unlock()
	for _, s := range all {
		s.close()
	}
	w.wg.Wait()
	return w.db.Close()
}

func (w *Warehouse) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("POST /session/v1/login-request", w.serveLogin)
	m.HandleFunc("POST /session/token-request", w.serveRenew)
	m.HandleFunc("POST /session", w.serveCloseSession)
	m.HandleFunc("POST /session/heartbeat", w.withSession(w.serveHeartbeat))
	m.HandleFunc("POST /queries/v1/query-request", w.withSession(w.serveQuery))
	m.HandleFunc("POST /queries/v1/abort-request", w.withSession(w.serveAbort))
	m.HandleFunc("POST /queries/{id}/abort-request", w.withSession(w.serveAbortQuery))
	m.HandleFunc("GET /queries/{id}/result", w.withSession(w.serveResult))
	m.HandleFunc("GET /monitoring/queries/{id}", w.withSession(w.serveMonitor))
	m.HandleFunc("GET /results/{id}/{chunk}", w.serveChunk)
	m.HandleFunc("POST /telemetry/send", func(rw http.ResponseWriter, r *http.Request) { reply(rw, true, nil, nil) })
	return m
}

// ServeHTTP implements http.Handler.
func (w *Warehouse) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.sessMu.Lock()
	if w.closed {
		w.sessMu.Unlock()
		http.Error(rw, "the warehouse is closed", http.StatusServiceUnavailable)
		return
	}
	w.wg.Add(1) // Close waits for requests too
	w.sessMu.Unlock()
	defer w.wg.Done()
	w.mux.ServeHTTP(rw, r)
}
