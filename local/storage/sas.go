package storage

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The first SAS version with an encryption scope, below which a service SAS for
// blobs has another text to sign, and the first whose user delegation has
// signed headers.
const (
	minSASVersion        = "2020-12-06"
	minDelegationVersion = "2026-02-06"
)

// accessPolicy is a stored access policy, named by a SAS's si parameter.
type accessPolicy struct {
	ID, Start, Expiry, Permission string
}

// authenticateSAS checks an account, service or user-delegation SAS ("Create a
// service SAS", "Create an account SAS", "Create a user delegation SAS", Azure
// Storage REST documentation).
func (s *Storage) authenticateSAS(r *http.Request, q url.Values, service, account, resource, object string) (grant, error) {
	g, key := grant{perms: q.Get("sp")}, s.key
	var text string
	switch {
	case q.Has("ss"):
		g.types = q.Get("srt")
		text = signedFields(account, q.Get("sp"), q.Get("ss"), q.Get("srt"), q.Get("st"), q.Get("se"), q.Get("sip"), q.Get("spr"), q.Get("sv"))
		if q.Get("sv") >= minSASVersion {
			text += q.Get("ses") + "\n"
		}
		if !strings.Contains(q.Get("ss"), service) {
			return grant{}, fail(http.StatusForbidden, "AuthorizationServiceMismatch", "This request is not authorized to perform this operation using this service.")
		}
	case service == queueService:
		g.scoped = true
		text = strings.TrimSuffix(signedFields(q.Get("sp"), q.Get("st"), q.Get("se"), "/queue/"+account+"/"+resource,
			q.Get("si"), q.Get("sip"), q.Get("spr"), q.Get("sv")), "\n")
	default:
		if q.Get("sv") < minSASVersion {
			return grant{}, denied("A service SAS with a version before " + minSASVersion + " is not supported.")
		}
		g.scoped = true
		name := "/blob/" + account + "/" + resource
		switch q.Get("sr") {
		case "c":
		case "b":
			g.blob, name = object, name+"/"+object
		default:
			return grant{}, denied("The signed resource sr=" + q.Get("sr") + " is not supported.")
		}
		if q.Has("skoid") {
			if q.Get("sv") < minDelegationVersion || q.Has("srh") || q.Has("srq") {
				return grant{}, denied("A user delegation SAS of this version or with signed headers is not supported.")
			}
			if end, err := parseSASTime(q.Get("ske")); err != nil || !s.now().Before(end) {
				return grant{}, denied("The user delegation key has expired.")
			}
			key = s.delegationKey(delegationFields(q))
			text = signedFields(q.Get("sp"), q.Get("st"), q.Get("se"), name) + delegationFields(q) +
				signedFields(q.Get("saoid"), q.Get("suoid"), q.Get("scid"), q.Get("skdutid"), q.Get("sduoid"),
					q.Get("sip"), q.Get("spr"), q.Get("sv"), q.Get("sr"), "", q.Get("ses"), "", "")
		} else {
			text = signedFields(q.Get("sp"), q.Get("st"), q.Get("se"), name, q.Get("si"),
				q.Get("sip"), q.Get("spr"), q.Get("sv"), q.Get("sr"), "", q.Get("ses"))
		}
		text += strings.TrimSuffix(signedFields(q.Get("rscc"), q.Get("rscd"), q.Get("rsce"), q.Get("rscl"), q.Get("rsct")), "\n")
	}
	if !verifyWith(key, text, q.Get("sig")) {
		return grant{}, denied("Signature did not match.")
	}
	start, expiry := q.Get("st"), q.Get("se")
	if id := q.Get("si"); id != "" {
		p, ok := s.storedPolicy(account+"/"+resource, id)
		if !ok || service == queueService {
			return grant{}, denied("The stored access policy of the signature does not exist.")
		}
		g.perms += p.Permission
		start, expiry = cmp.Or(start, p.Start), cmp.Or(expiry, p.Expiry)
	}
	if err := s.checkSAS(r, start, expiry, q.Get("sip"), q.Get("spr")); err != nil {
		return grant{}, err
	}
	return g, nil
}

// signedFields ends every field with a line feed.
func signedFields(fields ...string) string { return strings.Join(fields, "\n") + "\n" }

