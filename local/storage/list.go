package storage

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// xmlName carries a blob name; one that XML cannot hold is percent-encoded.
type xmlName struct {
	Encoded string `xml:",attr,omitempty"`
	Text    string `xml:",chardata"`
}

func newXMLName(name string) xmlName {
	for _, r := range name {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF {
			return xmlName{Encoded: "true", Text: url.QueryEscape(name)}
		}
	}
	return xmlName{Text: name}
}

type listedBlob struct {
	Name       xmlName
	Properties struct {
		Created            string `xml:"Creation-Time"`
		Modified           string `xml:"Last-Modified"`
		ETag               string `xml:"Etag"`
		Length             int64  `xml:"Content-Length"`
		ContentType        string `xml:"Content-Type"`
		ContentEncoding    string `xml:"Content-Encoding"`
		ContentLanguage    string `xml:"Content-Language"`
		MD5                []byte `xml:"Content-MD5"`
		CacheControl       string `xml:"Cache-Control"`
		ContentDisposition string `xml:"Content-Disposition"`
		BlobType           string
		AccessTier         string
		AccessTierInferred bool `xml:",omitempty"`
		LeaseStatus        string
		LeaseState         string
		LeaseDuration      string `xml:",omitempty"`
		ServerEncrypted    bool
		TagCount           int    `xml:",omitempty"`
		CopyID             string `xml:"CopyId,omitempty"`
		CopySource         string `xml:",omitempty"`
		CopyStatus         string `xml:",omitempty"`
		CopyProgress       string `xml:",omitempty"`
		CopyCompletionTime string `xml:",omitempty"`
	}
	Metadata metadataXML `xml:",omitempty"`
	Tags     *tagsXML    `xml:",omitempty"`
}

type listedPrefix struct{ Name xmlName }

type blobListing struct {
	XMLName    xml.Name `xml:"EnumerationResults"`
	Endpoint   string   `xml:"ServiceEndpoint,attr"`
	Container  string   `xml:"ContainerName,attr"`
	Prefix     string
	Marker     string
	MaxResults int
	Delimiter  string `xml:",omitempty"`
	Blobs      struct {
		Blob       []listedBlob
		BlobPrefix []listedPrefix
	}
	NextMarker string
}

// listIncludes tells which values of include are understood. There are no
// snapshots, versions or soft-deleted blobs, so listings with them are complete.
var listIncludes = []string{"", "metadata", "tags", "copy", "snapshots", "versions", "deleted", "deletedwithversions", "immutabilitypolicy", "legalhold"}

func (s *Storage) listBlobs(rq *request) error {
	p, err := readPage(rq)
	if err != nil {
		return err
	}
	include := strings.Split(rq.q.Get("include"), ",")
	for _, what := range include {
		if !slices.Contains(listIncludes, what) {
			return unsupported("include=" + what)
		}
	}
	delimiter := rq.q.Get("delimiter")
	out := blobListing{
		Endpoint: "http://" + rq.r.Host + "/" + rq.account + "/", Container: rq.container,
		Prefix: p.prefix, Marker: rq.q.Get("marker"), MaxResults: p.max, Delimiter: delimiter,
	}
	return s.withContainer(rq, func(c *container, now time.Time) error {
		names, prefixes, next := listNames(c.names, p, delimiter)
		for _, name := range names {
			out.Blobs.Blob = append(out.Blobs.Blob, describe(name, c.blobs[name], include, now))
		}
		for _, name := range prefixes {
			out.Blobs.BlobPrefix = append(out.Blobs.BlobPrefix, listedPrefix{newXMLName(name)})
		}
		if next != "" {
			out.NextMarker = encodeMarker(next)
		}
		return nil
	}, func() { writeXML(rq.w, http.StatusOK, out) })
}

// listNames picks one page out of sorted names: the blobs, the common prefixes
// up to the delimiter, and the first name of the next page or "".
func listNames(sorted []string, p page, delimiter string) (names, prefixes []string, next string) {
	at := sort.SearchStrings(sorted, max(p.prefix, p.marker))
	for at < len(sorted) && strings.HasPrefix(sorted[at], p.prefix) {
		name := sorted[at]
		if len(names)+len(prefixes) == p.max {
			return names, prefixes, name
		}
		at++
		if delimiter == "" {
			names = append(names, name)
			continue
		}
		head, _, cut := strings.Cut(name[len(p.prefix):], delimiter)
		if !cut {
			names = append(names, name)
			continue
		}
		group := p.prefix + head + delimiter
		prefixes = append(prefixes, group)
		at += sort.Search(len(sorted)-at, func(i int) bool { return !strings.HasPrefix(sorted[at+i], group) })
	}
	return names, prefixes, ""
}

func describe(name string, b *blob, include []string, now time.Time) listedBlob {
	item := listedBlob{Name: newXMLName(name)}
	p := &item.Properties
	p.Created = b.Created.UTC().Format(http.TimeFormat)
	p.Modified = b.Modified.UTC().Format(http.TimeFormat)
	p.ETag, p.Length, p.MD5 = b.ETag, b.Size, []byte(encodeMD5(b.MD5))
	p.ContentType, p.ContentEncoding, p.ContentLanguage = b.ContentType, b.ContentEncoding, b.ContentLanguage
	p.CacheControl, p.ContentDisposition = b.CacheControl, b.ContentDisposition
	p.BlobType, p.ServerEncrypted, p.TagCount = "BlockBlob", true, len(b.Tags)
	p.AccessTier, p.AccessTierInferred = cmp.Or(b.Tier, defaultTier), b.Tier == ""
	p.LeaseStatus, p.LeaseState = b.Lease.status(now), b.Lease.state(now)
	if p.LeaseState == "leased" {
		p.LeaseDuration = b.Lease.duration()
	}
	if slices.Contains(include, "metadata") && len(b.Metadata) > 0 {
		item.Metadata = b.Metadata
	}
	if slices.Contains(include, "tags") && len(b.Tags) > 0 {
		tags := newTagsXML(b.Tags)
		item.Tags = &tags
	}
	if slices.Contains(include, "copy") && b.Copy != nil {
		p.CopyID, p.CopySource, p.CopyStatus = b.Copy.ID, b.Copy.Source, "success"
		p.CopyProgress = copyProgress(b)
		p.CopyCompletionTime = b.Copy.Completed.UTC().Format(http.TimeFormat)
	}
	return item
}
