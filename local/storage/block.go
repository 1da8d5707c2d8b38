package storage

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
)

const maxBlocks = 50000

func invalidBlock(id string) error {
	return fail(http.StatusBadRequest, "InvalidBlobOrBlock", "The specified blob or block content is invalid: block id %q.", id)
}

// validBlockID checks that an id is base64 of 1 to 64 bytes.
func validBlockID(id string) bool {
	raw, err := base64.StdEncoding.DecodeString(id)
	return err == nil && len(raw) > 0 && len(raw) <= 64
}

func (s *Storage) putBlock(rq *request) error {
	if rq.header("x-ms-copy-source") != "" {
		return unsupported("Put Block From URL")
	}
	id := rq.q.Get("blockid")
	if !validBlockID(id) {
		return badQuery("blockid", id)
	}
	up, err := s.upload(rq)
	if err != nil {
		return err
	}
	err = s.update(func(t *tx) error {
		c, _, err := s.target(rq)
		for other := range c.stagedOf(rq.object) {
			if err == nil && len(other) != len(id) {
				err = invalidBlock(id) // all ids of a blob have one length
			}
			break
		}
		if err != nil {
			t.remove(up.file)
			return err
		}
		if old := c.staged[rq.object][id]; old != nil {
			t.remove(old.File)
		}
		t.put(kindBlock, []string{rq.key(), rq.object, id}, &block{ID: id, Size: up.size, File: up.file})
		return nil
	})
	if err != nil {
		return err
	}
	up.setHeaders(rq.w.Header())
	rq.w.Header().Set("x-ms-request-server-encrypted", "true")
	rq.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *container) stagedOf(name string) map[string]*block {
	if c == nil {
		return nil
	}
	return c.staged[name]
}

// blockRef is one entry of a block list in the order of the request.
type blockRef struct{ from, id string }

// parseBlockList reads the body of Put Block List.
func parseBlockList(body []byte) ([]blockRef, error) {
	var in struct {
		XMLName xml.Name `xml:"BlockList"`
		Entries []struct {
			XMLName xml.Name
			ID      string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		return nil, badXML(err)
	}
	if len(in.Entries) > maxBlocks {
		return nil, fail(http.StatusBadRequest, "BlockListTooLong", "The block list may not contain more than %d blocks.", maxBlocks)
	}
	refs := make([]blockRef, 0, len(in.Entries))
	for _, e := range in.Entries {
		switch e.XMLName.Local {
		case "Committed", "Uncommitted", "Latest":
		default:
			return nil, badXML(errors.New("unexpected element " + e.XMLName.Local))
		}
		if !validBlockID(e.ID) {
			return nil, invalidBlock(e.ID)
		}
		refs = append(refs, blockRef{e.XMLName.Local, e.ID})
	}
	return refs, nil
}

// resolve finds the bytes of each block: in the uncommitted blocks or in the
// blob's present version.
func (c *container) resolve(name string, refs []blockRef) (parts []part, blocks []block, err error) {
	committed := map[string]part{}
	if b := c.blobs[name]; b != nil {
		var offset int64
		for _, k := range b.Blocks {
			committed[k.ID] = part{b.File, offset, k.Size}
			offset += k.Size
		}
	}
	for _, ref := range refs {
		p, found := committed[ref.id]
		if k := c.staged[name][ref.id]; k != nil && ref.from != "Committed" {
			p, found = part{k.File, 0, k.Size}, true
		} else if ref.from == "Uncommitted" {
			found = false
		}
		if !found {
			return nil, nil, fail(http.StatusBadRequest, "InvalidBlockList", "The specified block list is invalid: no block %q.", ref.id)
		}
		parts, blocks = append(parts, p), append(blocks, block{ID: ref.id, Size: p.size})
	}
	return parts, blocks, nil
}

func (s *Storage) putBlockList(rq *request) error {
	body, err := readBody(rq.r)
	if err != nil {
		return err
	}
	refs, err := parseBlockList(body)
	if err != nil {
		return err
	}
	b, err := newBlob(rq)
	if err != nil {
		return err
	}
	// The bytes are put together without the lock. If the blocks were replaced
	// meanwhile, it is done again.
	for {
		stale, err := s.tryBlockList(rq, refs, b)
		if err != nil {
			return err
		}
		if !stale {
			setVersion(rq.w.Header(), b.ETag, b.Modified)
			rq.w.Header().Set("x-ms-request-server-encrypted", "true")
			rq.w.WriteHeader(http.StatusCreated)
			return nil
		}
	}
}

func (s *Storage) tryBlockList(rq *request, refs []blockRef, b *blob) (stale bool, err error) {
	var parts []part
	err = s.view(func(st *state) error {
		c, err := st.container(rq)
		if err == nil {
			parts, b.Blocks, err = c.resolve(rq.object, refs)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	file, asmErr := s.assemble(parts) // fails also if a file was replaced meanwhile
	err = s.update(func(t *tx) error {
		c, old, err := s.target(rq)
		var now []part
		if err == nil {
			now, _, err = c.resolve(rq.object, refs)
		}
		stale = err == nil && !slices.Equal(now, parts)
		if err == nil && !stale {
			err = asmErr
		}
		if err == nil && !stale {
			b.File, b.Size = file, 0
			for _, p := range parts {
				b.Size += p.size
			}
			err = t.commit(rq, c, old, b, "PutBlockList")
		}
		if (err != nil || stale) && asmErr == nil {
			t.remove(file)
		}
		return err
	})
	return stale, err
}

func (s *Storage) getBlockList(rq *request) error {
	type blockXML struct {
		Name string
		Size int64
	}
	var out struct {
		XMLName     xml.Name   `xml:"BlockList"`
		Committed   []blockXML `xml:"CommittedBlocks>Block"`
		Uncommitted []blockXML `xml:"UncommittedBlocks>Block"`
	}
	kind := cmp.Or(rq.q.Get("blocklisttype"), "committed")
	err := s.view(func(st *state) error {
		c, err := st.container(rq)
		if err != nil {
			return err
		}
		b := c.blobs[rq.object]
		if b == nil && len(c.staged[rq.object]) == 0 {
			return blobNotFound()
		}
		if b != nil {
			setVersion(rq.w.Header(), b.ETag, b.Modified)
			if kind != "uncommitted" {
				for _, k := range b.Blocks {
					out.Committed = append(out.Committed, blockXML{k.ID, k.Size})
				}
			}
		}
		if kind != "committed" {
			for _, k := range c.staged[rq.object] {
				out.Uncommitted = append(out.Uncommitted, blockXML{k.ID, k.Size})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeXML(rq.w, http.StatusOK, out)
	return nil
}
