package azure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

func TestThrottled(t *testing.T) {
	s := serve(t)
	var tries atomic.Int64
	began := time.Now()
	p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if tries.Add(1) <= 2 {
			return answer(r, http.StatusServiceUnavailable, map[string]string{"Retry-After": "1", "x-ms-error-code": "ServerBusy"}), nil
		}
		return send()
	}))
	create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")})
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("Retry-After was not obeyed: it took %s", took)
	}
	p = azure.Quick(azure.Through(s.connect(t, nil), faulty(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return answer(r, http.StatusServiceUnavailable, map[string]string{"x-ms-error-code": "ServerBusy"}), nil
	})), 400*time.Millisecond)
	got := p.Resource("azure_container").Read(t.Context(), []providers.Ref{{ID: "https://mktlocal.blob.core.windows.net/data"}})
	wantCode(t, got[0].Err, providers.Throttled, "503 ServerBusy")
}

// Of two creates of one event subscription in one moment, one has made it and the other one is told.
func TestEventSubscriptionMadeTwice(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal("one")})
	create(t, direct, azure.Queue, map[string]cty.Value{"name": cty.StringVal("one")})
	attrs := map[string]cty.Value{"name": cty.StringVal("created"), "container": cty.StringVal("https://mktlocal.blob.core.windows.net/one"),
		"queue": cty.StringVal("https://mktlocal.queue.core.windows.net/one")}
	v := object(t, direct, azure.EventSubscription, attrs)
	change := []providers.Change{{ID: azure.EventSubscription.ID(v), After: v}}
	for _, after := range []bool{false, true} { // the other one's write comes before ours, or after it
		var theirs providers.Result
		var once atomic.Bool
		p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.Method != http.MethodPut || !once.CompareAndSwap(false, true) {
				return send()
			}
			if !after {
				theirs = direct.Resource("azure_event_subscription").Create(t.Context(), change)[0]
				return send()
			}
			resp, err := send()
			var looked atomic.Bool
			other := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if r.Method == http.MethodGet && looked.CompareAndSwap(false, true) { // it has looked before
					return answer(r, http.StatusNotFound, map[string]string{"x-ms-error-code": "ResourceNotFound"}), nil
				}
				return send()
			}))
			theirs = other.Resource("azure_event_subscription").Create(t.Context(), change)[0]
			return resp, err
		}))
		ours := p.Resource("azure_event_subscription").Create(t.Context(), change)[0]
		now := direct.Resource("azure_event_subscription").Read(t.Context(), []providers.Ref{{ID: change[0].ID}})[0]
		if after {
			wantCode(t, ours.Err, providers.Exists, "it exists already")
			if theirs.Err != nil || theirs.Incarnation != now.Incarnation {
				t.Errorf("theirs is %q, %v, and there is %q", theirs.Incarnation, theirs.Err, now.Incarnation)
			}
		} else if ours.Err != nil || ours.Incarnation != now.Incarnation || theirs.Incarnation == now.Incarnation || theirs.Incarnation == "" {
			t.Errorf("ours is %q, %v, theirs %q, and there is %q", ours.Incarnation, ours.Err, theirs.Incarnation, now.Incarnation)
		}
		again := direct.Resource("azure_event_subscription").Update(t.Context(), []providers.Change{{ID: change[0].ID, Before: now.State, After: v, Private: ours.Private}})[0]
		if !after && (again.Err != nil || again.Incarnation != ours.Incarnation) {
			t.Errorf("an update made another one of it: %q, %v", again.Incarnation, again.Err)
		}
		if res := direct.Resource("azure_event_subscription").Delete(t.Context(), change)[0]; res.Err != nil {
			t.Fatal(res.Err)
		}
	}
}

// Every listing is tried again.
func TestThrottledListings(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	for _, name := range []string{"one", "two", "three"} {
		create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal(name)})
		create(t, direct, azure.Queue, map[string]cty.Value{"name": cty.StringVal(name)})
		create(t, direct, azure.EventSubscription, map[string]cty.Value{"name": cty.StringVal(name),
			"container": cty.StringVal("https://mktlocal.blob.core.windows.net/one"), "queue": cty.StringVal("https://mktlocal.queue.core.windows.net/one")})
	}
	var asked atomic.Int64
	p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if asked.Add(1)%2 == 1 {
			return answer(r, http.StatusServiceUnavailable, map[string]string{"x-ms-error-code": "ServerBusy"}), nil
		}
		return send()
	}))
	for _, kind := range []string{"azure_container", "azure_queue", "azure_event_subscription"} {
		before := asked.Load()
		ids, err := p.Resource(kind).(providers.Lister).List(t.Context(), "")
		if err != nil || len(ids) != 3 {
			t.Errorf("%s: %v %v", kind, ids, err)
		}
		if n := asked.Load() - before; n < 2 || n%2 != 0 {
			t.Errorf("%s: %d requests", kind, n)
		}
	}
}

