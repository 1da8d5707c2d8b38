// Package realstack is the whole pipeline's systems for tests of mkt without -local: Apache Kafka, a registry and Azurite
// where package realtest names them, and, embedded, what nobody can run on a machine: Snowflake's protocol, and Azure's
// resource manager with Event Grid, which tells of the blobs that Azurite stores.
package realstack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"mkt/internal/realtest"
	"mkt/local"
	"mkt/local/storage"
	"mkt/local/warehouse"
)

const (
	user, password = "mkt", "password of a test"
	token          = "token of a test"
	// Subscription and Group are the names that the resource manager goes by; it takes any.
	Subscription, Group = "00000000-0000-0000-0000-000000000000", "local"
)

// Real starts what is embedded beside the real servers and returns where all of it is; ok is false where tests are to use
// the embedded stack alone. All three systems have to be real.
func Real(t testing.TB) (e local.Endpoints, ok bool) {
	t.Helper()
	kafka, registry, azurite := realtest.At(t, realtest.Kafka), realtest.At(t, realtest.Registry), realtest.At(t, realtest.Azurite)
	if kafka == "" || registry == "" || azurite == "" {
		return e, false
	}
	blobs, queues, _ := strings.Cut(azurite, ",")
	g := &grid{t: t, blobs: blobs, queues: queues, key: os.Getenv(realtest.AzuriteKey)}
	var err error
	if g.manager, err = storage.Open(storage.Config{Dir: filepath.Join(t.TempDir(), "manager"), Key: g.key, Token: token, Queue: g.hasQueue}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.manager.Close() })
	w, err := warehouse.Open(warehouse.Config{Dir: filepath.Join(t.TempDir(), "warehouse"), Account: "local", User: user, Password: password,
		Storage: func(account string) (warehouse.StorageEndpoint, bool) {
			return warehouse.StorageEndpoint{BlobURL: blobs + "/" + account, QueueURL: queues + "/" + account, Key: g.key}, true
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	e = local.Endpoints{
		KafkaBootstrap: kafka, RegistryURL: registry, BlobURL: serve(t, g.proxy()), QueueURL: queues, ManagementURL: serve(t, g.manager.ManagementHandler()),
		AccountKey: g.key, ManagementToken: token, SnowflakeAccount: "local", User: user, Password: password,
	}
	host, port, err := net.SplitHostPort(strings.TrimPrefix(serve(t, w), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	e.SnowflakeHost = host
	if e.SnowflakePort, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return e, true
}

// Environment is what a user would have set to use the systems at e without -local.
func Environment(e local.Endpoints, protocol string) map[string]string {
	env := map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": e.KafkaBootstrap, "KAFKA_SECURITY_PROTOCOL": protocol,
		"SCHEMA_REGISTRY_URL": e.RegistryURL, "SCHEMA_REGISTRY_API_KEY": e.User, "SCHEMA_REGISTRY_API_SECRET": e.Password,
		"AZURE_STORAGE_KEY": e.AccountKey, "AZURE_ACCESS_TOKEN": e.ManagementToken,
		"AZURE_STORAGE_BLOB_ENDPOINT": e.BlobURL, "AZURE_STORAGE_QUEUE_ENDPOINT": e.QueueURL, "AZURE_RESOURCE_MANAGER_ENDPOINT": e.ManagementURL, "AZURE_GRAPH_ENDPOINT": e.ManagementURL,
		"AZURE_SUBSCRIPTION_ID": Subscription, "AZURE_RESOURCE_GROUP": Group,
		"SNOWFLAKE_ACCOUNT": e.SnowflakeAccount, "SNOWFLAKE_USER": e.User, "SNOWFLAKE_PASSWORD": e.Password,
		"SNOWFLAKE_HOST": e.SnowflakeHost, "SNOWFLAKE_PORT": strconv.Itoa(e.SnowflakePort), "SNOWFLAKE_PROTOCOL": "http",
	}
	if strings.HasPrefix(protocol, "SASL_") {
		env["KAFKA_API_KEY"], env["KAFKA_API_SECRET"] = e.User, e.Password
	}
	return env
}

func serve(t testing.TB, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// grid is Azurite's missing Event Grid.
type grid struct {
	t                  testing.TB
	manager            *storage.Storage // has the subscriptions
	blobs, queues, key string
}

// proxy passes requests on to the blob service, and tells of the blobs that it has stored before it passes on the answer.
func (g *grid) proxy() http.Handler {
	to, err := url.Parse(g.blobs)
	if err != nil {
		g.t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if api := created(resp); api != "" {
				return g.tell(context.WithoutCancel(resp.Request.Context()), resp.Request.URL.Path, api)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, err)
		},
	}
}

// created is the operation by which a request has made a blob; "" if it has not.
func created(resp *http.Response) string {
	r := resp.Request
	switch {
	case r.Method != http.MethodPut || r.URL.Query().Get("restype") != "":
	case r.URL.Query().Get("comp") == "blocklist" && resp.StatusCode == http.StatusCreated:
		return "PutBlockList"
	case r.URL.Query().Get("comp") != "":
	case r.Header.Get("x-ms-copy-source") != "" && (resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusCreated):
		return "CopyBlob"
	case r.Header.Get("x-ms-blob-type") != "" && resp.StatusCode == http.StatusCreated:
		return "PutBlob"
	}
	return ""
}

// tell puts the events of the blob at a path /account/container/name into the queues of those who want them.
func (g *grid) tell(ctx context.Context, path, api string) error {
	account, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	container, name, _ := strings.Cut(rest, "/")
	blobKey, err := blob.NewSharedKeyCredential(account, g.key)
	if err != nil {
		return err
	}
	u := url.URL{Path: path}
	c, err := blob.NewClientWithSharedKeyCredential(g.blobs+u.EscapedPath(), blobKey, nil)
	if err != nil {
		return err
	}
	p, err := c.GetProperties(ctx, nil)
	if err != nil {
		return fmt.Errorf("look at the new blob: %w", err)
	}
	messages, err := g.manager.Created(account, container, name, api, *p.ContentLength, string(*p.ETag), *p.ContentType)
	if err != nil {
		return err
	}
	for _, m := range messages {
		q, err := g.queue(m.Account, m.Queue)
		if err != nil {
			return err
		}
		ttl := int32(m.TTL.Seconds())
		if _, err := q.EnqueueMessage(ctx, m.Text, &azqueue.EnqueueMessageOptions{TimeToLive: &ttl}); err != nil {
			return fmt.Errorf("tell queue %s of the new blob: %w", m.Queue, err)
		}
	}
	return nil
}

func (g *grid) queue(account, name string) (*azqueue.QueueClient, error) {
	key, err := azqueue.NewSharedKeyCredential(account, g.key)
	if err != nil {
		return nil, err
	}
	return azqueue.NewQueueClientWithSharedKeyCredential(g.queues+"/"+account+"/"+name, key, nil)
}

func (g *grid) hasQueue(ctx context.Context, account, name string) bool {
	q, err := g.queue(account, name)
	if err == nil {
		_, err = q.GetProperties(ctx, nil)
	}
	return err == nil
}
