package storage

import (
	"encoding/xml"
	"net/http"
)

// BlobHandler serves the Blob service, path style: /account/container/blob.
func (s *Storage) BlobHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, blobService, findBlobOperation)
	})
}

var blobServiceOps = map[string]operation{
	"GET list":               {"l", (*Storage).listContainers},
	"GET properties":         {"r", (*Storage).getBlobServiceProperties},
	"POST userdelegationkey": {"r", (*Storage).getUserDelegationKey},
}

var containerOps = map[string]operation{
	"PUT ":         {"cw", (*Storage).createContainer},
	"GET ":         {"r", (*Storage).getContainer},
	"GET metadata": {"r", (*Storage).getContainer},
	"DELETE ":      {"d", (*Storage).deleteContainer},
	"PUT metadata": {"w", (*Storage).setContainerMetadata},
	"GET acl":      {"r", (*Storage).getContainerACL},
	"PUT acl":      {"w", (*Storage).setContainerACL},
	"PUT lease":    {"w", (*Storage).leaseContainer},
	"GET list":     {"l", (*Storage).listBlobs},
}

var blobOps = map[string]operation{
	"PUT ":           {"cw", (*Storage).putBlob},
	"PUT block":      {"cw", (*Storage).putBlock},
	"PUT blocklist":  {"cw", (*Storage).putBlockList},
	"GET blocklist":  {"r", (*Storage).getBlockList},
	"GET ":           {"r", (*Storage).getBlob},
	"HEAD ":          {"r", (*Storage).getBlobProperties},
	"GET metadata":   {"r", (*Storage).getBlobProperties},
	"HEAD metadata":  {"r", (*Storage).getBlobProperties},
	"PUT metadata":   {"w", (*Storage).setBlobMetadata},
	"PUT properties": {"w", (*Storage).setBlobProperties},
	"GET tags":       {"t", (*Storage).getBlobTags},
	"PUT tags":       {"t", (*Storage).setBlobTags},
	"PUT tier":       {"w", (*Storage).setBlobTier},
	"PUT lease":      {"w", (*Storage).leaseBlob},
	"DELETE ":        {"d", (*Storage).deleteBlob},
}

// refusedHeaders ask for what would change the meaning of a request if it were
// ignored.
var refusedHeaders = []string{
	"x-ms-structured-body", "x-ms-encryption-key", "x-ms-encryption-scope", "x-ms-if-tags", "x-ms-source-if-tags",
	"x-ms-immutability-policy-until-date", "x-ms-legal-hold", "x-ms-expiry-option", "x-ms-range-get-content-md5",
	"x-ms-blob-content-length", "x-ms-sequence-number-action",
}

func findBlobOperation(rq *request) (o operation, kind string, listing bool, err error) {
	for _, name := range refusedHeaders {
		if rq.header(name) != "" {
			return o, "", false, unsupported("The header " + name)
		}
	}
	for _, name := range []string{"snapshot", "versionid"} {
		if rq.q.Has(name) {
			return o, "", false, unsupported("The query parameter " + name)
		}
	}
	method, comp, restype := rq.r.Method, rq.q.Get("comp"), rq.q.Get("restype")
	if restype == "account" && comp == "properties" && (method == http.MethodGet || method == http.MethodHead) {
		return operation{"r", (*Storage).getAccountInfo}, "s", true, nil
	}
	ops, verb := blobOps, method+" "+comp
	switch {
	case rq.container == "":
		ops, kind = blobServiceOps, "s"
	case rq.object == "" && restype == "container":
		ops, kind, listing = containerOps, "c", verb == "GET list"
		if method == http.MethodHead {
			verb = "GET " + comp
		}
	case rq.object == "":
		return o, "", false, unsupported("The root container")
	default:
		kind = "o"
	}
	o, ok := ops[verb]
	if !ok {
		return o, "", false, unsupported("The operation " + verb + " on " + map[string]string{"s": "the blob service", "c": "a container", "o": "a blob"}[kind])
	}
	return o, kind, listing, nil
}

func (s *Storage) getBlobServiceProperties(rq *request) error {
	type retention struct{ Enabled bool }
	writeXML(rq.w, http.StatusOK, struct {
		XMLName               xml.Name `xml:"StorageServiceProperties"`
		DefaultServiceVersion string
		DeleteRetentionPolicy retention
	}{DefaultServiceVersion: defaultVersion})
	return nil
}

func (s *Storage) getAccountInfo(rq *request) error {
	h := rq.w.Header()
	h.Set("x-ms-sku-name", "Standard_LRS")
	h.Set("x-ms-account-kind", "StorageV2")
	h.Set("x-ms-is-hns-enabled", "false")
	rq.w.WriteHeader(http.StatusOK)
	return nil
}
