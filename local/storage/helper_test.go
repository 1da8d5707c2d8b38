package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/eventgrid/armeventgrid/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

const (
	testAccount = "mktlocal"
	testToken   = "test-token"
	testScope   = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/" + testAccount
)

var testKey = base64.StdEncoding.EncodeToString([]byte("a key of the test account"))

func testConfig(dir string) Config {
	return Config{Dir: dir, Account: testAccount, Key: testKey, Token: testToken}
}

// world is a storage account with its endpoints and clients.
type world struct {
	t      testing.TB
	s      *Storage
	blobs  string // endpoint with the account
	queues string
	arm    string
}

func open(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	cfg := testConfig(t.TempDir())
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{t: t, s: s}
	w.blobs = w.serve(s.BlobHandler()) + "/" + testAccount
	w.queues = w.serve(s.QueueHandler()) + "/" + testAccount
	w.arm = w.serve(s.ManagementHandler())
	return w
}

func (w *world) serve(h http.Handler) string {
	srv := httptest.NewServer(h)
	w.t.Cleanup(srv.Close)
	return srv.URL
}

// tests must see errors at once.
var noRetry = policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}, InsecureAllowCredentialWithHTTP: true}

func (w *world) blobClient() *azblob.Client { return blobClient(w.t, w.blobs) }

func blobClient(t testing.TB, endpoint string) *azblob.Client {
	t.Helper()
	cred, err := azblob.NewSharedKeyCredential(testAccount, testKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := azblob.NewClientWithSharedKeyCredential(endpoint, cred, &azblob.ClientOptions{ClientOptions: noRetry})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) queueClient() *azqueue.ServiceClient {
	w.t.Helper()
	cred, err := azqueue.NewSharedKeyCredential(testAccount, testKey)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := azqueue.NewServiceClientWithSharedKeyCredential(w.queues, cred, &azqueue.ClientOptions{ClientOptions: noRetry})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

type staticToken string

func (s staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(s), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (w *world) eventClient(token string) *armeventgrid.EventSubscriptionsClient {
	w.t.Helper()
	options := noRetry
	options.Cloud = cloud.Configuration{
		ActiveDirectoryAuthorityHost: "https://login.invalid/",
		Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: w.arm, Audience: "https://management.azure.com"}},
	}
	c, err := armeventgrid.NewEventSubscriptionsClient("sub", staticToken(token), &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) container(name string) {
	w.t.Helper()
	if _, err := w.blobClient().CreateContainer(w.t.Context(), name, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(container, name, body string) {
	w.t.Helper()
	if _, err := w.blobClient().UploadBuffer(w.t.Context(), container, name, []byte(body), nil); err != nil {
		w.t.Fatal(err)
	}
}

// wantCode fails unless err is a service error with this status and code.
func wantCode(t testing.TB, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) {
		t.Fatalf("got error %v, want %d %s", err, status, code)
	}
	if re.StatusCode != status || re.ErrorCode != code {
		t.Fatalf("got %d %s, want %d %s\n%v", re.StatusCode, re.ErrorCode, status, code, err)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// The kill test runs this test binary again as a server of its own.
const childDir = "MKT_STORAGE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := Open(testConfig(dir))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		blobs := httptest.NewServer(s.BlobHandler())
		queues := httptest.NewServer(s.QueueHandler())
		arm := httptest.NewServer(s.ManagementHandler())
		fmt.Println(strings.Join([]string{blobs.URL, queues.URL, arm.URL}, " "))
		select {}
	}
	os.Exit(m.Run())
}
