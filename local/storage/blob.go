package storage

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const defaultTier = "Hot"

func blobNotFound() error {
	return fail(http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
}

// target finds the container and the blob of a write, nil where there is none
// yet, and checks conditions, lease and permission to replace.
func (s *Storage) target(rq *request) (*container, *blob, error) {
	c, err := s.state.container(rq)
	if err != nil {
		return nil, nil, err
	}
	b := c.blobs[rq.object]
	if b == nil {
		if rq.header("x-ms-lease-id") != "" {
			return nil, nil, lease{}.check(rq, s.now(), "Blob", true)
		}
		return c, nil, checkWrite(rq.r.Header, "", s.now())
	}
	if err := checkWrite(rq.r.Header, b.ETag, b.Modified); err != nil {
		return nil, nil, err
	}
	if err := b.Lease.check(rq, s.now(), "Blob", true); err != nil {
		return nil, nil, err
	}
	return c, b, nil
}

// commit stores a new version of a blob and its event. api is the name of the
// operation in the event; old is the version that it replaces, if any.
func (t *tx) commit(rq *request, c *container, old, b *blob, api string) error {
	if old != nil {
		if !rq.grant.has("w") {
			return permissionMismatch()
		}
		b.Lease, b.Created = old.Lease, old.Created
		t.remove(old.File)
	}
	t.dropStaged(rq, c)
	b.ETag, b.Modified = t.etag()
	if old == nil {
		b.Created = b.Modified
	}
	t.put(kindBlob, []string{rq.key(), rq.object}, b)
	t.emit(rq, b, api)
	return nil
}

func (t *tx) dropStaged(rq *request, c *container) {
	if len(c.staged[rq.object]) > 0 {
		c.stagedFiles(rq.object, t.remove)
		t.del(kindStaged, rq.key(), rq.object)
	}
}

// putBlob is Put Blob, or Copy Blob where a source is named.
func (s *Storage) putBlob(rq *request) error {
	if rq.header("x-ms-copy-source") != "" {
		if rq.header("x-ms-blob-type") != "" {
			return unsupported("Put Blob From URL")
		}
		return s.copyBlob(rq)
	}
	switch kind := rq.header("x-ms-blob-type"); kind {
	case "BlockBlob":
	case "AppendBlob", "PageBlob":
		return unsupported("The blob type " + kind)
	default:
		return badHeader("x-ms-blob-type", kind)
	}
	b, err := newBlob(rq)
	if err != nil {
		return err
	}
	up, err := s.upload(rq)
	if err != nil {
		return err
	}
	b.File, b.Size = up.file, up.size
	if b.MD5 == nil {
		b.MD5 = up.md5
	}
	if err := s.store(rq, b, "PutBlob"); err != nil {
		return err
	}
	up.setHeaders(rq.w.Header())
	rq.w.WriteHeader(http.StatusCreated)
	return nil
}

// store commits an uploaded file as the request's blob, or removes the file.
func (s *Storage) store(rq *request, b *blob, api string) error {
	err := s.update(func(t *tx) error {
		c, old, err := s.target(rq)
		if err == nil {
			err = t.commit(rq, c, old, b, api)
		}
		if err != nil {
			t.remove(b.File)
		}
		return err
	})
	if err == nil {
		setVersion(rq.w.Header(), b.ETag, b.Modified)
		rq.w.Header().Set("x-ms-request-server-encrypted", "true")
	}
	return err
}

// newBlob takes the properties of a new version from the headers.
func newBlob(rq *request) (*blob, error) {
	b := &blob{Metadata: metadataOf(rq.r.Header)}
	var err error
	if b.Tags, err = parseTags(rq.header("x-ms-tags")); err != nil {
		return nil, err
	}
	if b.Tier, err = parseTier(rq.header("x-ms-access-tier")); err != nil {
		return nil, err
	}
	if err := b.setContent(rq, true); err != nil {
		return nil, err
	}
	if b.ContentType == "" {
		b.ContentType = "application/octet-stream"
	}
	return b, nil
}

// setContent takes the x-ms-blob-* headers, and the plain ones where Put Blob
// falls back to them.
func (b *blob) setContent(rq *request, fallBack bool) error {
	get := func(name string) string {
		v := rq.header("x-ms-blob-" + name)
		if v == "" && fallBack {
			v = rq.header(name)
		}
		return v
	}
	b.ContentType, b.ContentEncoding, b.ContentLanguage = get("content-type"), get("content-encoding"), get("content-language")
	b.CacheControl, b.ContentDisposition = get("cache-control"), rq.header("x-ms-blob-content-disposition")
	b.MD5 = nil
	if text := rq.header("x-ms-blob-content-md5"); text != "" {
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sum) != 16 {
			return badHeader("x-ms-blob-content-md5", text)
		}
		b.MD5 = sum
	}
	return nil
}

