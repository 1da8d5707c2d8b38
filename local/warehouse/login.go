package warehouse

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"mkt/local/dialect"
)

const (
	defaultRole      = "ACCOUNTADMIN"
	defaultWarehouse = "COMPUTE_WH"
	sessionValidity  = 3600 * 4 // seconds; an idle session ends after this
	serverVersion    = "9.0.0"
)

// session is one login. Its statements run one after another.
type session struct {
	w      *Warehouse
	id     int64
	token  string // guarded by w.sessMu
	master string
	user   string
	used   time.Time // guarded by w.sessMu

	mu     sync.Mutex // held while a statement runs
	conn   *sql.Conn  // opened by the first statement
	inTx   bool
	db     string
	schema string
	role   string
	wh     string
	params map[string]string
	app    string // the driver, as it calls itself
	lastID string // of the last finished query

	qmu     sync.Mutex
	queries map[string]*query // by query id and by request id
	order   []string          // query ids, oldest first
	aborted map[string]bool   // requests that were given up before they arrived
	closed  bool
}

func randomToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// response is the envelope of every answer.
type response struct {
	Data    any     `json:"data"`
	Message *string `json:"message"`
	Code    *string `json:"code"`
	Success bool    `json:"success"`
}

func reply(rw http.ResponseWriter, ok bool, data any, err *sqlError) {
	r := response{Data: data, Success: ok}
	if err != nil {
		r.Code, r.Message = &err.Code, &err.Msg
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(r) // the client has gone
}

// body decodes a JSON request of at most 64 MiB.
func body(r *http.Request, into any) error {
	var in io.Reader = http.MaxBytesReader(nil, r.Body, 64<<20)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = io.LimitReader(z, 64<<20)
	}
	return json.NewDecoder(in).Decode(into)
}

type parameter struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

type sessionInfo struct {
	DatabaseName  *string `json:"databaseName"`
	SchemaName    *string `json:"schemaName"`
	WarehouseName *string `json:"warehouseName"`
	RoleName      *string `json:"roleName"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (w *Warehouse) serveLogin(rw http.ResponseWriter, r *http.Request) {
	var req struct {
		Data struct {
			Account       string         `json:"ACCOUNT_NAME"`
			User          string         `json:"LOGIN_NAME"`
			Password      string         `json:"PASSWORD"`
			Token         string         `json:"TOKEN"`
			Authenticator string         `json:"AUTHENTICATOR"`
			App           string         `json:"CLIENT_APP_ID"`
			Params        map[string]any `json:"SESSION_PARAMETERS"`
		} `json:"data"`
	}
	if err := body(r, &req); err != nil {
		http.Error(rw, "login request is no JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	in := req.Data
	secret := in.Password
	switch strings.ToUpper(in.Authenticator) {
	case "", "SNOWFLAKE", "USERNAME_PASSWORD_MFA":
	case "PROGRAMMATIC_ACCESS_TOKEN":
		secret = in.Token
	default:
		reply(rw, false, nil, &sqlError{Code: "390100", Msg: fmt.Sprintf("the embedded warehouse does not know the authenticator %s: use a password or a programmatic access token", in.Authenticator)})
		return
	}
	same := subtle.ConstantTimeCompare([]byte(secret), []byte(w.cfg.Password))
	if !strings.EqualFold(in.Account, w.cfg.Account) || !strings.EqualFold(in.User, w.cfg.User) || same != 1 {
		reply(rw, false, nil, &sqlError{Code: "390100", Msg: "Incorrect username or password was specified."})
		return
	}
	s := &session{
		w: w, token: randomToken(), master: randomToken(), user: strings.ToUpper(in.User), used: w.now(), app: in.App,
		role: defaultRole, wh: defaultWarehouse, params: map[string]string{}, queries: map[string]*query{}, aborted: map[string]bool{},
	}
	for k, v := range in.Params {
		if err := refuseParameter(strings.ToUpper(k), fmt.Sprint(v)); err != nil {
			reply(rw, false, nil, mapError(err))
			return
		}
		s.params[strings.ToUpper(k)] = fmt.Sprint(v)
	}
	if err := s.applyLogin(r, fmt.Sprint(in.Params["CLIENT_VALIDATE_DEFAULT_PARAMETERS"]) != "false"); err != nil {
		reply(rw, false, nil, mapError(err))
		return
	}
	w.sessMu.Lock()
	w.nextSess++
	s.id = w.nextSess
	w.sessions[s.token] = s
	idle := w.idleLocked()
	w.sessMu.Unlock()
	for _, old := range idle {
		old.close()
	}
	reply(rw, true, map[string]any{
		"token": s.token, "masterToken": s.master, "validityInSeconds": sessionValidity, "masterValidityInSeconds": 4 * sessionValidity,
		"displayUserName": s.user, "serverVersion": serverVersion, "firstLogin": false, "sessionId": s.id,
		"parameters": append([]parameter{
			{"CLIENT_TELEMETRY_ENABLED", false}, {"CLIENT_SESSION_KEEP_ALIVE", false}, {"CLIENT_PREFETCH_THREADS", 2},
			{"TIMEZONE", s.timezone()}, {"AUTOCOMMIT", true}, {"CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", 0},
		}, outputFormats...),
		"sessionInfo": s.info(),
	}, nil)
}

// outputFormats are Snowflake's defaults of the parameters by which the driver for Node writes values that came as JSON.
var outputFormats = []parameter{
	{"BINARY_OUTPUT_FORMAT", "HEX"}, {"DATE_OUTPUT_FORMAT", "YYYY-MM-DD"}, {"TIME_OUTPUT_FORMAT", "HH24:MI:SS"},
	{"TIMESTAMP_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"}, {"TIMESTAMP_NTZ_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF3"},
	{"TIMESTAMP_LTZ_OUTPUT_FORMAT", ""}, {"TIMESTAMP_TZ_OUTPUT_FORMAT", ""},
}

// idleLocked takes the sessions that nobody used for their validity out of the list.
func (w *Warehouse) idleLocked() []*session {
	var out []*session
	for tok, s := range w.sessions {
		if w.now().Sub(s.used) > sessionValidity*time.Second {
			delete(w.sessions, tok)
			out = append(out, s)
		}
	}
	return out
}

func (s *session) timezone() string {
	if tz := s.params["TIMEZONE"]; tz != "" {
		return tz
	}
	return "UTC"
}

// applyLogin sets the context that the login URL names. With strict, what does not exist fails the login.
func (s *session) applyLogin(r *http.Request, strict bool) error {
	q := r.URL.Query()
	missing := func(what, name string) error {
		if !strict {
			return nil
		}
		return &sqlError{Code: "390201", State: "08004", Msg: fmt.Sprintf("The requested %s does not exist or not authorized: %s", what, name)}
	}
	if v := q.Get("roleName"); v != "" {
		s.role = nameOf(v)
	}
	if v := q.Get("warehouse"); v != "" {
		if s.w.cat.get(keyOf(kindWarehouse, "", "", nameOf(v))) == nil {
			if err := missing("warehouse", v); err != nil {
				return err
			}
		} else {
			s.wh = nameOf(v)
		}
	}
	if v := q.Get("databaseName"); v != "" {
		if s.w.cat.get(keyOf(kindDatabase, "", "", nameOf(v))) == nil {
			return missing("database", v)
		}
		s.useDatabase(nameOf(v))
	}
	if v := q.Get("schemaName"); v != "" {
		if s.w.cat.get(keyOf(kindSchema, s.db, "", nameOf(v))) == nil {
			return missing("schema", v)
		}
		s.schema = nameOf(v)
	}
	return nil
}

// nameOf resolves an identifier given as text, quoted or not.
func nameOf(s string) string {
	if n, err := parseName(s); err == nil && len(n) == 1 {
		return n[0]
	}
	return s
}

func (s *session) info() sessionInfo {
	return sessionInfo{orNull(s.db), orNull(s.schema), orNull(s.wh), orNull(s.role)}
}

func bearer(r *http.Request) string {
	_, tok, _ := strings.Cut(r.Header.Get("Authorization"), `Token="`)
	return strings.TrimSuffix(tok, `"`)
}

