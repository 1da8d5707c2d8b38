package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"mkt/ledger"
)

// The calls: one function for each, with a deadline and the SDK's retries (jitter, Retry-After) around it.

// object is a blob as it was found.
type object struct {
	text   []byte
	etag   azcore.ETag
	write  string // the id of the write that made it, "" for those of others
	leased bool

	lineage string // by its metadata
	serial  uint64
}

// writeID is the metadata that tells a write from all others. A write whose answer was lost is known by it.
const writeID = "mktwrite"

// The head of a ledger, as metadata.
const (
	lineageName = "mktlineage"
	serialName  = "mktserial"
)

// bounded gives a call its deadline and its retries, whatever those of the client are.
func (s *Store) bounded(ctx context.Context, limit limit) (context.Context, context.CancelFunc) {
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{
		MaxRetries: 4, TryTimeout: limit.try, RetryDelay: s.timing.delay, MaxRetryDelay: 30 * time.Second,
	})
	return context.WithTimeout(ctx, limit.call)
}

// get reads a blob, nil where there is none.
func (s *Store) get(ctx context.Context, name string) (*object, error) {
	ctx, cancel := s.bounded(ctx, s.timing.state)
	defer cancel()
	resp, err := s.client.NewBlobClient(name).DownloadStream(ctx, nil)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed("read", name, err)
	}
	body := resp.NewRetryReader(ctx, nil) // goes on after a cut, and only in the same version
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, s.failed("read", name, err)
	}
	o := &object{text: text, write: named(resp.Metadata, writeID)}
	if resp.ETag != nil {
		o.etag = *resp.ETag
	}
	if resp.LeaseState != nil {
		o.leased = *resp.LeaseState == lease.StateTypeLeased || *resp.LeaseState == lease.StateTypeBreaking
	}
	return o, nil
}

// head is get without the text.
func (s *Store) head(ctx context.Context, name string) (*object, error) {
	ctx, cancel := s.bounded(ctx, s.timing.state)
	defer cancel()
	resp, err := s.client.NewBlobClient(name).GetProperties(ctx, nil)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed("read the properties of", name, err)
	}
	o := &object{write: named(resp.Metadata, writeID), lineage: named(resp.Metadata, lineageName)}
	o.serial, _ = strconv.ParseUint(named(resp.Metadata, serialName), 10, 64) // 0 is before all others
	if resp.ETag != nil {
		o.etag = *resp.ETag
	}
	return o, nil
}

func named(metadata map[string]*string, want string) string {
	for name, value := range metadata { // names come back capitalised
		if strings.EqualFold(name, want) && value != nil {
			return *value
		}
	}
	return ""
}

// put writes a blob in place of the version with this ETag; "" stands for no blob. That it is another version by now
// is an error that conflict knows. id is this write's and no other's. The container is made if it is missing.
func (s *Store) put(ctx context.Context, name, id string, text []byte, old azcore.ETag) (azcore.ETag, error) {
	conditions := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &old}}
	if old == "" {
		conditions.ModifiedAccessConditions = &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	}
	etag, err := s.upload(ctx, s.timing.state, name, id, text, conditions)
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		if err = s.createContainer(ctx); err == nil {
			etag, err = s.upload(ctx, s.timing.state, name, id, text, conditions)
		}
	}
	if err == nil || !conflict(err) && answered(err) {
		return etag, err
	}
	// Somebody else's write, or one of the tries before, whose answer was lost.
	if o, herr := s.head(ctx, name); herr == nil && o != nil && o.write == id {
		return o.etag, nil
	}
	return "", err
}

func (s *Store) upload(ctx context.Context, limit limit, name, id string, text []byte, conditions *blob.AccessConditions) (azcore.ETag, error) {
	ctx, cancel := s.bounded(ctx, limit)
	defer cancel()
	metadata := map[string]*string{writeID: &id}
	if lineage, serial, err := ledger.Head(text); err == nil && lineage != "" {
		metadata[lineageName], metadata[serialName] = &lineage, to.Ptr(strconv.FormatUint(serial, 10))
	}
	resp, err := s.client.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(text)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: to.Ptr("application/json")},
		Metadata:         metadata,
		AccessConditions: conditions,
	})
	if err != nil {
		return "", s.failed("write", name, err)
	}
	if resp.ETag == nil {
		return "", s.failed("write", name, errors.New("the answer has no ETag"))
	}
	return *resp.ETag, nil
}

func (s *Store) createContainer(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx, s.timing.state)
	defer cancel()
	_, err := s.client.Create(ctx, nil)
	if bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return s.failed("create the container", "", err)
}
