package storage

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azcontainer "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	azservice "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	queuesas "github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/sas"
)

func TestSharedKey(t *testing.T) {
	w := open(t)
	w.container("data")
	ctx := t.Context()
	other := must[*azblob.SharedKeyCredential](t)(azblob.NewSharedKeyCredential(testAccount, base64.StdEncoding.EncodeToString([]byte("wrong"))))
	c := must[*azblob.Client](t)(azblob.NewClientWithSharedKeyCredential(w.blobs, other, &azblob.ClientOptions{ClientOptions: noRetry}))
	_, err := c.CreateContainer(ctx, "more", nil)
	wantCode(t, err, 403, "AuthenticationFailed")
	_, err = c.UploadBuffer(ctx, "data", "x", make([]byte, 1<<20), nil)
	wantCode(t, err, 403, "AuthenticationFailed")

	elsewhere := must[*azblob.SharedKeyCredential](t)(azblob.NewSharedKeyCredential("someoneelse", testKey))
	c = must[*azblob.Client](t)(azblob.NewClientWithSharedKeyCredential(w.blobs, elsewhere, &azblob.ClientOptions{ClientOptions: noRetry}))
	_, err = c.CreateContainer(ctx, "more", nil)
	wantCode(t, err, 403, "AuthenticationFailed")

	anonymous := must[*azblob.Client](t)(azblob.NewClientWithNoCredential(w.blobs, &azblob.ClientOptions{ClientOptions: noRetry}))
	_, err = anonymous.CreateContainer(ctx, "more", nil)
	wantCode(t, err, 401, "NoAuthenticationInformation")

	// Metadata names in the order of which signers and bytes disagree.
	if _, err := w.blobClient().UploadBuffer(ctx, "data", "x", nil, &azblob.UploadBufferOptions{Metadata: map[string]*string{
		"a1": new("1"), "a_1": new("2"), "ab": new("3"), "a_b": new("4"), "Z": new("5"),
	}}); err != nil {
		t.Fatal(err)
	}

	w.s.now = func() time.Time { return time.Now().Add(time.Hour) }
	_, err = w.blobClient().CreateContainer(ctx, "more", nil)
	wantCode(t, err, 403, "AuthenticationFailed")
}

func TestPublicAccess(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	anonymous := must[*azblob.Client](t)(azblob.NewClientWithNoCredential(w.blobs, &azblob.ClientOptions{ClientOptions: noRetry}))
	for _, tt := range []struct {
		access     azblob.PublicAccessType
		name       string
		read, list bool
	}{{"", "closed", false, false}, {"blob", "blobs", true, false}, {"container", "open", true, true}} {
		o := &azblob.CreateContainerOptions{}
		if tt.access != "" {
			o.Access = &tt.access
		}
		if _, err := w.blobClient().CreateContainer(ctx, tt.name, o); err != nil {
			t.Fatal(err)
		}
		w.put(tt.name, "x", "1")
		_, rerr := anonymous.DownloadStream(ctx, tt.name, "x", nil)
		_, lerr := anonymous.NewListBlobsFlatPager(tt.name, nil).NextPage(ctx)
		_, werr := anonymous.UploadBuffer(ctx, tt.name, "x", nil, nil)
		if (rerr == nil) != tt.read || (lerr == nil) != tt.list || werr == nil {
			t.Errorf("%s: read %v, list %v, write %v", tt.name, rerr, lerr, werr)
		}
	}
}

// sasCalls are the operations that the tests try with a SAS.
func sasCalls(t *testing.T, endpoint, token string) map[string]error {
	c := must[*azblob.Client](t)(azblob.NewClientWithNoCredential(endpoint+"?"+token, &azblob.ClientOptions{ClientOptions: noRetry}))
	ctx, errs := t.Context(), map[string]error{}
	_, errs["read"] = c.DownloadStream(ctx, "data", "x", nil)
	_, errs["list"] = c.NewListBlobsFlatPager("data", nil).NextPage(ctx)
	_, errs["create"] = c.UploadBuffer(ctx, "data", "new-"+newID(), []byte("1"), nil)
	_, errs["overwrite"] = c.UploadBuffer(ctx, "data", "y", []byte("1"), nil)
	_, errs["delete"] = c.DeleteBlob(ctx, "data", "z", nil)
	_, errs["elsewhere"] = c.DownloadStream(ctx, "other", "x", nil)
	_, errs["container"] = c.ServiceClient().NewContainerClient("data").GetProperties(ctx, nil)
	return errs
}

