package stream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/cenkalti/backoff/v5"

	"mkt/stream/rowfile"
)

// createBlob writes a blob that must not exist. When one of that name exists
// it returns errExists. It tries again until ctx ends; a try whose answer was
// lost shows as errExists, too.
func createBlob(ctx context.Context, c *container.Client, name string, body *rowfile.Output, meta map[string]*string, retried func()) error {
	hash := md5.New()
	if _, err := io.Copy(hash, body.Reader()); err != nil {
		return err
	}
	sum := hash.Sum(nil)
	anyTag := azcore.ETagAny
	opts := &blockblob.UploadOptions{
		Metadata:                meta,
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: sum},
		TransactionalValidation: blob.TransferValidationTypeMD5(sum),
		AccessConditions:        &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anyTag}},
	}
	err := retryBlob(ctx, retried, func(ctx context.Context) error {
		_, err := c.NewBlockBlobClient(name).Upload(ctx, readSeekCloser{body.Reader()}, opts)
		return err
	})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
		return errExists
	}
	if err != nil {
		return fmt.Errorf("upload %s: %w", name, err)
	}
	return nil
}

var errExists = errors.New("the blob exists")

// errNoBlob says that there is no blob of a name.
var errNoBlob = errors.New("the blob does not exist")

// blobInfo reads what a file says about itself.
func blobInfo(ctx context.Context, c *container.Client, name string, retried func()) (FileInfo, error) {
	var props blob.GetPropertiesResponse
	err := retryBlob(ctx, retried, func(ctx context.Context) (err error) {
		props, err = c.NewBlobClient(name).GetProperties(ctx, nil)
		return err
	})
	if err != nil {
		if status(err) == http.StatusNotFound {
			err = errNoBlob
		}
		return FileInfo{}, fmt.Errorf("read metadata of %s: %w", name, err)
	}
	info, err := ParseFileInfo(props.Metadata)
	if err != nil {
		return info, fmt.Errorf("%s: %w", name, err)
	}
	return info, nil
}

const (
	tryLimit  = 60 * time.Second // the most that one try has
	blobLimit = 2 * time.Minute  // all tries, where the caller sets no limit
)

// retryBlob calls f until it succeeds, is refused, or ctx ends, at the latest
// after blobLimit if ctx does not. Each try has half of what is left, at most
// tryLimit, so that a service that does not answer is asked again; the client's
// own quick retries count as one try.
func retryBlob(ctx context.Context, retried func(), f func(context.Context) error) error {
	if _, ends := ctx.Deadline(); !ends {
		limited, cancel := context.WithTimeout(ctx, blobLimit)
		defer cancel()
		ctx = limited
	}
	b := &backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 10 * time.Second}
	first := true
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if !first && retried != nil {
			retried()
		}
		first = false
		end, _ := ctx.Deadline()
		try, cancel := context.WithTimeout(ctx, min(tryLimit, time.Until(end)/2))
		defer cancel()
		if last = f(try); last != nil && refused(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(b), backoff.WithMaxElapsedTime(0))
	if errors.Is(err, context.DeadlineExceeded) && last != nil {
		// Not wrapped: it is no deadline of a broker's.
		return fmt.Errorf("the storage account does not answer, or not in time: %s", last.Error())
	}
	return err
}

// refused says whether a service's answer stands however often one asks.
func refused(err error) bool {
	// A credential that gives no token says so by this method (azidentity, AuthenticationFailedError).
	var no interface{ NonRetriable() }
	if errors.As(err, &no) {
		return true
	}
	s := status(err)
	if bloberror.HasCode(err, bloberror.ContainerBeingDeleted, bloberror.MD5Mismatch) {
		return false
	}
	return s >= 400 && s < 500 && s != http.StatusRequestTimeout && s != http.StatusTooManyRequests
}

func status(err error) int {
	var re *azcore.ResponseError
	if errors.As(err, &re) {
		return re.StatusCode
	}
	return 0
}

// File is a file of a consumer as it stands in a container.
type File struct {
	Name      string
	TopicID   string
	Partition int32
	Start     int64
	Size      int64
	FileInfo
}

// ListFiles lists the files of one partition in the order of their offsets.
func ListFiles(ctx context.Context, c *container.Client, prefix string, t Topic, partition int32) ([]File, error) {
	return listFiles(ctx, c, prefix+t.Name+"/", PartitionPrefix(prefix, t, partition))
}

// ListTopicFiles lists the files of all topics of that name, those that are
// gone included, by topic, partition and offset.
func ListTopicFiles(ctx context.Context, c *container.Client, prefix, topic string) ([]File, error) {
	return listFiles(ctx, c, prefix+topic+"/", prefix+topic+"/")
}

// listFiles lists the files under dir, which is under the topic's directory,
// by topic, partition and offset.
func listFiles(ctx context.Context, c *container.Client, topicDir, dir string) ([]File, error) {
	var out []File
	err := eachBlob(ctx, c, dir, func(item *container.BlobItem) error {
		if f, ok := parseName(strings.TrimPrefix(*item.Name, topicDir)); ok {
			f, err := f.of(item)
			out = append(out, f)
			return err
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b File) int {
		return cmp.Or(strings.Compare(a.TopicID, b.TopicID), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Start, b.Start))
	})
	return out, err
}

// of fills in what the service says about the file.
func (f File) of(item *container.BlobItem) (_ File, err error) {
	f.Name = *item.Name
	if item.Properties != nil && item.Properties.ContentLength != nil {
		f.Size = *item.Properties.ContentLength
	}
	if f.FileInfo, err = ParseFileInfo(item.Metadata); err != nil {
		return f, fmt.Errorf("%s: %w", f.Name, err)
	}
	return f, nil
}

// eachBlob calls f for every blob whose name begins with prefix, in the order
// of their names.
func eachBlob(ctx context.Context, c *container.Client, prefix string, f func(*container.BlobItem) error) error {
	for marker := new(string); ; {
		var page container.ListBlobsFlatResponse
		err := retryBlob(ctx, nil, func(ctx context.Context) (err error) {
			// A pager that failed once fails forever: each try has its own.
			page, err = c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Marker: marker,
				Include: container.ListBlobsInclude{Metadata: true}}).NextPage(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, item := range page.Segment.BlobItems {
			if err := f(item); err != nil {
				return err
			}
		}
		if marker = page.NextMarker; marker == nil || *marker == "" {
			return nil
		}
	}
}

// eachLine downloads a file of text and goes through its lines.
func eachLine(ctx context.Context, c *container.Client, name string, f func([]byte) error) error {
	var body []byte
	err := retryBlob(ctx, nil, func(ctx context.Context) error {
		res, err := c.NewBlobClient(name).DownloadStream(ctx, nil)
		if err == nil {
			body, err = io.ReadAll(res.Body)
			err = errors.Join(err, res.Body.Close())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("download %s: %w", name, err)
	}
	if err := rowfile.EachLine(name, bytes.NewReader(body), f); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

type readSeekCloser struct{ io.ReadSeeker }

func (readSeekCloser) Close() error { return nil }
