package storage

import (
	"cmp"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// request is one authenticated call to a data plane.
type request struct {
	w         http.ResponseWriter
	r         *http.Request
	q         url.Values
	id        string // x-ms-request-id
	account   string
	container string // or the queue
	object    string // blob, or "messages" or "messages/ID"
	grant     grant
}

// key is the container's or queue's key in the state.
func (rq *request) key() string { return rq.account + "/" + rq.container }

func (rq *request) header(name string) string { return rq.r.Header.Get(name) }

// operation is one row of a service's table, found by level, method and comp.
type operation struct {
	need string // SAS permission letters of which one is enough
	run  func(*Storage, *request) error
}

// Defaults where a client names no version, and the region of the account.
const (
	defaultVersion = "2026-02-06"
	location       = "local"
	maxXMLBody     = 8 << 20   // bytes
	maxDrain       = 256 << 20 // bytes of a refused body that are read and dropped
)

func serviceVersion(r *http.Request) string {
	return cmp.Or(r.Header.Get("x-ms-version"), defaultVersion)
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// begin sets the headers of every answer and parses the query.
func begin(w http.ResponseWriter, r *http.Request) (*request, error) {
	rq := &request{w: w, r: r, id: newID()}
	w.Header().Set("x-ms-request-id", rq.id)
	w.Header().Set("x-ms-version", serviceVersion(r))
	w.Header().Set("Server", "mkt-local")
	if id := r.Header.Get("x-ms-client-request-id"); id != "" {
		w.Header().Set("x-ms-client-request-id", id)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return rq, badQuery("query", r.URL.RawQuery)
	}
	rq.q = q
	return rq, nil
}

// splitPath cuts /account/container/object; only the object may hold slashes.
func splitPath(path string) (account, container, object string) {
	account, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	container, object, _ = strings.Cut(rest, "/")
	return account, container, object
}

var (
	accountName  = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	resourceName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// validResource checks a container's or queue's name.
func validResource(name string) error {
	if len(name) < 3 || len(name) > 63 || !resourceName.MatchString(name) && name != "$root" && name != "$web" && name != "$logs" {
		return fail(http.StatusBadRequest, "InvalidResourceName", "The specified resource name %q contains invalid characters or has a wrong length.", name)
	}
	return nil
}

func (s *Storage) serves(account string) error {
	if s.cfg.Account != "" && account != s.cfg.Account || !accountName.MatchString(account) {
		return denied("The storage account " + strconv.Quote(account) + " is not served here.")
	}
	return nil
}

// serve is the way of every data-plane request: who, what, may they, do it.
func (s *Storage) serve(w http.ResponseWriter, r *http.Request, service string, find func(*request) (operation, string, bool, error)) {
	rq, err := begin(w, r)
	if err == nil {
		rq.account, rq.container, rq.object = splitPath(r.URL.Path)
		err = s.serves(rq.account)
	}
	if err == nil {
		rq.grant, err = s.authenticate(r, rq.q, service, rq.account, rq.container, rq.object)
	}
	if err == nil {
		err = s.dispatch(rq, find)
	}
	if err != nil {
		if asFault(err).status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize resource_id=https://storage.azure.com`)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain)) // else a large upload breaks off before it sees the answer
		s.log.Debug("refused", "method", r.Method, "path", r.URL.Path, "err", err)
		writeStorageFault(w, err)
	}
}

func (s *Storage) dispatch(rq *request, find func(*request) (operation, string, bool, error)) error {
	o, kind, listing, err := find(rq)
	if err != nil {
		return err
	}
	if rq.grant.anonymous && s.openTo(rq, kind, listing) {
		rq.grant.perms, rq.grant.anonymous = "rl", false
		if rq.r.Method != http.MethodGet && rq.r.Method != http.MethodHead {
			rq.grant.perms = ""
		}
	}
	if err := rq.grant.authorize(rq.object, o.need, kind, listing); err != nil {
		return err
	}
	return o.run(s, rq)
}

// openTo tells whether a container's public access level covers the request.
func (s *Storage) openTo(rq *request, kind string, listing bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.state.containers[rq.key()]
	return c != nil && (c.props.Access == "container" && (kind == "o" || listing) || c.props.Access == "blob" && kind == "o")
}

// readBody reads a small request body.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxXMLBody+1))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "RequestBodyIncomplete", "The request body could not be read: %v.", err)
	}
	if len(body) > maxXMLBody {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body is larger than %d bytes.", maxXMLBody)
	}
	return body, nil
}

// readXML decodes a request's body.
func readXML(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(body, into); err != nil {
		return badXML(err)
	}
	return nil
}

const metaPrefix = "X-Ms-Meta-"

// metadataOf collects x-ms-meta- headers. Names are kept in lower case: Azure keeps the case that they were sent in, which
// net/http does not tell, and clients other than Go's send lower case.
func metadataOf(h http.Header) map[string]string {
	var m map[string]string
	for key, values := range h {
		if name, ok := strings.CutPrefix(key, metaPrefix); ok && name != "" {
			if m == nil {
				m = map[string]string{}
			}
			m[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	return m
}

func setMetadata(h http.Header, m map[string]string) {
	for name, value := range m {
		h["x-ms-meta-"+name] = []string{value} // not Set, which would capitalise it
	}
}

// setVersion sets ETag and Last-Modified.
func setVersion(h http.Header, etag string, modified time.Time) {
	h.Set("ETag", etag)
	h.Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
}

// intQuery reads an optional whole number in [low, high].
func intQuery(q url.Values, name string, low, high, otherwise int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badQuery(name, text)
	}
	if n < low || n > high {
		return 0, fail(http.StatusBadRequest, "OutOfRangeQueryParameterValue", "The query parameter %s=%d is not between %d and %d.", name, n, low, high)
	}
	return n, nil
}

// policiesXML is the body of Get and Set ACL.
type policiesXML struct {
	XMLName xml.Name    `xml:"SignedIdentifiers"`
	Items   []policyXML `xml:"SignedIdentifier"`
}

type policyXML struct {
	ID     string                                     `xml:"Id"`
	Policy struct{ Start, Expiry, Permission string } `xml:"AccessPolicy"`
}

func readPolicies(r *http.Request) ([]accessPolicy, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	var in policiesXML
	if err := readXML(r, &in); err != nil {
		return nil, err
	}
	if len(in.Items) > 5 {
		return nil, badXML(fmt.Errorf("at most 5 stored access policies are allowed"))
	}
	var out []accessPolicy
	for _, p := range in.Items {
		out = append(out, accessPolicy{ID: p.ID, Start: p.Policy.Start, Expiry: p.Policy.Expiry, Permission: p.Policy.Permission})
	}
	return out, nil
}

func writePolicies(w http.ResponseWriter, policies []accessPolicy) {
	var out policiesXML
	for _, p := range policies {
		item := policyXML{ID: p.ID}
		item.Policy.Start, item.Policy.Expiry, item.Policy.Permission = p.Start, p.Expiry, p.Permission
		out.Items = append(out.Items, item)
	}
	writeXML(w, http.StatusOK, out)
}

// metadataXML writes each entry as an element of its name.
type metadataXML map[string]string

func (m metadataXML) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for name, value := range m {
		if err := e.EncodeElement(value, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}
