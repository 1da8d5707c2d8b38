package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
)

// List implements providers.Lister. Topics whose names begin with an underscore belong to the cluster itself (__consumer_offsets,
// _schemas) and are only found by a prefix that begins so.
func (t *topics) List(ctx context.Context, prefix string) ([]string, error) {
	got, err := retry(ctx, func(ctx context.Context) (*ck.Metadata, error) {
		return ask(ctx, t.cluster, "list topics", func(ctx context.Context, a *ck.AdminClient) (*ck.Metadata, error) {
			return metadata(ctx, a)
		})
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range got.Topics {
		if strings.HasPrefix(name, prefix) && (prefix != "" || !strings.HasPrefix(name, "_")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// metadata asks for all topics. The call takes no context, so it is made with little time at first: who is refused is not
// kept waiting, and a large cluster gets its time.
func metadata(ctx context.Context, a *ck.AdminClient) (*ck.Metadata, error) {
	for wait := time.Second; ; wait *= 2 {
		got, err := a.GetMetadata(nil, true, int(min(wait, left(ctx)).Milliseconds()))
		var failed ck.Error
		late := errors.As(err, &failed) && (failed.Code() == ck.ErrTransport || failed.Code() == ck.ErrTimedOut)
		if err == nil || !late || ctx.Err() != nil || wait >= left(ctx) {
			return got, err
		}
	}
}

// List implements providers.Lister.
func (s *subjects) List(ctx context.Context, prefix string) ([]string, error) {
	all, err := registryAsk(ctx, s.registryClient, "list subjects", func(c schemaregistry.Client) ([]string, error) {
		return c.GetAllSubjects()
	})
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	slices.Sort(names)
	return names, nil
}