func allowed(errs map[string]error) string {
	var names []string
	for name, err := range errs {
		if err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestBlobSAS(t *testing.T) {
	w := open(t)
	for _, name := range []string{"data", "other"} {
		w.container(name)
		w.put(name, "x", "1")
		w.put(name, "y", "1")
	}
	cred := must[*azblob.SharedKeyCredential](t)(azblob.NewSharedKeyCredential(testAccount, testKey))
	cc := w.blobClient().ServiceClient().NewContainerClient("data")
	if _, err := cc.SetAccessPolicy(t.Context(), &azcontainer.SetAccessPolicyOptions{ContainerACL: []*azcontainer.SignedIdentifier{{
		ID: new("readers"), AccessPolicy: &azcontainer.AccessPolicy{Expiry: new(time.Now().Add(time.Hour)), Permission: new("r")},
	}}}); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().UTC().Add(time.Hour)
	service := func(change func(*sas.BlobSignatureValues)) string {
		v := sas.BlobSignatureValues{ContainerName: "data", Permissions: "rl", ExpiryTime: hour}
		change(&v)
		q := must[sas.QueryParameters](t)(v.SignWithSharedKey(cred))
		return q.Encode()
	}
	account := func(v sas.AccountSignatureValues) string {
		v.ExpiryTime = hour
		q := must[sas.QueryParameters](t)(v.SignWithSharedKey(cred))
		return q.Encode()
	}
	for _, tt := range []struct{ name, token, want string }{
		{"container, read and list", service(func(*sas.BlobSignatureValues) {}), "list read"},
		{"container, all", service(func(v *sas.BlobSignatureValues) { v.Permissions = "rwdlc" }), "create delete list overwrite read"},
		{"container, create", service(func(v *sas.BlobSignatureValues) { v.Permissions = "c" }), "create"},
		{"one blob", service(func(v *sas.BlobSignatureValues) { v.BlobName, v.Permissions = "x", "r" }), "read"},
		{"another blob", service(func(v *sas.BlobSignatureValues) { v.BlobName, v.Permissions = "y", "rw" }), "overwrite"},
		{"expired", service(func(v *sas.BlobSignatureValues) { v.ExpiryTime = time.Now().UTC().Add(-time.Minute) }), ""},
		{"not yet", service(func(v *sas.BlobSignatureValues) { v.StartTime = time.Now().UTC().Add(time.Minute) }), ""},
		{"https only", service(func(v *sas.BlobSignatureValues) { v.Protocol = sas.ProtocolHTTPS }), ""},
		{"both protocols", service(func(v *sas.BlobSignatureValues) { v.Protocol = sas.ProtocolHTTPSandHTTP }), "list read"},
		{"address", service(func(v *sas.BlobSignatureValues) { v.IPRange = sas.IPRange{Start: []byte{127, 0, 0, 1}} }), "list read"},
		{"another address", service(func(v *sas.BlobSignatureValues) { v.IPRange = sas.IPRange{Start: []byte{10, 0, 0, 1}} }), ""},
		{"policy", service(func(v *sas.BlobSignatureValues) {
			v.Identifier, v.Permissions, v.ExpiryTime = "readers", "", time.Time{}
		}), "read"},
		{"unknown policy", service(func(v *sas.BlobSignatureValues) { v.Identifier = "nobody" }), ""},
		{"widened", strings.Replace(service(func(*sas.BlobSignatureValues) {}), "sp=rl", "sp=rwdl", 1), ""},
		{"account, objects", account(sas.AccountSignatureValues{Permissions: "rlwd", ResourceTypes: "o"}), "create delete elsewhere overwrite read"},
		{"account, containers", account(sas.AccountSignatureValues{Permissions: "rl", ResourceTypes: "c"}), "container list"},
		{"account, all", account(sas.AccountSignatureValues{Permissions: "rlwdc", ResourceTypes: "sco"}), "container create delete elsewhere list overwrite read"},
	} {
		w.put("data", "z", "1")
		errs := sasCalls(t, w.blobs, tt.token)
		if got := allowed(errs); got != tt.want {
			t.Errorf("%s: allowed %q, want %q", tt.name, got, tt.want)
		}
		for call, err := range errs {
			if err != nil && !strings.Contains(err.Error(), "RESPONSE 403") {
				t.Errorf("%s: %s: %v", tt.name, call, err)
			}
		}
	}
}

func TestUserDelegationSAS(t *testing.T) {
	w := open(t)
	w.container("data")
	w.put("data", "x", "1")
	w.put("data", "y", "1")
	// The SDK takes the account from the host, as Azure has it there.
	options := noRetry
	options.Transport = sendTo(strings.TrimPrefix(strings.TrimSuffix(w.blobs, "/"+testAccount), "http://"))
	sc := must[*azservice.Client](t)(azservice.NewClient("http://"+testAccount+".blob.example/"+testAccount, staticToken(testToken), &azservice.ClientOptions{ClientOptions: options}))
	hour := time.Now().UTC().Add(time.Hour)
	info := azservice.KeyInfo{Start: new(time.Now().UTC().Format(sas.TimeFormat)), Expiry: new(hour.Format(sas.TimeFormat))}
	cred, err := sc.GetUserDelegationCredential(t.Context(), info, nil)
	if err != nil {
		t.Fatal(err)
	}
	values := sas.BlobSignatureValues{ContainerName: "data", Permissions: "rl", ExpiryTime: hour}
	q := must[sas.QueryParameters](t)(values.SignWithUserDelegation(cred))
	if got := allowed(sasCalls(t, w.blobs, q.Encode())); got != "list read" {
		t.Errorf("allowed %q", got)
	}
	if got := allowed(sasCalls(t, w.blobs, strings.Replace(q.Encode(), "sp=rl", "sp=rwl", 1))); got != "" {
		t.Errorf("widened: allowed %q", got)
	}
	info.Expiry = new(time.Now().UTC().Add(8 * 24 * time.Hour).Format(sas.TimeFormat))
	_, err = sc.GetUserDelegationCredential(t.Context(), info, nil)
	wantCode(t, err, 400, "InvalidXmlNodeValue")
	bad := must[*azservice.Client](t)(azservice.NewClient(w.blobs, staticToken("wrong"), &azservice.ClientOptions{ClientOptions: noRetry}))
	_, err = bad.GetUserDelegationCredential(t.Context(), info, nil)
	wantCode(t, err, 403, "AuthenticationFailed")
}

func TestQueueSAS(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	if _, err := w.queueClient().CreateQueue(ctx, "events", nil); err != nil {
		t.Fatal(err)
	}
	cred := must[*azqueue.SharedKeyCredential](t)(azqueue.NewSharedKeyCredential(testAccount, testKey))
	hour := time.Now().UTC().Add(time.Hour)
	try := func(token string) string {
		q := must[*azqueue.QueueClient](t)(azqueue.NewQueueClientWithNoCredential(w.queues+"/events?"+token, &azqueue.ClientOptions{ClientOptions: noRetry}))
		errs := map[string]error{}
		_, errs["add"] = q.EnqueueMessage(ctx, "m", nil)
		_, errs["peek"] = q.PeekMessage(ctx, nil)
		_, errs["take"] = q.DequeueMessage(ctx, nil)
		_, errs["drop"] = q.Delete(ctx, nil)
		return allowed(errs)
	}
	service := func(permissions string) string {
		q := must[queuesas.QueryParameters](t)(queuesas.QueueSignatureValues{QueueName: "events", Permissions: permissions, ExpiryTime: hour}.SignWithSharedKey(cred))
		return q.Encode()
	}
	if got := try(service("ap")); got != "add take" {
		t.Errorf("add and process: %q", got)
	}
	if got := try(service("r")); got != "peek" {
		t.Errorf("read: %q", got)
	}
	q := must[queuesas.QueryParameters](t)(queuesas.AccountSignatureValues{Permissions: "rapd", ResourceTypes: "co", ExpiryTime: hour}.SignWithSharedKey(cred))
	if got := try(q.Encode()); got != "add drop peek take" {
		t.Errorf("account: %q", got)
	}
	// A SAS of one service opens no other.
	_, err := must[*azblob.Client](t)(azblob.NewClientWithNoCredential(w.blobs+"?"+q.Encode(), &azblob.ClientOptions{ClientOptions: noRetry})).CreateContainer(ctx, "c-1", nil)
	wantCode(t, err, 403, "AuthorizationServiceMismatch")
}

func TestEveryAccountWhenNoneIsNamed(t *testing.T) {
	w := open(t, func(c *Config) { c.Account = "" })
	for _, name := range []string{"first", "second"} {
		cred := must[*azblob.SharedKeyCredential](t)(azblob.NewSharedKeyCredential(name, testKey))
		c := must[*azblob.Client](t)(azblob.NewClientWithSharedKeyCredential(strings.TrimSuffix(w.blobs, testAccount)+name, cred, &azblob.ClientOptions{ClientOptions: noRetry}))
		if _, err := c.CreateContainer(t.Context(), "data", nil); err != nil {
			t.Fatal(err)
		}
		page := must[azblob.ListContainersResponse](t)(c.NewListContainersPager(nil).NextPage(t.Context()))
		if len(page.ContainerItems) != 1 {
			t.Errorf("%s sees %d containers", name, len(page.ContainerItems))
		}
	}
}

// Whatever the bytes of a request are, nothing without a valid signature gets
// more than a refusal, and nothing panics.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/mktlocal/data/x", "", "SharedKey mktlocal:c2ln", "Thu, 01 Jan 2026 00:00:00 GMT")
	f.Add("PUT", "/mktlocal/data", "restype=container", "SharedKeyLite a:b", "")
	f.Add("GET", "/mktlocal/data/x", "sv=2026-06-06&ss=b&srt=sco&sp=rwd&se=2099-01-01&sig=AAAA", "", "")
	f.Add("GET", "/mktlocal/data/x", "sv=2026-06-06&sr=b&sp=r&se=2099-01-01T00:00:00Z&skoid=a&ske=2099-01-01&sig=AAAA", "", "")
	f.Add("POST", "/mktlocal/q/messages", "%zz", "Bearer x", "")
	s, err := Open(testConfig(f.TempDir()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, method, path, query, authorization, date string) {
		if !strings.HasPrefix(path, "/") || strings.Contains(authorization, testToken) {
			t.Skip()
		}
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:1"}
		r.Header.Set("Authorization", authorization)
		r.Header.Set("x-ms-date", date)
		for _, h := range []http.Handler{s.BlobHandler(), s.QueueHandler(), s.ManagementHandler()} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code < 400 {
				t.Fatalf("answered %d", w.Code)
			}
		}
	})
}

func TestHeaderOrder(t *testing.T) {
	names := []string{"x-ms-meta-a1", "x-ms-meta-a_1", "x-ms-version", "x-ms-meta-ab", "x-ms-date"}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(headerWeight(a), headerWeight(b)) })
	if got := strings.Join(names, " "); got != "x-ms-date x-ms-meta-a_1 x-ms-meta-a1 x-ms-meta-ab x-ms-version" {
		t.Fatal(got)
	}
}

// sendTo is a transport that sends every request to one address.
type sendTo string

func (address sendTo) Do(r *http.Request) (*http.Response, error) {
	r.URL.Host = string(address)
	return http.DefaultClient.Do(r)
}