func encodeMD5(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

func parseTier(tier string) (string, error) {
	switch tier {
	case "", "Hot", "Cool", "Cold", "Archive":
		return tier, nil
	}
	return "", badHeader("x-ms-access-tier", tier)
}

// change stores a changed copy of the request's blob. touch gives it a new
// ETag; lease tells whether a held lease must be named.
func (s *Storage) change(rq *request, touch, lease bool, change func(*blob) error) error {
	var b blob
	return s.update(func(t *tx) error {
		c, err := s.state.container(rq)
		if err != nil {
			return err
		}
		old := c.blobs[rq.object]
		if old == nil {
			return blobNotFound()
		}
		if err := checkWrite(rq.r.Header, old.ETag, old.Modified); err != nil {
			return err
		}
		if lease {
			if err := old.Lease.check(rq, s.now(), "Blob", true); err != nil {
				return err
			}
		}
		b = *old
		if err := change(&b); err != nil {
			return err
		}
		if touch {
			b.ETag, b.Modified = t.etag()
		}
		t.put(kindBlob, []string{rq.key(), rq.object}, &b)
		setVersion(rq.w.Header(), b.ETag, b.Modified)
		return nil
	})
}

func (s *Storage) setBlobMetadata(rq *request) error {
	return done(rq, http.StatusOK, s.change(rq, true, true, func(b *blob) error {
		b.Metadata = metadataOf(rq.r.Header)
		return nil
	}))
}

func (s *Storage) setBlobProperties(rq *request) error {
	return done(rq, http.StatusOK, s.change(rq, true, true, func(b *blob) error { return b.setContent(rq, false) }))
}

func (s *Storage) setBlobTier(rq *request) error {
	tier, err := parseTier(rq.header("x-ms-access-tier"))
	if err != nil || tier == "" {
		return badHeader("x-ms-access-tier", tier)
	}
	return done(rq, http.StatusOK, s.change(rq, false, false, func(b *blob) error { b.Tier = tier; return nil }))
}

func (s *Storage) leaseBlob(rq *request) error {
	var status int
	err := s.change(rq, false, false, func(b *blob) (err error) {
		b.Lease, status, err = b.Lease.act(rq, s.now())
		return err
	})
	return done(rq, status, err)
}

// done answers a request that succeeded with a bare status.
func done(rq *request, status int, err error) error {
	if err == nil {
		rq.w.WriteHeader(status)
	}
	return err
}

func (s *Storage) deleteBlob(rq *request) error {
	if v := rq.header("x-ms-delete-snapshots"); v == "only" {
		return unsupported("Deleting snapshots")
	}
	return done(rq, http.StatusAccepted, s.update(func(t *tx) error {
		c, b, err := s.target(rq)
		if err != nil {
			return err
		}
		if b == nil {
			return blobNotFound()
		}
		t.remove(b.File)
		t.dropStaged(rq, c)
		t.del(kindBlob, rq.key(), rq.object)
		return nil
	}))
}

// copySource resolves x-ms-copy-source to a blob of this account. The request's own credential reads it: a signature in the
// address is not looked at.
func copySource(rq *request) (container, name string, err error) {
	source := rq.header("x-ms-copy-source")
	u, err := url.Parse(source)
	if err == nil && u.Host == rq.r.Host && rq.grant.full {
		var account string
		if account, container, name = splitPath(u.Path); account == rq.account && container != "" && name != "" {
			return container, name, nil
		}
	}
	return "", "", fail(http.StatusForbidden, "CannotVerifyCopySource", "The copy source %q is not a blob of this account that the request may read.", redact(source))
}

func redact(link string) string {
	bare, _, _ := strings.Cut(link, "?")
	return bare
}

// copyBlob is Copy Blob within the account; it is finished when it answers.
func (s *Storage) copyBlob(rq *request) error {
	container, name, err := copySource(rq)
	if err != nil {
		return err
	}
	b, err := newBlob(rq)
	if err != nil {
		return err
	}
	source := rq.header("x-ms-copy-source")
	err = s.update(func(t *tx) error {
		from := s.state.containers[rq.account+"/"+container]
		if from == nil || from.blobs[name] == nil {
			return fail(http.StatusNotFound, "CannotVerifyCopySource", "The specified copy source does not exist.")
		}
		src := *from.blobs[name]
		if src.Tier == "Archive" {
			return blobArchived()
		}
		if v := rq.header("x-ms-source-if-match"); v != "" && v != src.ETag {
			return fail(http.StatusPreconditionFailed, "SourceConditionNotMet", "The source condition specified using HTTP conditional header(s) is not met.")
		}
		c, old, err := s.target(rq)
		if err != nil {
			return err
		}
		if src.File, err = s.link(src.File); err != nil {
			return err
		}
		src.Tier, src.Tags, src.Lease = b.Tier, b.Tags, lease{}
		if b.Metadata != nil {
			src.Metadata = b.Metadata
		}
		src.Copy = &copyInfo{ID: newID(), Source: redact(source), Completed: s.now().UTC()}
		*b = src
		if err := t.commit(rq, c, old, b, "CopyBlob"); err != nil {
			t.remove(b.File)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	h := rq.w.Header()
	setVersion(h, b.ETag, b.Modified)
	h.Set("x-ms-copy-id", b.Copy.ID)
	h.Set("x-ms-copy-status", "success")
	rq.w.WriteHeader(http.StatusAccepted)
	return nil
}

func copyProgress(b *blob) string {
	size := strconv.FormatInt(b.Size, 10)
	return size + "/" + size
}

func blobArchived() error {
	return fail(http.StatusConflict, "BlobArchived", "This operation is not permitted on an archived blob.")
}