// A create whose answer is lost has made the object: the second try finds it
// and knows it as its own, if it is as it was asked for.
func TestLostAnswer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		attrs map[string]cty.Value
		alter bool // somebody changes the object before the second try
	}{
		{name: "container"},
		{name: "container with metadata", attrs: map[string]cty.Value{"metadata": cty.MapVal(map[string]cty.Value{"a": cty.StringVal("1")})}},
		{name: "another's container", alter: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			direct := s.connect(t, nil)
			var lost atomic.Bool
			p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if r.Method != http.MethodPut || !lost.CompareAndSwap(false, true) {
					return send()
				}
				if tt.alter {
					create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal("data"), "access": cty.StringVal("blob")})
				} else if resp, err := send(); err == nil {
					resp.Body.Close()
				}
				return nil, io.ErrUnexpectedEOF
			}))
			attrs := map[string]cty.Value{"name": cty.StringVal("data")}
			for name, v := range tt.attrs {
				attrs[name] = v
			}
			v := object(t, p, azure.Container, attrs)
			res := p.Resource("azure_container").Create(t.Context(), []providers.Change{{ID: azure.Container.ID(v), After: v}})[0]
			if tt.alter {
				wantCode(t, res.Err, providers.Exists, "ContainerAlreadyExists")
			} else if res.Err != nil || !res.State.RawEquals(v) {
				t.Fatalf("state %#v, %v", res.State, res.Err)
			}
		})
	}
	t.Run("event subscription", func(t *testing.T) {
		s := serve(t)
		var lost atomic.Int64
		p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			resp, err := send()
			if strings.Contains(r.URL.Path, "EventGrid") && r.Method == http.MethodPut && lost.Add(1) == 1 {
				resp.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			return resp, err
		}))
		data := create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")})
		events := create(t, p, azure.Queue, map[string]cty.Value{"name": cty.StringVal("events")})
		create(t, p, azure.EventSubscription, map[string]cty.Value{
			"name": cty.StringVal("created"), "container": data.GetAttr("url"), "queue": events.GetAttr("url"),
		})
		if lost.Load() != 2 {
			t.Errorf("%d tries", lost.Load())
		}
	})
}

// Several objects are read by one listing, and by themselves where a listing is
// refused.
func TestBatchedReads(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	var refs []providers.Ref
	for i := range 20 {
		v := create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal(fmt.Sprintf("data-%02d", i)), "metadata": cty.MapVal(map[string]cty.Value{"n": cty.StringVal(fmt.Sprint(i))})})
		refs = append(refs, providers.Ref{ID: azure.Container.ID(v)})
	}
	refs = append(refs, providers.Ref{ID: "https://mktlocal.blob.core.windows.net/data-missing"})
	check := func(p *azure.Provider) {
		t.Helper()
		for i, r := range p.Resource("azure_container").Read(t.Context(), refs) {
			switch {
			case r.Err != nil:
				t.Fatal(r.Err)
			case i == 20:
				if r.State != cty.NilVal {
					t.Errorf("a missing container is %#v", r.State)
				}
			case r.State.GetAttr("metadata").Index(cty.StringVal("n")).AsString() != fmt.Sprint(i):
				t.Errorf("%d is %#v", i, r.State)
			}
		}
	}
	var requests atomic.Int64
	check(azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		requests.Add(1)
		return send()
	})))
	if requests.Load() != 1 {
		t.Errorf("%d requests for 21 containers", requests.Load())
	}
	check(azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.URL.Query().Get("comp") == "list" {
			return answer(r, http.StatusForbidden, map[string]string{"x-ms-error-code": "AuthorizationPermissionMismatch"}), nil
		}
		return send()
	})))
}

