package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"

	"mkt/internal/clienttls"
	"mkt/stream/codec"
)

// Schemas fetches schemas from a registry and compiles each once. It is safe
// for concurrent use. The registry's client gives each request 10 s and tries
// three times more; it knows no context, so that what is given up ends a little
// later.
type Schemas struct {
	client schemaregistry.Client
	mu     sync.Mutex
	byID   map[int]*codec.Schema
	bad    map[int]error // ids that will not decode in this run
}

// NewSchemas opens a client of the registry.
func NewSchemas(cfg Registry) (*Schemas, error) {
	conf := schemaregistry.NewConfig(cfg.URL)
	if cfg.User != "" {
		conf = schemaregistry.NewConfigWithBasicAuthentication(cfg.URL, cfg.User, cfg.Password)
	}
	if cfg.Token != "" {
		conf = schemaregistry.NewConfigWithBearerAuthentication(cfg.URL, cfg.Token, "", "")
	}
	config, err := clienttls.Config(cfg.TLS)
	if err != nil {
		return nil, fmt.Errorf("schema registry client: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	conf.HTTPClient = &http.Client{Transport: transport, Timeout: time.Duration(conf.RequestTimeoutMs) * time.Millisecond}
	client, err := schemaregistry.NewClient(conf)
	if err != nil {
		return nil, fmt.Errorf("schema registry client: %w", err)
	}
	return &Schemas{client: client, byID: map[int]*codec.Schema{}, bad: map[int]error{}}, nil
}

// Latest is the newest schema of a subject.
func (s *Schemas) Latest(ctx context.Context, subject string) (*codec.Schema, error) {
	meta, err := until(ctx, func() (schemaregistry.SchemaMetadata, error) { return s.client.GetLatestSchemaMetadata(subject) })
	if err != nil {
		return nil, fmt.Errorf("latest schema of subject %q: %w", subject, err)
	}
	out, err := s.compile(ctx, meta.ID, meta.SchemaInfo)
	if err != nil {
		return nil, fmt.Errorf("subject %q, version %d: %w", subject, meta.Version, err)
	}
	return out, nil
}

// until returns what f does, or the error of ctx when that ends first.
func until[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		v, err := f()
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// ErrPoison marks what makes a record undecodable, now and later.
var ErrPoison = errors.New("undecodable")

// ByID is the schema of that id. An id that the registry does not know, or
// whose schema is no Avro record, is ErrPoison.
func (s *Schemas) ByID(ctx context.Context, id int) (*codec.Schema, error) {
	s.mu.Lock()
	known, bad := s.byID[id], s.bad[id]
	s.mu.Unlock()
	if known != nil || bad != nil {
		return known, bad
	}
	info, err := until(ctx, func() (schemaregistry.SchemaInfo, error) { return s.client.GetBySubjectAndID("", id) })
	var failure *rest.Error
	if errors.As(err, &failure) && failure.Status == http.StatusNotFound {
		err = fmt.Errorf("%w: the registry has no schema with id %d", ErrPoison, id)
	} else if err != nil {
		return nil, fmt.Errorf("schema with id %d: %w", id, err)
	} else {
		var out *codec.Schema
		if out, err = s.compile(ctx, id, info); err == nil {
			return out, nil
		}
		if !errors.Is(err, ErrPoison) {
			return nil, err
		}
	}
	s.mu.Lock()
	s.bad[id] = err
	s.mu.Unlock()
	return nil, err
}

func (s *Schemas) compile(ctx context.Context, id int, info schemaregistry.SchemaInfo) (*codec.Schema, error) {
	if info.SchemaType != "" && info.SchemaType != "AVRO" {
		return nil, fmt.Errorf("%w: the schema is of type %s, AVRO is needed", ErrPoison, info.SchemaType)
	}
	var refs []string
	if err := s.references(ctx, info.References, map[string]bool{}, &refs); err != nil {
		return nil, err
	}
	out, err := codec.Parse(id, info.Schema, refs...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPoison, err)
	}
	s.mu.Lock()
	s.byID[id] = out
	s.mu.Unlock()
	return out, nil
}

// references appends the texts of what refs refer to, the deepest first.
func (s *Schemas) references(ctx context.Context, refs []schemaregistry.Reference, seen map[string]bool, out *[]string) error {
	for _, r := range refs {
		key := fmt.Sprintf("%s/%d", r.Subject, r.Version)
		if seen[key] {
			continue
		}
		seen[key] = true
		meta, err := until(ctx, func() (schemaregistry.SchemaMetadata, error) { return s.client.GetSchemaMetadata(r.Subject, r.Version) })
		if err != nil {
			return fmt.Errorf("referenced schema %q version %d: %w", r.Subject, r.Version, err)
		}
		if err := s.references(ctx, meta.References, seen, out); err != nil {
			return err
		}
		*out = append(*out, meta.Schema)
	}
	return nil
}

// wireHeader is Confluent's wire format: a zero byte and the schema id.
const wireHeader = 5

// SchemaID takes a record's value apart into schema id and datum.
func SchemaID(value []byte) (int, []byte, error) {
	switch {
	case value == nil:
		return 0, nil, fmt.Errorf("%w: the record has no value", ErrPoison)
	case len(value) < wireHeader || value[0] != 0:
		return 0, nil, fmt.Errorf("%w: the value does not start with a schema id in Confluent's wire format", ErrPoison)
	}
	id := int(value[1])<<24 | int(value[2])<<16 | int(value[3])<<8 | int(value[4])
	return id, value[wireHeader:], nil
}