func (s *Storage) checkSAS(r *http.Request, start, expiry, addresses, protocol string) error {
	end, err := parseSASTime(expiry)
	if err != nil || !s.now().Before(end) {
		return denied("Signature not valid in the specified time frame: the expiry is " + expiry + ".")
	}
	if start != "" {
		begin, err := parseSASTime(start)
		if err != nil || s.now().Before(begin) {
			return denied("Signature not valid in the specified time frame: the start is " + start + ".")
		}
	}
	if protocol == "https" && r.TLS == nil {
		return fail(http.StatusForbidden, "AuthorizationProtocolMismatch", "This request is not authorized to perform this operation using this protocol.")
	}
	if addresses != "" && !inRange(r.RemoteAddr, addresses) {
		return fail(http.StatusForbidden, "AuthorizationSourceIPMismatch", "This request is not authorized to perform this operation using this source IP.")
	}
	return nil
}

func parseSASTime(value string) (time.Time, error) {
	var t time.Time
	var err error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z", "2006-01-02"} {
		if t, err = time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return t, err
}

func inRange(remote, addresses string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	first, last, isRange := strings.Cut(addresses, "-")
	if !isRange {
		last = first
	}
	low, err1 := netip.ParseAddr(first)
	high, err2 := netip.ParseAddr(last)
	return err1 == nil && err2 == nil && low.Compare(at) <= 0 && at.Compare(high) <= 0
}

// storedPolicy finds a stored access policy of a container; queues have none here.
func (s *Storage) storedPolicy(container, id string) (accessPolicy, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.state.containers[container]; c != nil {
		if i := slices.IndexFunc(c.props.Policies, func(p accessPolicy) bool { return p.ID == id }); i >= 0 {
			return c.props.Policies[i], true
		}
	}
	return accessPolicy{}, false
}

// authorize decides whether a credential allows an operation: need are the
// permission letters of which one is enough, kind the resource type (s, c, o),
// listing whether it is the one container operation that a service SAS allows.
func (g grant) authorize(object, need, kind string, listing bool) error {
	switch {
	case g.full:
		return nil
	case g.anonymous:
		return fail(http.StatusUnauthorized, "NoAuthenticationInformation",
			"Server failed to authenticate the request. Please refer to the information in the www-authenticate header.")
	case g.types != "" && !strings.Contains(g.types, kind):
		return fail(http.StatusForbidden, "AuthorizationResourceTypeMismatch", "This request is not authorized to perform this operation using this resource type.")
	case g.scoped && kind != "o" && !listing, g.blob != "" && g.blob != object:
		return fail(http.StatusForbidden, "AuthorizationFailure", "This request is not authorized to perform this operation.")
	case !g.has(need):
		return permissionMismatch()
	}
	return nil
}

func permissionMismatch() error {
	return fail(http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
}

// Identity of the bearer token in user delegation keys.
const delegationID = "00000000-0000-0000-0000-000000000000"

// delegationFields is the part of a user-delegation SAS that names its key.
func delegationFields(q url.Values) string {
	return signedFields(q.Get("skoid"), q.Get("sktid"), q.Get("skt"), q.Get("ske"), q.Get("sks"), q.Get("skv"))
}

// delegationKey derives the key from its fields, so none is ever stored.
func (s *Storage) delegationKey(fields string) []byte { return mac(s.key, "delegation\n"+fields) }

// getUserDelegationKey answers POST ?restype=service&comp=userdelegationkey.
func (s *Storage) getUserDelegationKey(rq *request) error {
	if !strings.HasPrefix(rq.r.Header.Get("Authorization"), "Bearer ") {
		return denied("Only a bearer token can get a user delegation key.")
	}
	var in struct{ Start, Expiry string }
	if err := readXML(rq.r, &in); err != nil {
		return err
	}
	end, err := parseSASTime(in.Expiry)
	if err != nil || !end.After(s.now()) || end.After(s.now().Add(7*24*time.Hour+time.Minute)) {
		return fail(http.StatusBadRequest, "InvalidXmlNodeValue", "The expiry of a user delegation key must be within 7 days.")
	}
	start, err := parseSASTime(in.Start)
	if err != nil {
		start = s.now()
	}
	out := struct {
		XMLName                                                                              xml.Name `xml:"UserDelegationKey"`
		SignedOid, SignedTid, SignedStart, SignedExpiry, SignedService, SignedVersion, Value string
	}{
		SignedOid: delegationID, SignedTid: delegationID, SignedService: blobService, SignedVersion: serviceVersion(rq.r),
		SignedStart: start.UTC().Format(sasTime), SignedExpiry: end.UTC().Format(sasTime),
	}
	fields := signedFields(out.SignedOid, out.SignedTid, out.SignedStart, out.SignedExpiry, out.SignedService, out.SignedVersion)
	out.Value = base64.StdEncoding.EncodeToString(s.delegationKey(fields))
	writeXML(rq.w, http.StatusOK, out)
	return nil
}

const sasTime = "2006-01-02T15:04:05Z"
