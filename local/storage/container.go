package storage

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

func containerNotFound() error {
	return fail(http.StatusNotFound, "ContainerNotFound", "The specified container does not exist.")
}

// find returns the request's container.
func (st *state) container(rq *request) (*container, error) {
	if c := st.containers[rq.key()]; c != nil {
		return c, nil
	}
	return nil, containerNotFound()
}

// beingDeleted tells whether a name is not free yet. Called with the state
// locked for writing.
func (s *Storage) beingDeleted(key string) bool {
	until, waiting := s.deleting[key]
	if waiting && !s.now().Before(until) {
		delete(s.deleting, key)
		return false
	}
	return waiting
}

func (s *Storage) createContainer(rq *request) error {
	if err := validResource(rq.container); err != nil {
		return err
	}
	access, err := publicAccess(rq)
	if err != nil {
		return err
	}
	p := &containerProps{Access: access, Metadata: metadataOf(rq.r.Header)}
	err = s.update(func(t *tx) error {
		if s.beingDeleted("container/" + rq.key()) {
			return fail(http.StatusConflict, "ContainerBeingDeleted", "The specified container is being deleted. Try operation later.")
		}
		if s.state.containers[rq.key()] != nil {
			return fail(http.StatusConflict, "ContainerAlreadyExists", "The specified container already exists.")
		}
		t.putContainer(rq, p)
		return nil
	})
	if err != nil {
		return err
	}
	setVersion(rq.w.Header(), p.ETag, p.Modified)
	rq.w.WriteHeader(http.StatusCreated)
	return nil
}

// putContainer stores properties under a new ETag.
func (t *tx) putContainer(rq *request, p *containerProps) {
	p.ETag, p.Modified = t.etag()
	t.put(kindContainer, []string{rq.key()}, p)
}

// etag returns the version of what is written now, in Azure's form.
func (t *tx) etag() (string, time.Time) {
	tick := t.tick()
	return `"0x` + strings.ToUpper(hex16(tick)) + `"`, time.Unix(0, tick).UTC()
}

func publicAccess(rq *request) (string, error) {
	switch v := rq.header("x-ms-blob-public-access"); v {
	case "", "blob", "container":
		return v, nil
	default:
		return "", badHeader("x-ms-blob-public-access", v)
	}
}

func (s *Storage) getContainer(rq *request) error {
	return s.withContainer(rq, func(c *container, now time.Time) error {
		h := rq.w.Header()
		setVersion(h, c.props.ETag, c.props.Modified)
		setMetadata(h, c.props.Metadata)
		c.props.Lease.setHeaders(h, now)
		if c.props.Access != "" {
			h.Set("x-ms-blob-public-access", c.props.Access)
		}
		h.Set("x-ms-has-immutability-policy", "false")
		h.Set("x-ms-has-legal-hold", "false")
		return nil
	}, func() { rq.w.WriteHeader(http.StatusOK) })
}

// withContainer runs read on the request's container, then answer once what was
// read is on disk.
func (s *Storage) withContainer(rq *request, read func(*container, time.Time) error, answer func()) error {
	err := s.view(func(st *state) error {
		c, err := st.container(rq)
		if err != nil {
			return err
		}
		if err := c.props.Lease.check(rq, s.now(), "Container", false); err != nil {
			return err
		}
		return read(c, s.now())
	})
	if err == nil {
		answer()
	}
	return err
}

func (s *Storage) deleteContainer(rq *request) error {
	err := s.update(func(t *tx) error {
		c, err := s.state.container(rq)
		if err != nil {
			return err
		}
		if err := checkWrite(rq.r.Header, c.props.ETag, c.props.Modified); err != nil {
			return err
		}
		if err := c.props.Lease.check(rq, s.now(), "Container", true); err != nil {
			return err
		}
		c.files(t.remove)
		t.del(kindContainer, rq.key())
		if s.cfg.DeleteDelay > 0 {
			s.deleting["container/"+rq.key()] = s.now().Add(s.cfg.DeleteDelay)
		}
		return nil
	})
	if err == nil {
		rq.w.WriteHeader(http.StatusAccepted)
	}
	return err
}

// changeContainer stores a changed copy of the properties.
func (s *Storage) changeContainer(rq *request, change func(*containerProps)) error {
	var p containerProps
	err := s.update(func(t *tx) error {
		c, err := s.state.container(rq)
		if err != nil {
			return err
		}
		if err := checkWrite(rq.r.Header, c.props.ETag, c.props.Modified); err != nil {
			return err
		}
		if err := c.props.Lease.check(rq, s.now(), "Container", false); err != nil {
			return err
		}
		p = *c.props
		change(&p)
		t.putContainer(rq, &p)
		return nil
	})
	if err == nil {
		setVersion(rq.w.Header(), p.ETag, p.Modified)
		rq.w.WriteHeader(http.StatusOK)
	}
	return err
}

