package storage

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azb "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	azcontainer "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	azlease "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"golang.org/x/sync/errgroup"
)

func read(t testing.TB, c *azblob.Client, container, name string, o *azblob.DownloadStreamOptions) string {
	t.Helper()
	resp, err := c.DownloadStream(t.Context(), container, name, o)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return string(must[[]byte](t)(io.ReadAll(resp.Body)))
}

func TestContainers(t *testing.T) {
	w := open(t)
	c, ctx := w.blobClient(), t.Context()
	if _, err := c.CreateContainer(ctx, "data", &azblob.CreateContainerOptions{
		Metadata: map[string]*string{"owner": new("mkt")}, Access: to.Ptr(azblob.PublicAccessTypeBlob),
	}); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateContainer(ctx, "data", nil)
	wantCode(t, err, 409, "ContainerAlreadyExists")
	_, err = c.CreateContainer(ctx, "Bad_Name", nil)
	wantCode(t, err, 400, "InvalidResourceName")

	cc := c.ServiceClient().NewContainerClient("data")
	p := must[azcontainer.GetPropertiesResponse](t)(cc.GetProperties(ctx, nil))
	if *p.Metadata["Owner"] != "mkt" || *p.BlobPublicAccess != "blob" || p.ETag == nil || p.LastModified.IsZero() {
		t.Fatalf("properties: %+v", p)
	}
	if _, err := cc.SetMetadata(ctx, &azcontainer.SetMetadataOptions{Metadata: map[string]*string{"a": new("1"), "b": new("2")}}); err != nil {
		t.Fatal(err)
	}
	expiry := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if _, err := cc.SetAccessPolicy(ctx, &azcontainer.SetAccessPolicyOptions{
		ContainerACL: []*azcontainer.SignedIdentifier{{ID: new("readers"), AccessPolicy: &azcontainer.AccessPolicy{Expiry: &expiry, Permission: new("rl")}}},
	}); err != nil {
		t.Fatal(err)
	}
	acl := must[azcontainer.GetAccessPolicyResponse](t)(cc.GetAccessPolicy(ctx, nil))
	if len(acl.SignedIdentifiers) != 1 || *acl.SignedIdentifiers[0].ID != "readers" || !acl.SignedIdentifiers[0].AccessPolicy.Expiry.Equal(expiry) || acl.BlobPublicAccess != nil {
		t.Fatalf("acl: %+v", acl)
	}
	for i := range 4 {
		w.container(fmt.Sprintf("more-%d", i))
	}
	var names []string
	pager := c.NewListContainersPager(&azblob.ListContainersOptions{MaxResults: new(int32(2)), Include: azblob.ListContainersInclude{Metadata: true}})
	pages := 0
	for pager.More() {
		page := must[azblob.ListContainersResponse](t)(pager.NextPage(ctx))
		pages++
		for _, item := range page.ContainerItems {
			names = append(names, *item.Name)
			if *item.Name == "data" && (len(item.Metadata) != 2 || *item.Metadata["a"] != "1") {
				t.Errorf("listed metadata: %v", item.Metadata)
			}
		}
	}
	if got := strings.Join(names, " "); got != "data more-0 more-1 more-2 more-3" || pages != 3 {
		t.Fatalf("%d pages: %s", pages, got)
	}
	if _, err := c.DeleteContainer(ctx, "data", nil); err != nil {
		t.Fatal(err)
	}
	_, err = c.DeleteContainer(ctx, "data", nil)
	wantCode(t, err, 404, "ContainerNotFound")
	_, err = cc.GetProperties(ctx, nil)
	wantCode(t, err, 404, "ContainerNotFound")
}

