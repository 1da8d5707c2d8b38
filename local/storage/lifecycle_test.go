package storage

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/v2"
)

// The management policy through the SDK: kept over a restart, and refused as Azure refuses.
func TestLifecyclePolicy(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	client := func(w *world, token string) *armstorage.ManagementPoliciesClient {
		o := policy.ClientOptions{InsecureAllowCredentialWithHTTP: true, Retry: policy.RetryOptions{MaxRetries: -1}}
		o.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: "https://login.microsoftonline.com/",
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: w.arm, Audience: "https://management.azure.com"}}}
		c, err := armstorage.NewManagementPoliciesClient("sub", staticToken(token), &arm.ClientOptions{ClientOptions: o, DisableRPRegistration: true})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rule := func(name string, base *armstorage.ManagementPolicyBaseBlob) *armstorage.ManagementPolicyRule {
		return &armstorage.ManagementPolicyRule{Name: &name, Type: to.Ptr(armstorage.RuleTypeLifecycle), Definition: &armstorage.ManagementPolicyDefinition{
			Actions: &armstorage.ManagementPolicyAction{BaseBlob: base},
			Filters: &armstorage.ManagementPolicyFilter{BlobTypes: to.SliceOfPtrs("blockBlob"), PrefixMatch: to.SliceOfPtrs("data/in/")}}}
	}
	body := func(rules ...*armstorage.ManagementPolicyRule) armstorage.ManagementPolicy {
		return armstorage.ManagementPolicy{Properties: &armstorage.ManagementPolicyProperties{Policy: &armstorage.ManagementPolicySchema{Rules: rules}}}
	}
	ends := &armstorage.ManagementPolicyBaseBlob{Delete: &armstorage.DateAfterModification{DaysAfterModificationGreaterThan: new(float32(30))}}
	const name = armstorage.ManagementPolicyNameDefault
	at := func(c *Config) { c.Dir = dir }

	w := open(t, at)
	c := client(w, testConfig(dir).Token)
	_, err := c.Get(ctx, "group", testAccount, name, nil)
	wantCode(t, err, http.StatusNotFound, "ManagementPolicyNotFound")
	for _, bad := range []armstorage.ManagementPolicy{body(), body(rule("a_b", ends)), body(rule("a", nil)), body(rule("a", ends), rule("a", ends))} {
		_, err := c.CreateOrUpdate(ctx, "group", testAccount, name, bad, nil)
		wantCode(t, err, http.StatusBadRequest, "InvalidRequestPropertyValue")
	}
	if _, err := c.CreateOrUpdate(ctx, "group", testAccount, name, body(rule("a", ends)), nil); err != nil {
		t.Fatal(err)
	}
	_, err = client(w, "wrong").Get(ctx, "group", testAccount, name, nil)
	wantCode(t, err, http.StatusForbidden, "AuthorizationFailed")
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}

	c = client(open(t, at), testConfig(dir).Token)
	got, err := c.Get(ctx, "group", testAccount, name, nil)
	if err != nil || *got.Properties.Policy.Rules[0].Definition.Actions.BaseBlob.Delete.DaysAfterModificationGreaterThan != 30 {
		t.Fatalf("after a restart: %v, %v", got, err)
	}
	for range 2 { // there, and gone
		if _, err := c.Delete(ctx, "group", testAccount, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err = c.Get(ctx, "group", testAccount, name, nil)
	wantCode(t, err, http.StatusNotFound, "ManagementPolicyNotFound")
}

func FuzzParseLifecycle(f *testing.F) {
	f.Add([]byte(`{"properties":{"policy":{"rules":[{"name":"a","type":"Lifecycle","definition":{"actions":{"baseBlob":{"delete":{}}},"filters":{"blobTypes":["blockBlob"]}}}]}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if l, err := parseLifecycle(body); err == nil && !bytes.Contains(body, l.Policy) {
			t.Errorf("%q became %q", body, l.Policy)
		}
	})
}