func (s *Storage) setContainerMetadata(rq *request) error {
	return s.changeContainer(rq, func(p *containerProps) { p.Metadata = metadataOf(rq.r.Header) })
}

func (s *Storage) setContainerACL(rq *request) error {
	access, err := publicAccess(rq)
	if err != nil {
		return err
	}
	policies, err := readPolicies(rq.r)
	if err != nil {
		return err
	}
	return s.changeContainer(rq, func(p *containerProps) { p.Access, p.Policies = access, policies })
}

func (s *Storage) getContainerACL(rq *request) error {
	var p containerProps
	return s.withContainer(rq, func(c *container, _ time.Time) error {
		p = *c.props
		setVersion(rq.w.Header(), p.ETag, p.Modified)
		if p.Access != "" {
			rq.w.Header().Set("x-ms-blob-public-access", p.Access)
		}
		return nil
	}, func() { writePolicies(rq.w, p.Policies) })
}

func (s *Storage) leaseContainer(rq *request) error {
	var status int
	err := s.update(func(t *tx) error {
		c, err := s.state.container(rq)
		if err != nil {
			return err
		}
		p := *c.props
		if p.Lease, status, err = p.Lease.act(rq, s.now()); err != nil {
			return err
		}
		setVersion(rq.w.Header(), p.ETag, p.Modified)
		t.put(kindContainer, []string{rq.key()}, &p)
		return nil
	})
	if err == nil {
		rq.w.WriteHeader(status)
	}
	return err
}

type listedContainer struct {
	Name       string
	Properties struct {
		LastModified    string `xml:"Last-Modified"`
		ETag            string `xml:"Etag"`
		LeaseStatus     string
		LeaseState      string
		LeaseDuration   string `xml:",omitempty"`
		PublicAccess    string `xml:",omitempty"`
		HasImmutability bool   `xml:"HasImmutabilityPolicy"`
		HasLegalHold    bool
	}
	Metadata metadataXML `xml:",omitempty"`
}

func (s *Storage) listContainers(rq *request) error {
	names, page, err := pageOf(rq)
	if err != nil {
		return err
	}
	withMetadata := slices.Contains(strings.Split(rq.q.Get("include"), ","), "metadata")
	out := struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Endpoint   string   `xml:"ServiceEndpoint,attr"`
		Prefix     string
		Marker     string
		MaxResults int
		Containers []listedContainer `xml:"Containers>Container"`
		NextMarker string
	}{Endpoint: "http://" + rq.r.Host + "/" + rq.account + "/", Prefix: page.prefix, Marker: rq.q.Get("marker"), MaxResults: page.max}
	err = s.view(func(st *state) error {
		found, next := names(slices.Sorted(maps.Keys(st.containers)))
		out.NextMarker = next
		for _, name := range found {
			p, item := st.containers[rq.account+"/"+name].props, listedContainer{Name: name}
			now := s.now()
			item.Properties.LastModified = p.Modified.UTC().Format(http.TimeFormat)
			item.Properties.ETag = p.ETag
			item.Properties.LeaseState, item.Properties.LeaseStatus = p.Lease.state(now), p.Lease.status(now)
			if p.Lease.state(now) == "leased" {
				item.Properties.LeaseDuration = p.Lease.duration()
			}
			item.Properties.PublicAccess = p.Access
			if withMetadata && len(p.Metadata) > 0 {
				item.Metadata = p.Metadata
			}
			out.Containers = append(out.Containers, item)
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeXML(rq.w, http.StatusOK, out)
	return nil
}

// page is what a listing request asks for.
type page struct {
	prefix, marker string // marker is the first name of the page
	max            int
}

const maxPage = 5000

func readPage(rq *request) (page, error) {
	n, err := intQuery(rq.q, "maxresults", 1, 1<<31-1, maxPage)
	if err != nil {
		return page{}, err
	}
	p := page{prefix: rq.q.Get("prefix"), max: int(min(n, maxPage))}
	p.marker, err = decodeMarker(rq.q.Get("marker"))
	return p, err
}

func encodeMarker(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func decodeMarker(marker string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil {
		return "", badQuery("marker", marker)
	}
	return string(name), nil
}

// pageOf returns a function that picks one page of the account's names out of
// sorted state keys, and the marker of the next page.
func pageOf(rq *request) (func(keys []string) (names []string, next string), page, error) {
	p, err := readPage(rq)
	return func(keys []string) (names []string, next string) {
		for _, key := range keys {
			name, mine := strings.CutPrefix(key, rq.account+"/")
			if !mine || !strings.HasPrefix(name, p.prefix) || name < p.marker {
				continue
			}
			if len(names) == p.max {
				return names, encodeMarker(name)
			}
			names = append(names, name)
		}
		return names, ""
	}, p, err
}