func TestDeletedNameIsTakenForAWhile(t *testing.T) {
	w := open(t, func(c *Config) { c.DeleteDelay = 30 * time.Second })
	now := time.Now()
	w.s.now = func() time.Time { return now }
	w.container("data")
	c := w.blobClient()
	if _, err := c.DeleteContainer(t.Context(), "data", nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateContainer(t.Context(), "data", nil)
	wantCode(t, err, 409, "ContainerBeingDeleted")
	now = now.Add(31 * time.Second)
	w.container("data")
}

func TestPutAndGet(t *testing.T) {
	w := open(t)
	w.container("data")
	c, ctx := w.blobClient(), t.Context()
	name := "a b/ü&<%2F+?.json"
	body := []byte("hello, blobs")
	up := must[azblob.UploadBufferResponse](t)(c.UploadBuffer(ctx, "data", name, body, &azblob.UploadBufferOptions{
		HTTPHeaders: &azb.HTTPHeaders{BlobContentType: new("application/json"), BlobContentEncoding: new("br")},
		Metadata:    map[string]*string{"end_offset": new("41"), "rows": new("7")},
		Tags:        map[string]string{"k": "v 1"},
	}))
	if got := read(t, c, "data", name, nil); got != string(body) {
		t.Fatalf("read %q", got)
	}
	bc := c.ServiceClient().NewContainerClient("data").NewBlobClient(name)
	p := must[azb.GetPropertiesResponse](t)(bc.GetProperties(ctx, nil))
	sum := md5.Sum(body)
	if *p.ContentLength != int64(len(body)) || *p.ContentType != "application/json" || *p.ContentEncoding != "br" ||
		*p.ETag != *up.ETag || !bytes.Equal(p.ContentMD5, sum[:]) || *p.Metadata["End_offset"] != "41" || *p.TagCount != 1 || *p.BlobType != "BlockBlob" {
		t.Fatalf("properties: %+v", p)
	}
	for _, tt := range []struct {
		offset, count int64
		want          string
	}{{0, 5, "hello"}, {7, 0, "blobs"}, {7, 100, "blobs"}, {11, 1, "s"}} {
		if got := read(t, c, "data", name, &azblob.DownloadStreamOptions{Range: azblob.HTTPRange{Offset: tt.offset, Count: tt.count}}); got != tt.want {
			t.Errorf("range %d+%d: %q, want %q", tt.offset, tt.count, got, tt.want)
		}
	}
	_, err := c.DownloadStream(ctx, "data", name, &azblob.DownloadStreamOptions{Range: azblob.HTTPRange{Offset: 12}})
	wantCode(t, err, 416, "InvalidRange")
	_, err = c.DownloadStream(ctx, "data", "none", nil)
	wantCode(t, err, 404, "BlobNotFound")
	_, err = bc.GetProperties(ctx, &azb.GetPropertiesOptions{AccessConditions: &azb.AccessConditions{ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfNoneMatch: up.ETag}}})
	wantCode(t, err, 304, "ConditionNotMet")
	if _, err := c.DeleteBlob(ctx, "data", name, nil); err != nil {
		t.Fatal(err)
	}
	_, err = c.DeleteBlob(ctx, "data", name, nil)
	wantCode(t, err, 404, "BlobNotFound")
}

func TestTransferValidation(t *testing.T) {
	w := open(t)
	w.container("data")
	bc := w.blobClient().ServiceClient().NewContainerClient("data").NewBlockBlobClient("x")
	upload := func(v azb.TransferValidationType) error {
		_, err := bc.Upload(t.Context(), streaming.NopCloser(strings.NewReader("hello")), &blockblob.UploadOptions{TransactionalValidation: v})
		return err
	}
	if err := upload(azb.TransferValidationTypeComputeCRC64()); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte("other"))
	wantCode(t, upload(azb.TransferValidationTypeMD5(sum[:])), 400, "Md5Mismatch")
	wantCode(t, upload(azb.TransferValidationTypeCRC64(1)), 400, "Crc64Mismatch")
}

