package warehouse

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

// blobInfo is one blob of a stage. Name is its name in the container.
type blobInfo struct {
	Name     string
	Size     int64
	ETag     string
	MD5      string
	Modified time.Time
}

// storageTimeout bounds one request for a list or a queue; a download is bounded by its progress.
const storageTimeout = 30 * time.Second

// clientOptions keep retries short: what fails is tried again by the pipe, and a COPY must answer.
var clientOptions = azcore.ClientOptions{
	Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second, TryTimeout: 0},
	Telemetry: policy.TelemetryOptions{Disabled: true},
}

// blobURL names a blob of a stage as Snowflake does.
func (o *object) blobURL(name string) string {
	account, cont, _ := o.Stage.location()
	u, _ := url.Parse(o.Stage.URL)
	return "azure://" + account + strings.TrimPrefix(u.Host, account) + "/" + cont + "/" + name
}

// container opens the container of a stage with the stage's own token.
func (w *Warehouse) container(o *object) (*container.Client, error) {
	account, name, _ := o.Stage.location()
	var ep StorageEndpoint
	ok := false
	if w.cfg.Storage != nil {
		ep, ok = w.cfg.Storage(account)
	}
	if !ok {
		return nil, stageError(o, fmt.Sprintf("the storage account %s is not known to the embedded stack", account))
	}
	if o.Stage.Integration != "" {
		return nil, errUnsupported("reading a stage through a storage integration (stage %s): give it an AZURE_SAS_TOKEN", o.Name)
	}
	if o.Stage.Encryption == "AZURE_CSE" {
		return nil, errUnsupported("reading files that a client has encrypted (stage %s has ENCRYPTION of TYPE AZURE_CSE)", o.Name)
	}
	u := strings.TrimSuffix(ep.BlobURL, "/") + "/" + url.PathEscape(name)
	if o.Stage.Token != "" {
		u += "?" + o.Stage.Token
	}
	c, err := container.NewClientWithNoCredential(u, &container.ClientOptions{ClientOptions: clientOptions})
	if err != nil {
		return nil, stageError(o, "bad address") // the error would show the token
	}
	return c, nil
}

// stageError is what Snowflake answers when a stage cannot be read.
func stageError(o *object, cause string) *sqlError {
	return &sqlError{Code: "091003", State: "55000", Msg: fmt.Sprintf("Failure using stage area %s. Cause: [%s]", o.full(), cause)}
}

// azureError takes the code out of an SDK error, whose text holds the address with its token.
func azureError(o *object, err error) error {
	if re, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return stageError(o, fmt.Sprintf("%s (Status Code: %d; Error Code: %s)", re.ErrorCode, re.StatusCode, re.ErrorCode))
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return stageError(o, fmt.Sprintf("%s: %v", ue.Op, ue.Err))
	}
	return stageError(o, "the storage account does not answer")
}

// listBlobs lists the blobs under a prefix, in the order of their names.
func (w *Warehouse) listBlobs(ctx context.Context, o *object, prefix string) ([]blobInfo, error) {
	c, err := w.container(o)
	if err != nil {
		return nil, err
	}
	var out []blobInfo
	pages := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pages.More() {
		page, err := func() (container.ListBlobsFlatResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, storageTimeout)
			defer cancel()
			return pages.NextPage(ctx)
		}()
		if err != nil {
			return nil, azureError(o, err)
		}
		for _, it := range page.Segment.BlobItems {
			b := blobInfo{Name: *it.Name}
			if p := it.Properties; p != nil {
				if p.ContentLength != nil {
					b.Size = *p.ContentLength
				}
				if p.ETag != nil {
					b.ETag = strings.Trim(string(*p.ETag), `"`)
				}
				if p.LastModified != nil {
					b.Modified = *p.LastModified
				}
				b.MD5 = base64.StdEncoding.EncodeToString(p.ContentMD5)
			}
			out = append(out, b)
		}
	}
	return out, nil
}

var errBlobGone = errors.New("blob not found")

// download opens a blob. The reader goes on after a broken connection.
func (w *Warehouse) download(ctx context.Context, o *object, name string) (io.ReadCloser, int64, error) {
	c, err := w.container(o)
	if err != nil {
		return nil, 0, err
	}
	resp, err := c.NewBlobClient(name).DownloadStream(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, 0, errBlobGone
	}
	if err != nil {
		return nil, 0, azureError(o, err)
	}
	size := int64(0)
	if resp.ContentLength != nil {
		size = *resp.ContentLength
	}
	return resp.NewRetryReader(ctx, nil), size, nil
}

// queue opens the queue of a notification integration.
func (w *Warehouse) queue(in *integrationDef) (*azqueue.QueueClient, error) {
	account, name := in.queue()
	var ep StorageEndpoint
	ok := false
	if w.cfg.Storage != nil {
		ep, ok = w.cfg.Storage(account)
	}
	if !ok {
		return nil, fmt.Errorf("the storage account %s is not known to the embedded stack", account)
	}
	cred, err := azqueue.NewSharedKeyCredential(account, ep.Key)
	if err != nil {
		return nil, fmt.Errorf("queue of account %s: %w", account, err)
	}
	return azqueue.NewQueueClientWithSharedKeyCredential(strings.TrimSuffix(ep.QueueURL, "/")+"/"+name, cred, &azqueue.ClientOptions{ClientOptions: clientOptions})
}
