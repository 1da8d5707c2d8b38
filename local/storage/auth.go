package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Services of an account, as a SAS names them.
const (
	blobService  = "b"
	queueService = "q"
)

// grant is what a request's credential allows.
type grant struct {
	full      bool   // account key or bearer token
	anonymous bool   // no credential: only what a container's access level opens
	perms     string // letters of a SAS
	types     string // resource types of an account SAS (s, c, o); "" for a service SAS
	blob      string // the only blob of a service SAS with sr=b; "" for the container
	scoped    bool   // service SAS: objects (and listing) of one container or queue
}

// has tells whether any of the permission letters is granted.
func (g grant) has(letters string) bool { return g.full || strings.ContainsAny(g.perms, letters) }

const clockSkew = 15 * time.Minute

func denied(detail string) error {
	return fail(http.StatusForbidden, "AuthenticationFailed",
		"Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature. %s", detail)
}

// authenticate checks the credential of a data-plane request for
// account/resource/object. It does not look at the operation.
func (s *Storage) authenticate(r *http.Request, q url.Values, service, account, resource, object string) (grant, error) {
	header := r.Header.Get("Authorization")
	scheme, credential, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "SharedKey"):
		name, signature, _ := strings.Cut(credential, ":")
		if name != account {
			return grant{}, denied("The account in the Authorization header is not the account in the path.")
		}
		if err := s.checkDate(r); err != nil {
			return grant{}, err
		}
		for _, byWeight := range []bool{false, true} {
			if s.verify(stringToSign(r, q, account, byWeight), signature) {
				return grant{full: true}, nil
			}
		}
		return grant{}, denied("The MAC signature found in the HTTP request is not the same as any computed signature.")
	case strings.EqualFold(scheme, "Bearer"):
		if !s.bearer(credential) {
			return grant{}, denied("The bearer token is not accepted.")
		}
		return grant{full: true}, nil
	case header != "":
		return grant{}, denied("The authorization scheme " + strconv.Quote(scheme) + " is not supported.")
	case q.Get("sig") != "":
		return s.authenticateSAS(r, q, service, account, resource, object)
	}
	return grant{anonymous: true}, nil
}

func (s *Storage) bearer(token string) bool {
	return s.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) == 1
}

func (s *Storage) checkDate(r *http.Request) error {
	value := r.Header.Get("x-ms-date")
	if value == "" {
		value = r.Header.Get("Date")
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return denied("The date header in the request is missing or incorrect.")
	}
	if age := s.now().Sub(at).Abs(); age > clockSkew {
		return denied("The date header in the request is more than 15 minutes off.")
	}
	return nil
}

// verify compares a base64 HMAC-SHA256 under the account key.
func (s *Storage) verify(text, signature string) bool {
	return verifyWith(s.key, text, signature)
}

func verifyWith(key []byte, text, signature string) bool {
	got, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && hmac.Equal(got, mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// stringToSign is the text of a Shared Key signature ("Authorize with Shared
// Key", Azure Storage REST documentation). The order of the x-ms- headers is
// either that of the bytes or, byWeight, that of headerLess: SDKs differ.
func stringToSign(r *http.Request, q url.Values, account string, byWeight bool) string {
	length := ""
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	date := r.Header.Get("Date")
	if r.Header.Get("x-ms-date") != "" {
		date = ""
	}
	h := r.Header.Get
	var b strings.Builder
	for _, part := range []string{
		r.Method, h("Content-Encoding"), h("Content-Language"), length, h("Content-MD5"), h("Content-Type"), date,
		h("If-Modified-Since"), h("If-Match"), h("If-None-Match"), h("If-Unmodified-Since"), h("Range"),
	} {
		b.WriteString(part)
		b.WriteByte('\n')
	}
	b.WriteString(canonicalHeaders(r.Header, byWeight))
	b.WriteString("/" + account + r.URL.EscapedPath())
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		values := slices.Sorted(slices.Values(q[name]))
		b.WriteString("\n" + strings.ToLower(name) + ":" + strings.Join(values, ","))
	}
	return b.String()
}

func canonicalHeaders(header http.Header, byWeight bool) string {
	values := map[string]string{}
	names := []string{}
	for key, v := range header {
		if name := strings.ToLower(key); strings.HasPrefix(name, "x-ms-") {
			names = append(names, name)
			values[name] = strings.Join(v, ",")
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if byWeight {
			if order := strings.Compare(headerWeight(a), headerWeight(b)); order != 0 {
				return order
			}
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return b.String()
}

// headerWeight gives the order of azblob's signer among header names: `-` has
// no weight and the other punctuation of tokens sorts before digits, digits
// before letters, in the order of that signer's weight table.
func headerWeight(name string) string {
	const order = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for i := range len(name) {
		if at := strings.IndexByte(order, name[i]); at >= 0 {
			b.WriteByte(byte(at + 1))
		}
	}
	return b.String()
}