func (w *Warehouse) bySession(r *http.Request) *session {
	w.sessMu.Lock()
	defer w.sessMu.Unlock()
	s := w.sessions[bearer(r)]
	if s != nil {
		s.used = w.now()
	}
	return s
}

var errGone = &sqlError{Code: "390111", State: "08003", Msg: "Session no longer exists. New login required to access the service."}

func (w *Warehouse) withSession(h func(*session, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		s := w.bySession(r)
		if s == nil {
			reply(rw, false, nil, errGone)
			return
		}
		h(s, rw, r)
	}
}

func (w *Warehouse) serveHeartbeat(s *session, rw http.ResponseWriter, r *http.Request) {
	reply(rw, true, nil, nil)
}

// serveRenew gives a session a new token for its master token.
func (w *Warehouse) serveRenew(rw http.ResponseWriter, r *http.Request) {
	master := bearer(r)
	w.sessMu.Lock()
	defer w.sessMu.Unlock()
	for tok, s := range w.sessions {
		if subtle.ConstantTimeCompare([]byte(s.master), []byte(master)) != 1 {
			continue
		}
		delete(w.sessions, tok)
		s.token, s.master, s.used = randomToken(), randomToken(), w.now()
		w.sessions[s.token] = s
		reply(rw, true, map[string]any{
			"sessionToken": s.token, "validityInSecondsST": sessionValidity,
			"masterToken": s.master, "validityInSecondsMT": 4 * sessionValidity, "sessionId": s.id,
		}, nil)
		return
	}
	reply(rw, false, nil, errGone)
}

func (w *Warehouse) serveCloseSession(rw http.ResponseWriter, r *http.Request) {
	w.sessMu.Lock()
	s := w.sessions[bearer(r)]
	if r.URL.Query().Get("delete") == "true" {
		delete(w.sessions, bearer(r))
	}
	w.sessMu.Unlock()
	if s == nil {
		reply(rw, false, nil, errGone)
		return
	}
	s.close()
	reply(rw, true, nil, nil)
}

// close cancels what runs, rolls back an open transaction and forgets the results.
func (s *session) close() {
	s.qmu.Lock()
	s.closed = true
	for _, q := range s.queries {
		q.cancel()
	}
	s.qmu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		if s.inTx {
			_, _ = s.conn.ExecContext(context.Background(), "ROLLBACK") // the connection ends as well
			s.inTx = false
		}
		s.conn.Close()
		s.conn = nil
	}
	s.qmu.Lock()
	defer s.qmu.Unlock()
	for _, q := range s.queries {
		q.forget()
	}
	s.queries, s.order = map[string]*query{}, nil
}

// connection gives the session's DuckDB connection. Called with s.mu held.
func (s *session) connection(ctx context.Context) (*sql.Conn, error) {
	if s.conn != nil {
		return s.conn, nil
	}
	conn, err := s.w.db.Conn(s.w.ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SET TimeZone = "+dialect.Literal(s.timezone())); err != nil {
		conn.Close()
		return nil, errInvalid("invalid value [%s] for parameter 'TIMEZONE'", s.timezone())
	}
	s.conn = conn
	return conn, nil
}