func TestConditions(t *testing.T) {
	w := open(t)
	w.container("data")
	c, ctx := w.blobClient(), t.Context()
	put := func(body string, m *azb.ModifiedAccessConditions) (azcore.ETag, error) {
		r, err := c.UploadBuffer(ctx, "data", "x", []byte(body), &azblob.UploadBufferOptions{AccessConditions: &azb.AccessConditions{ModifiedAccessConditions: m}})
		if err != nil {
			return "", err
		}
		return *r.ETag, nil
	}
	create := &azb.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	_, err := put("0", &azb.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(`"0x1"`))})
	wantCode(t, err, 412, "ConditionNotMet")
	first := must[azcore.ETag](t)(put("1", create))
	_, err = put("2", create)
	wantCode(t, err, 409, "BlobAlreadyExists")
	second := must[azcore.ETag](t)(put("2", &azb.ModifiedAccessConditions{IfMatch: &first}))
	_, err = put("3", &azb.ModifiedAccessConditions{IfMatch: &first})
	wantCode(t, err, 412, "ConditionNotMet")
	_, err = put("3", &azb.ModifiedAccessConditions{IfNoneMatch: &second})
	wantCode(t, err, 412, "ConditionNotMet")
	_, err = put("3", &azb.ModifiedAccessConditions{IfUnmodifiedSince: new(time.Now().Add(-time.Hour))})
	wantCode(t, err, 412, "ConditionNotMet")
	if got := read(t, c, "data", "x", nil); got != "2" {
		t.Fatalf("body is %q", got)
	}
	before, after := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, tt := range []struct {
		when azb.ModifiedAccessConditions
		want string
	}{
		{azb.ModifiedAccessConditions{IfMatch: &second}, ""}, {azb.ModifiedAccessConditions{IfMatch: &first}, "ConditionNotMet"},
		{azb.ModifiedAccessConditions{IfNoneMatch: &first}, ""}, {azb.ModifiedAccessConditions{IfNoneMatch: &second}, "ConditionNotMet"},
		{azb.ModifiedAccessConditions{IfModifiedSince: &before}, ""}, {azb.ModifiedAccessConditions{IfModifiedSince: &after}, "ConditionNotMet"},
		{azb.ModifiedAccessConditions{IfUnmodifiedSince: &after}, ""}, {azb.ModifiedAccessConditions{IfUnmodifiedSince: &before}, "ConditionNotMet"},
	} {
		// The SDK takes the status 304 for an answer, and 412 for an error.
		resp, err := c.DownloadStream(ctx, "data", "x", &azblob.DownloadStreamOptions{AccessConditions: &azb.AccessConditions{ModifiedAccessConditions: &tt.when}})
		var got string
		if re, ok := errors.AsType[*azcore.ResponseError](err); ok {
			got = re.ErrorCode
		} else if resp.ErrorCode != nil {
			got = *resp.ErrorCode
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.when, got, tt.want)
		}
	}
	_, err = put("3", &azb.ModifiedAccessConditions{IfModifiedSince: &after})
	wantCode(t, err, 412, "ConditionNotMet")
}

// One of many creators of the same name must win, the others must see 409.
func TestCreateOnlyRace(t *testing.T) {
	w := open(t)
	w.container("data")
	c := w.blobClient()
	results := make(chan error, 16)
	for i := range 16 {
		go func() {
			_, err := c.UploadBuffer(context.Background(), "data", "x", fmt.Appendf(nil, "%d", i), &azblob.UploadBufferOptions{
				AccessConditions: &azb.AccessConditions{ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}},
			})
			results <- err
		}()
	}
	won := 0
	for range 16 {
		if err := <-results; err == nil {
			won++
		} else {
			wantCode(t, err, 409, "BlobAlreadyExists")
		}
	}
	if won != 1 {
		t.Fatalf("%d creators won", won)
	}
}

