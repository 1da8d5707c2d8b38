package storage

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type tagXML struct{ Key, Value string }

type tagsXML struct {
	XMLName xml.Name `xml:"Tags"`
	Tags    []tagXML `xml:"TagSet>Tag"`
}

func newTagsXML(tags map[string]string) tagsXML {
	var out tagsXML
	for key, value := range tags {
		out.Tags = append(out.Tags, tagXML{key, value})
	}
	slices.SortFunc(out.Tags, func(a, b tagXML) int { return strings.Compare(a.Key, b.Key) })
	return out
}

const maxTags = 10

func invalidTags(detail string) error {
	return fail(http.StatusBadRequest, "InvalidTags", "The tags specified are invalid: %s.", detail)
}

// parseTags reads the x-ms-tags header, a URL-encoded query.
func parseTags(header string) (map[string]string, error) {
	if header == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(header)
	if err != nil {
		return nil, badHeader("x-ms-tags", header)
	}
	tags := map[string]string{}
	for key, values := range q {
		tags[key] = values[0]
	}
	return tags, checkTags(tags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidTags("there may be at most 10")
	}
	for key, value := range tags {
		if key == "" || len(key) > 128 || len(value) > 256 {
			return invalidTags("key or value has a wrong length")
		}
	}
	return nil
}

func (s *Storage) getBlobTags(rq *request) error {
	var out tagsXML
	err := s.readBlob(rq, func(b *blob) error { out = newTagsXML(b.Tags); return nil })
	if err == nil {
		writeXML(rq.w, http.StatusOK, out)
	}
	return err
}

func (s *Storage) setBlobTags(rq *request) error {
	var in tagsXML
	if err := readXML(rq.r, &in); err != nil {
		return err
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	return done(rq, http.StatusNoContent, s.change(rq, false, true, func(b *blob) error { b.Tags = tags; return nil }))
}
