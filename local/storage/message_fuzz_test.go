package storage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Any body of a request that is let in is answered, and never makes the account fault: messages, block lists, tags, access policies,
// properties, deployments.
func FuzzMessage(f *testing.F) {
	f.Add("<QueueMessage><MessageText>eyJhIjoxfQ==</MessageText></QueueMessage>")
	f.Add("<BlockList><Latest>YQ==</Latest></BlockList>")
	f.Add("<Tags><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tags>")
	f.Add("<SignedIdentifiers><SignedIdentifier><Id>x</Id></SignedIdentifier></SignedIdentifiers>")
	f.Add(`{"properties":{"principalId":"p","roleDefinitionId":"/x"}}`)
	f.Add("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>")
	s, err := Open(testConfig(f.TempDir()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	ask := func(h http.Handler, method, path, body string) int {
		r := httptest.NewRequest(method, "http://storage/"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+testToken)
		r.Header.Set("x-ms-version", "2024-11-04")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	ask(s.QueueHandler(), "PUT", testAccount+"/queue", "")
	ask(s.BlobHandler(), "PUT", testAccount+"/data?restype=container", "")
	f.Fuzz(func(t *testing.T, body string) {
		for _, at := range []struct {
			h            http.Handler
			method, path string
		}{
			{s.QueueHandler(), "POST", testAccount + "/queue/messages"},
			{s.BlobHandler(), "PUT", testAccount + "/data/b?comp=blocklist"}, {s.BlobHandler(), "PUT", testAccount + "/data/b?comp=tags"}, {s.BlobHandler(), "PUT", testAccount + "/data?restype=container&comp=acl"},
			{s.ManagementHandler(), "PUT", "subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/" + testAccount + "/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555?api-version=2022-04-01"},
		} {
			if code := ask(at.h, at.method, at.path, body); code >= 500 && code != http.StatusNotImplemented {
				t.Errorf("%s %s: %d", at.method, at.path, code)
			}
		}
	})
}