func TestBlocks(t *testing.T) {
	w := open(t)
	w.container("data")
	c, ctx := w.blobClient(), t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB in 256 KiB blocks
	if _, err := c.UploadStream(ctx, "data", "big", bytes.NewReader(big), &azblob.UploadStreamOptions{BlockSize: 256 << 10, Concurrency: 3}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, "data", "big", nil); got != string(big) {
		t.Fatal("block upload came back different")
	}
	buf := make([]byte, len(big))
	if _, err := c.DownloadBuffer(ctx, "data", "big", buf, &azblob.DownloadBufferOptions{BlockSize: 100_000}); err != nil || !bytes.Equal(buf, big) {
		t.Fatalf("parallel range download: %v", err)
	}
	bc := c.ServiceClient().NewContainerClient("data").NewBlockBlobClient("x")
	stage := func(id, body string) {
		t.Helper()
		if _, err := bc.StageBlock(ctx, id, streaming.NopCloser(strings.NewReader(body)), nil); err != nil {
			t.Fatal(err)
		}
	}
	stage("YTAx", "one")
	stage("YTAy", "two")
	_, err := bc.StageBlock(ctx, "not base64!", streaming.NopCloser(strings.NewReader("x")), nil)
	wantCode(t, err, 400, "InvalidQueryParameterValue")
	_, err = bc.StageBlock(ctx, "YTAxMjM0", streaming.NopCloser(strings.NewReader("x")), nil)
	wantCode(t, err, 400, "InvalidBlobOrBlock")
	_, err = bc.CommitBlockList(ctx, []string{"YTAz"}, nil)
	wantCode(t, err, 400, "InvalidBlockList")
	_, err = c.DownloadStream(ctx, "data", "x", nil)
	wantCode(t, err, 404, "BlobNotFound")
	must[blockblob.CommitBlockListResponse](t)(bc.CommitBlockList(ctx, []string{"YTAy", "YTAx"}, nil))
	if got := read(t, c, "data", "x", nil); got != "twoone" {
		t.Fatalf("committed %q", got)
	}
	stage("YTAz", "three")
	list := must[blockblob.GetBlockListResponse](t)(bc.GetBlockList(ctx, blockblob.BlockListTypeAll, nil))
	if len(list.CommittedBlocks) != 2 || len(list.UncommittedBlocks) != 1 || *list.UncommittedBlocks[0].Size != 5 {
		t.Fatalf("block list: %+v", list.BlockList)
	}
	must[blockblob.CommitBlockListResponse](t)(bc.CommitBlockList(ctx, []string{"YTAx", "YTAz"}, nil))
	if got := read(t, c, "data", "x", nil); got != "onethree" {
		t.Fatalf("mixed commit %q", got)
	}
}

func TestListing(t *testing.T) {
	w := open(t)
	w.container("data")
	c, ctx := w.blobClient(), t.Context()
	for _, name := range []string{"a", "p/1", "p/2", "p/x/3", "p/x/4", "p/y/5", "p/z", "q/\x01"} {
		w.put("data", name, name)
	}
	cc := c.ServiceClient().NewContainerClient("data")
	for _, tt := range []struct {
		prefix, delimiter string
		size              int32
		want              string
	}{
		{"", "", 0, "a p/1 p/2 p/x/3 p/x/4 p/y/5 p/z q/\x01"},
		{"", "", 3, "a p/1 p/2|p/x/3 p/x/4 p/y/5|p/z q/\x01"},
		{"p/", "", 2, "p/1 p/2|p/x/3 p/x/4|p/y/5 p/z"},
		{"", "/", 0, "a [p/] [q/]"},
		{"p/", "/", 0, "p/1 p/2 p/z [p/x/] [p/y/]"},
		{"p/", "/", 2, "p/1 p/2|[p/x/] [p/y/]|p/z"},
		{"p/x", "/", 0, "[p/x/]"},
		{"nothing", "", 0, ""},
	} {
		var pages []string
		if tt.delimiter == "" {
			o := &azcontainer.ListBlobsFlatOptions{Prefix: &tt.prefix}
			if tt.size > 0 {
				o.MaxResults = &tt.size
			}
			for pager := cc.NewListBlobsFlatPager(o); pager.More(); {
				var items []string
				for _, b := range must[azcontainer.ListBlobsFlatResponse](t)(pager.NextPage(ctx)).Segment.BlobItems {
					items = append(items, *b.Name)
				}
				pages = append(pages, strings.Join(items, " "))
			}
		} else {
			o := &azcontainer.ListBlobsHierarchyOptions{Prefix: &tt.prefix}
			if tt.size > 0 {
				o.MaxResults = &tt.size
			}
			for pager := cc.NewListBlobsHierarchyPager(tt.delimiter, o); pager.More(); {
				page := must[azcontainer.ListBlobsHierarchyResponse](t)(pager.NextPage(ctx))
				var items []string
				for _, b := range page.Segment.BlobItems {
					items = append(items, *b.Name)
				}
				for _, p := range page.Segment.BlobPrefixes {
					items = append(items, "["+*p.Name+"]")
				}
				pages = append(pages, strings.Join(items, " "))
			}
		}
		if got := strings.Join(pages, "|"); got != tt.want {
			t.Errorf("prefix %q delimiter %q size %d:\n got %q\nwant %q", tt.prefix, tt.delimiter, tt.size, got, tt.want)
		}
	}
	pager := cc.NewListBlobsFlatPager(&azcontainer.ListBlobsFlatOptions{Marker: new("!")})
	_, err := pager.NextPage(ctx)
	wantCode(t, err, 400, "InvalidQueryParameterValue")
}

