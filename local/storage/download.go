package storage

import (
	"cmp"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

// byteRange is a half-open range in bytes.
type byteRange struct{ from, to int64 }

func invalidRange() error {
	return fail(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range specified is invalid for the current size of the resource.")
}

var rangeHeader = regexp.MustCompile(`^bytes=([0-9]+)-([0-9]*)$`)

// parseRange reads `bytes=FROM-` or `bytes=FROM-LAST` for an object of size
// bytes. A header of another form is ignored, as HTTP wants it.
func parseRange(text string, size int64) (rg byteRange, partial bool, err error) {
	m := rangeHeader.FindStringSubmatch(text)
	if m == nil {
		return byteRange{0, size}, false, nil
	}
	from, err1 := strconv.ParseInt(m[1], 10, 64)
	last, err2 := size-1, error(nil)
	if m[2] != "" {
		last, err2 = strconv.ParseInt(m[2], 10, 64)
	}
	switch {
	case err1 != nil || err2 != nil || m[2] != "" && last < from:
		return byteRange{0, size}, false, nil //nolint:nilerr // ignored, as above
	case from >= size:
		return byteRange{}, false, invalidRange()
	}
	return byteRange{from, min(last, size-1) + 1}, true, nil
}

// readBlob finds the request's blob for reading, checks conditions and lease,
// sets the headers and hands it to use under the lock.
func (s *Storage) readBlob(rq *request, use func(*blob) error) error {
	return s.view(func(st *state) error {
		c, err := st.container(rq)
		if err != nil {
			return err
		}
		b := c.blobs[rq.object]
		if b == nil {
			return blobNotFound()
		}
		if err := checkRead(rq.r.Header, b.ETag, b.Modified); err != nil {
			if asFault(err).status == http.StatusNotModified {
				setVersion(rq.w.Header(), b.ETag, b.Modified)
			}
			return err
		}
		if err := b.Lease.check(rq, s.now(), "Blob", false); err != nil {
			return err
		}
		return use(b)
	})
}

func (s *Storage) getBlob(rq *request) error {
	var f *os.File
	var rg byteRange
	var partial bool
	err := s.readBlob(rq, func(b *blob) (err error) {
		if b.Tier == "Archive" {
			return blobArchived()
		}
		rg, partial, err = parseRange(cmp.Or(rq.header("x-ms-range"), rq.header("Range")), b.Size)
		if err != nil {
			return err
		}
		if f, err = os.Open(s.path(b.File)); err != nil {
			return s.internal(err)
		}
		s.setBlobHeaders(rq, b)
		if partial {
			rq.w.Header().Set("Content-Range", "bytes "+strconv.FormatInt(rg.from, 10)+"-"+strconv.FormatInt(rg.to-1, 10)+"/"+strconv.FormatInt(b.Size, 10))
			rq.w.Header().Del("Content-MD5")
			if b.MD5 != nil {
				rq.w.Header().Set("x-ms-blob-content-md5", encodeMD5(b.MD5))
			}
		}
		return nil
	})
	if f != nil {
		defer f.Close()
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
	}
	if _, err := f.Seek(rg.from, io.SeekStart); err != nil {
		return s.internal(err)
	}
	rq.w.Header().Set("Content-Length", strconv.FormatInt(rg.to-rg.from, 10))
	rq.w.WriteHeader(status)
	if _, err := io.CopyN(rq.w, f, rg.to-rg.from); err != nil {
		s.log.Debug("download ended early", "path", rq.r.URL.Path, "err", err)
	}
	return nil
}

// getBlobProperties is Get Blob Properties and Get Blob Metadata: headers only.
func (s *Storage) getBlobProperties(rq *request) error {
	err := s.readBlob(rq, func(b *blob) error {
		s.setBlobHeaders(rq, b)
		rq.w.Header().Set("Content-Length", strconv.FormatInt(b.Size, 10))
		return nil
	})
	if err == nil && rq.r.Method != http.MethodHead {
		rq.w.Header().Set("Content-Length", "0")
	}
	return done(rq, http.StatusOK, err)
}

func (s *Storage) setBlobHeaders(rq *request, b *blob) {
	h := rq.w.Header()
	setVersion(h, b.ETag, b.Modified)
	setMetadata(h, b.Metadata)
	for _, f := range []struct{ name, value, override string }{
		{"Content-Type", b.ContentType, "rsct"}, {"Content-Encoding", b.ContentEncoding, "rsce"},
		{"Content-Language", b.ContentLanguage, "rscl"}, {"Content-Disposition", b.ContentDisposition, "rscd"},
		{"Cache-Control", b.CacheControl, "rscc"},
	} {
		value := f.value
		if rq.q.Get("sig") != "" { // a SAS may override what it signs
			value = cmp.Or(rq.q.Get(f.override), value)
		}
		if value != "" {
			h.Set(f.name, value)
		}
	}
	if b.MD5 != nil {
		h.Set("Content-MD5", encodeMD5(b.MD5))
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-ms-creation-time", b.Created.UTC().Format(http.TimeFormat))
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-server-encrypted", "true")
	h.Set("x-ms-access-tier", cmp.Or(b.Tier, defaultTier))
	if b.Tier == "" {
		h.Set("x-ms-access-tier-inferred", "true")
	}
	if len(b.Tags) > 0 {
		h.Set("x-ms-tag-count", strconv.Itoa(len(b.Tags)))
	}
	if b.Copy != nil {
		h.Set("x-ms-copy-id", b.Copy.ID)
		h.Set("x-ms-copy-source", b.Copy.Source)
		h.Set("x-ms-copy-status", "success")
		h.Set("x-ms-copy-progress", copyProgress(b))
		h.Set("x-ms-copy-completion-time", b.Copy.Completed.UTC().Format(http.TimeFormat))
	}
	b.Lease.setHeaders(h, s.now())
}
