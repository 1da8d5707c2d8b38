package kafka

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"

	"mkt/providers"
)

// registryConfig is what confluent-kafka-go's schemaregistry client needs, but for TLS. It holds secrets.
func (c Connection) registryConfig() *schemaregistry.Config {
	config := schemaregistry.NewConfig(c.RegistryURL)
	if c.RegistryUser != "" {
		config = schemaregistry.NewConfigWithBasicAuthentication(c.RegistryURL, c.RegistryUser, c.RegistryPassword)
	}
	if c.RegistryToken != "" {
		config = schemaregistry.NewConfigWithBearerAuthentication(c.RegistryURL, c.RegistryToken, "", "")
	}
	return config
}

// registryClient makes calls to the registry; it is safe for concurrent use.
type registryClient struct {
	conn      Connection
	transport *http.Transport
}

// registryCalls bounds how many requests to the registry are under way.
const registryCalls = 8

func newRegistryClient(conn Connection) (*registryClient, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = registryCalls
	transport.ResponseHeaderTimeout = providers.CallTimeout
	var err error
	if transport.TLSClientConfig, err = tlsConfig(conn.RegistryTLS); err != nil {
		return nil, err
	}
	return &registryClient{conn: conn, transport: transport}, nil
}

func (r *registryClient) close() { r.transport.CloseIdleConnections() }

// withContext puts a context on requests that are made without one, and notes what Confluent's client does not hand on.
type withContext struct {
	ctx   context.Context
	base  http.RoundTripper
	after *int // seconds, of the last answer's Retry-After
}

func (w withContext) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(req.WithContext(w.ctx))
	if err == nil {
		*w.after = providers.ParseRetryAfter(resp.Header.Get("Retry-After"))
	}
	return resp, err
}

// client returns Confluent's client for calls within ctx, which note in after how long to wait for another try. It is made anew each
// time: it caches answers for good, holds a lock while it waits for one, retries
// by itself and takes no context.
func (r *registryClient) client(ctx context.Context, after *int) (schemaregistry.Client, error) {
	if err := r.known(); err != nil {
		return nil, err
	}
	config := r.conn.registryConfig()
	config.HTTPClient = &http.Client{Transport: withContext{ctx, r.transport, after}}
	config.MaxRetries = 0
	return schemaregistry.NewClient(config)
}

func (r *registryClient) known() error {
	if r.conn.RegistryURL == "" {
		return &providers.Error{Code: providers.Invalid, Err: errors.New("no schema registry is known"),
			Hint: "Set url in the block schema_registry of the provider \"kafka\", or SCHEMA_REGISTRY_URL."}
	}
	return nil
}

// registryAsk makes one call by Confluent's client, with retries.
func registryAsk[R any](ctx context.Context, r *registryClient, what string, call func(schemaregistry.Client) (R, error)) (R, error) {
	return retry(ctx, func(ctx context.Context) (R, error) {
		var none R
		var after int
		client, err := r.client(ctx, &after)
		if err != nil {
			return none, err
		}
		v, err := call(client)
		return v, providers.After(registryMeaning(ctx, what, err), after)
	})
}

// registryMeaning is registryError for a call that had a context.
func registryMeaning(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return fmt.Errorf("%s: %w", what, context.Canceled)
	}
	var hostname x509.HostnameError
	var authority x509.UnknownAuthorityError
	if errors.As(err, &hostname) || errors.As(err, &authority) {
		return &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%s: %w", what, err), Hint: "Set ca_file in the block tls of the provider \"kafka\"."}
	}
	return registryError(what, err)
}

// send makes one call that Confluent's client lacks, with retries. in and out
// are JSON bodies; nil for none.
func (r *registryClient) send(ctx context.Context, what, method, path string, in, out any) error {
	_, err := retry(ctx, func(ctx context.Context) (struct{}, error) {
		var after int
		err := registryMeaning(ctx, what, r.sendOnce(ctx, method, path, in, out, &after))
		return struct{}{}, providers.After(err, after)
	})
	return err
}

func (r *registryClient) sendOnce(ctx context.Context, method, path string, in, out any, after *int) error {
	if err := r.known(); err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.conn.RegistryURL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if r.conn.RegistryToken != "" {
		req.Header.Set("Authorization", "Bearer "+r.conn.RegistryToken)
	} else if r.conn.RegistryUser != "" {
		req.SetBasicAuth(r.conn.RegistryUser, r.conn.RegistryPassword)
	}
	resp, err := (&http.Client{Transport: withContext{ctx, r.transport, after}, Timeout: providers.CallTimeout + time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		failure := &rest.Error{}
		if json.Unmarshal(text, failure) != nil {
			failure = &rest.Error{Code: -1, Message: "unknown schema registry error: " + resp.Status}
		}
		failure.Status = resp.StatusCode
		return failure
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func escape(subject string) string { return url.PathEscape(subject) }