func TestRefusals(t *testing.T) {
	s := serve(t)
	read := func(p *azure.Provider) error {
		return p.Resource("azure_container").Read(t.Context(), []providers.Ref{{ID: "https://mktlocal.blob.core.windows.net/data"}})[0].Err
	}
	err := read(s.connect(t, map[string]string{"AZURE_STORAGE_KEY": "d3Jvbmc="}))
	wantCode(t, err, providers.Denied, "403 AuthenticationFailed")
	var e *providers.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "mkt doctor") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v: hint %q", err, e.Hint)
	}
	sas := "sv=2026-06-06&ss=b&srt=sco&sp=rl&se=2099-01-01&sig=c2VjcmV0"
	p := azure.Quick(s.connect(t, map[string]string{"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": sas, "AZURE_STORAGE_BLOB_ENDPOINT": "http://127.0.0.1:1"}), 200*time.Millisecond)
	err = read(p)
	wantCode(t, err, providers.Unavailable, "refused")
	if strings.Contains(err.Error(), "sig=") {
		t.Errorf("the SAS is shown: %v", err)
	}
	err = read(azure.Quick(s.connect(t, map[string]string{"AZURE_STORAGE_BLOB_ENDPOINT": "https://mktlocal.blob.nowhere.invalid"}), time.Second))
	if err == nil || providers.CodeOf(err) == providers.NotFound {
		t.Errorf("no such host: %v", err)
	}
	err = read(azure.Through(s.connect(t, nil), faulty(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return answer(r, http.StatusNotFound, nil), nil // a proxy's
	})))
	wantCode(t, err, providers.NotFound, "404")
	_, err = s.connect(t, map[string]string{"AZURE_SUBSCRIPTION_ID": ""}).Resource("azure_event_subscription").Complete(
		object(t, s.connect(t, nil), azure.EventSubscription, map[string]cty.Value{"name": cty.StringVal("created"),
			"container": cty.StringVal("https://mktlocal.blob.core.windows.net/data"), "queue": cty.StringVal("https://mktlocal.queue.core.windows.net/q")}))
	wantCode(t, err, providers.Invalid, "subscription and resource group")
	_, err = s.connect(t, map[string]string{"AZURE_STORAGE_ACCOUNT": ""}).Resource("azure_container").Complete(
		cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("data"), "account": cty.UnknownVal(cty.String), "access": cty.StringVal("private"),
			"metadata": cty.MapValEmpty(cty.String), "url": cty.UnknownVal(cty.String)}))
	wantCode(t, err, providers.Invalid, "no storage account is named")
}

func TestHolds(t *testing.T) {
	s := serve(t)
	p := s.connect(t, nil)
	data := create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")})
	id := azure.Container.ID(data)
	holds := func() string {
		h := p.Resource("azure_container").(providers.Holder).Holds(t.Context(), []providers.Ref{{ID: id}})[0]
		if h.Err != nil {
			t.Fatal(h.Err)
		}
		return h.Loss
	}
	if got := holds(); got != "" {
		t.Errorf("an empty container loses %q", got)
	}
	c := client(t, s, id)
	for i := range 3 {
		if _, err := c.NewBlockBlobClient(fmt.Sprint(i)).UploadBuffer(t.Context(), bytes.Repeat([]byte("x"), 1000), nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := holds(); got != "3 blobs, 3.0 kB" {
		t.Errorf("loses %q", got)
	}
}

func client(t *testing.T, s *server, id string) *container.Client {
	t.Helper()
	conn, _, err := azure.Resolve(cty.NilVal, func(name string) string { return s.env[name] })
	if err != nil {
		t.Fatal(err)
	}
	c, err := conn.ContainerClient(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAccessKeepsStoredPolicies(t *testing.T) {
	s := serve(t)
	p := s.connect(t, nil)
	before := create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")})
	id := azure.Container.ID(before)
	c := client(t, s, id)
	if _, err := c.SetAccessPolicy(t.Context(), &container.SetAccessPolicyOptions{ContainerACL: []*container.SignedIdentifier{{
		ID: to.Ptr("readers"), AccessPolicy: &container.AccessPolicy{Expiry: to.Ptr(time.Now().Add(time.Hour)), Permission: to.Ptr("r")},
	}}}); err != nil {
		t.Fatal(err)
	}
	after := object(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data"), "access": cty.StringVal("blob")})
	if res := p.Resource("azure_container").Update(t.Context(), []providers.Change{{ID: id, Before: before, After: after}}); res[0].Err != nil || !res[0].State.RawEquals(after) {
		t.Fatalf("%#v", res[0])
	}
	acl, err := c.GetAccessPolicy(t.Context(), nil)
	if err != nil || len(acl.SignedIdentifiers) != 1 {
		t.Fatalf("%d policies are left, %v", len(acl.SignedIdentifiers), err)
	}
}