func TestBlobProperties(t *testing.T) {
	w := open(t)
	w.container("data")
	w.put("data", "x", "body")
	c, ctx := w.blobClient(), t.Context()
	bc := c.ServiceClient().NewContainerClient("data").NewBlobClient("x")
	if _, err := bc.SetMetadata(ctx, map[string]*string{"k": new("v")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := bc.SetHTTPHeaders(ctx, azb.HTTPHeaders{BlobContentType: new("text/csv")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := bc.SetTags(ctx, map[string]string{"a": "1", "b": "2"}, nil); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range must[azb.GetTagsResponse](t)(bc.GetTags(ctx, nil)).BlobTagSet {
		tags[*tag.Key] = *tag.Value
	}
	if !maps.Equal(tags, map[string]string{"a": "1", "b": "2"}) {
		t.Errorf("tags: %v", tags)
	}
	if _, err := bc.SetTier(ctx, azb.AccessTierArchive, nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.DownloadStream(ctx, "data", "x", nil)
	wantCode(t, err, 409, "BlobArchived")
	if _, err := bc.SetTier(ctx, azb.AccessTierCool, nil); err != nil {
		t.Fatal(err)
	}
	p := must[azb.GetPropertiesResponse](t)(bc.GetProperties(ctx, nil))
	if *p.AccessTier != "Cool" || *p.ContentType != "text/csv" || *p.Metadata["K"] != "v" {
		t.Errorf("properties: %+v", p)
	}
	to2 := c.ServiceClient().NewContainerClient("data").NewBlobClient("y")
	started := must[azb.StartCopyFromURLResponse](t)(to2.StartCopyFromURL(ctx, bc.URL(), nil))
	if *started.CopyStatus != azb.CopyStatusTypeSuccess || read(t, c, "data", "y", nil) != "body" {
		t.Errorf("copy: %+v", started)
	}
	page := must[azblob.ListBlobsFlatResponse](t)(c.NewListBlobsFlatPager("data", &azblob.ListBlobsFlatOptions{
		Include: azblob.ListBlobsInclude{Metadata: true, Tags: true, Copy: true}}).NextPage(ctx))
	if x, y := page.Segment.BlobItems[0], page.Segment.BlobItems[1]; *x.BlobTags.BlobTagSet[1].Value != "2" || len(x.Metadata) != 1 ||
		*y.Properties.CopySource != bc.URL() || *y.Properties.CopyStatus != azb.CopyStatusTypeSuccess {
		t.Errorf("listed: %+v, %+v", x, y.Properties)
	}
	w.put("data", "x", "changed")
	if got := read(t, c, "data", "y", nil); got != "body" {
		t.Errorf("copy changed with its source: %q", got)
	}
	for source, status := range map[string]int{"https://elsewhere.example/data/x": 403, w.blobs + "/data": 403, w.blobs + "/data/none": 404} {
		_, err = to2.StartCopyFromURL(ctx, source, nil)
		wantCode(t, err, status, "CannotVerifyCopySource")
	}
}

func TestAccount(t *testing.T) {
	c := open(t).blobClient().ServiceClient()
	info := must[service.GetAccountInfoResponse](t)(c.GetAccountInfo(t.Context(), nil))
	p := must[service.GetPropertiesResponse](t)(c.GetProperties(t.Context(), nil))
	if *info.AccountKind != service.AccountKindStorageV2 || *info.IsHierarchicalNamespaceEnabled || *p.DeleteRetentionPolicy.Enabled {
		t.Errorf("%+v, %+v", info, p)
	}
}

func TestLeases(t *testing.T) {
	w := open(t)
	now := time.Now()
	w.s.now = func() time.Time { return now }
	w.container("data")
	w.put("data", "lock", "1")
	ctx := t.Context()
	bc := w.blobClient().ServiceClient().NewContainerClient("data").NewBlockBlobClient("lock")
	id1, id2 := newID(), newID()
	lc := must[*azlease.BlobClient](t)(azlease.NewBlobClient(bc, &azlease.BlobClientOptions{LeaseID: &id1}))
	other := must[*azlease.BlobClient](t)(azlease.NewBlobClient(bc, &azlease.BlobClientOptions{LeaseID: &id2}))
	write := func(id *string) error {
		_, err := bc.Upload(ctx, streaming.NopCloser(strings.NewReader("2")), &blockblob.UploadOptions{
			AccessConditions: &azb.AccessConditions{LeaseAccessConditions: &azb.LeaseAccessConditions{LeaseID: id}},
		})
		return err
	}
	_, err := lc.AcquireLease(ctx, 10, nil)
	wantCode(t, err, 400, "InvalidHeaderValue")
	must[azlease.BlobAcquireResponse](t)(lc.AcquireLease(ctx, 60, nil))
	_, err = other.AcquireLease(ctx, 60, nil)
	wantCode(t, err, 409, "LeaseAlreadyPresent")
	wantCode(t, write(nil), 412, "LeaseIdMissing")
	wantCode(t, write(&id2), 412, "LeaseIdMismatchWithBlobOperation")
	if err := write(&id1); err != nil {
		t.Fatal(err)
	}
	_, err = other.RenewLease(ctx, nil)
	wantCode(t, err, 409, "LeaseIdMismatchWithLeaseOperation")
	now = now.Add(50 * time.Second)
	must[azlease.BlobRenewResponse](t)(lc.RenewLease(ctx, nil))
	now = now.Add(50 * time.Second)
	wantCode(t, write(nil), 412, "LeaseIdMissing")
	now = now.Add(11 * time.Second) // expired
	wantCode(t, write(&id1), 412, "LeaseLost")
	must[azlease.BlobAcquireResponse](t)(other.AcquireLease(ctx, -1, nil))
	broken := must[azlease.BlobBreakResponse](t)(lc.BreakLease(ctx, &azlease.BlobBreakOptions{BreakPeriod: new(int32(20))}))
	if *broken.LeaseTime != 20 {
		t.Errorf("break takes %d s", *broken.LeaseTime)
	}
	wantCode(t, write(nil), 412, "LeaseIdMissing")
	_, err = other.RenewLease(ctx, nil)
	wantCode(t, err, 409, "LeaseIsBrokenAndCannotBeRenewed")
	now = now.Add(21 * time.Second)
	if err := write(nil); err != nil {
		t.Fatal(err)
	}
	must[azlease.BlobReleaseResponse](t)(other.ReleaseLease(ctx, nil))
	wantCode(t, write(&id2), 412, "LeaseNotPresentWithBlobOperation")
	_, err = other.BreakLease(ctx, nil)
	wantCode(t, err, 409, "LeaseNotPresentWithLeaseOperation")

	_, err = lc.ChangeLease(ctx, id2, nil)
	wantCode(t, err, 409, "LeaseNotPresentWithLeaseOperation")
	must[azlease.BlobAcquireResponse](t)(other.AcquireLease(ctx, -1, nil))
	id3 := newID()
	must[azlease.BlobChangeResponse](t)(other.ChangeLease(ctx, id3, nil))
	wantCode(t, write(&id2), 412, "LeaseIdMismatchWithBlobOperation")
	if p := must[azb.GetPropertiesResponse](t)(bc.GetProperties(ctx, nil)); *p.LeaseDuration != azlease.DurationTypeInfinite {
		t.Errorf("lease: %s", *p.LeaseDuration)
	}
	if err := write(&id3); err != nil {
		t.Fatal(err)
	}

	cc := w.blobClient().ServiceClient().NewContainerClient("data")
	held := must[*azlease.ContainerClient](t)(azlease.NewContainerClient(cc, &azlease.ContainerClientOptions{LeaseID: &id1}))
	must[azlease.ContainerAcquireResponse](t)(held.AcquireLease(ctx, -1, nil))
	_, err = cc.Delete(ctx, nil)
	wantCode(t, err, 412, "LeaseIdMissing")
}

func TestRefusedByName(t *testing.T) {
	w := open(t)
	w.container("data")
	w.put("data", "x", "1")
	ctx := t.Context()
	cc := w.blobClient().ServiceClient().NewContainerClient("data")
	for name, call := range map[string]func() error{
		"append blob": func() error { _, err := cc.NewAppendBlobClient("a").Create(ctx, nil); return err },
		"page blob":   func() error { _, err := cc.NewPageBlobClient("p").Create(ctx, 512, nil); return err },
		"snapshot":    func() error { _, err := cc.NewBlobClient("x").CreateSnapshot(ctx, nil); return err },
		"undelete":    func() error { _, err := cc.NewBlobClient("x").Undelete(ctx, nil); return err },
		"digest of a range": func() error {
			_, err := cc.NewBlobClient("x").DownloadStream(ctx, &azb.DownloadStreamOptions{Range: azb.HTTPRange{Count: 1}, RangeGetContentMD5: new(true)})
			return err
		},
		"put from url": func() error {
			_, err := cc.NewBlockBlobClient("y").UploadBlobFromURL(ctx, cc.NewBlobClient("x").URL(), nil)
			return err
		},
		"tag condition": func() error {
			_, err := cc.NewBlobClient("x").GetProperties(ctx, &azb.GetPropertiesOptions{AccessConditions: &azb.AccessConditions{
				ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfTags: new("a='b'")}}})
			return err
		},
	} {
		err := call()
		var re *azcore.ResponseError
		if !errors.As(err, &re) || re.StatusCode != 501 || re.ErrorCode != "NotImplemented" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParallelUploads(t *testing.T) {
	w := open(t)
	w.container("data")
	c := w.blobClient()
	var g errgroup.Group
	g.SetLimit(32)
	for i := range 500 {
		g.Go(func() error {
			name := fmt.Sprintf("f/%03d", i)
			_, err := c.UploadBuffer(context.Background(), "data", name, []byte(name), nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for pager := c.NewListBlobsFlatPager("data", nil); pager.More(); {
		for _, b := range must[azblob.ListBlobsFlatResponse](t)(pager.NextPage(t.Context())).Segment.BlobItems {
			if got := read(t, c, "data", *b.Name, nil); got != *b.Name {
				t.Fatalf("%s holds %q", *b.Name, got)
			}
			count++
		}
	}
	if count != 500 {
		t.Fatalf("%d blobs", count)
	}
}
