package blob

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
)

// The calls about the lease on the lock.

// acquire takes a lease on the lock, which is made if it is missing. A lease of another is an error that taken knows.
// since is a moment before the lease began.
func (s *Store) acquire(ctx context.Context, l *lease.BlobClient) (since time.Time, err error) {
	acquire := func() error {
		ctx, cancel := s.bounded(ctx, s.timing.lock)
		defer cancel()
		since = s.now()
		_, err := l.AcquireLease(ctx, int32(s.timing.lease.Seconds()), nil)
		return s.failed("lease", s.lockName(), err)
	}
	if err = acquire(); !missing(err) {
		return since, err
	}
	_, err = s.put(ctx, s.lockName(), rand.Text(), nil, "")
	if err != nil && !conflict(err) && !bloberror.HasCode(err, bloberror.LeaseIDMissing) {
		return since, err
	}
	err = acquire()
	return since, err
}

// sign writes who has the lock; nil is nobody.
func (s *Store) sign(ctx context.Context, l *lease.BlobClient, holder []byte) error {
	_, err := s.upload(ctx, s.timing.lock, s.lockName(), rand.Text(), holder, &blob.AccessConditions{
		LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: l.LeaseID()},
	})
	return err
}

func (s *Store) renew(ctx context.Context, l *lease.BlobClient) error {
	ctx, cancel := s.bounded(ctx, s.timing.lock)
	defer cancel()
	_, err := l.RenewLease(ctx, nil)
	return s.failed("renew the lease of", s.lockName(), err)
}

// release frees the lock. One that is not ours any more is free already.
func (s *Store) release(ctx context.Context, l *lease.BlobClient) error {
	ctx, cancel := s.bounded(ctx, s.timing.lock)
	defer cancel()
	_, err := l.ReleaseLease(ctx, nil)
	if err == nil || notOurs(err) {
		return nil
	}
	return s.failed("release the lease of", s.lockName(), err)
}

// breakLease ends the lease on this version of the lock, whoever has it.
func (s *Store) breakLease(ctx context.Context, version azcore.ETag) error {
	l, err := lease.NewBlobClient(s.client.NewBlobClient(s.lockName()), nil)
	if err != nil {
		return err
	}
	ctx, cancel := s.bounded(ctx, s.timing.lock)
	defer cancel()
	_, err = l.BreakLease(ctx, &lease.BlobBreakOptions{
		BreakPeriod: to.Ptr[int32](0), ModifiedAccessConditions: &lease.ModifiedAccessConditions{IfMatch: &version},
	})
	if err == nil || missing(err) || bloberror.HasCode(err, bloberror.LeaseNotPresentWithLeaseOperation, bloberror.LeaseAlreadyBroken) {
		return nil
	}
	return s.failed("break the lease of", s.lockName(), err)
}

// taken tells that another has the lease.
func taken(err error) bool {
	return bloberror.HasCode(err, bloberror.LeaseAlreadyPresent, bloberror.LeaseIsBreakingAndCannotBeAcquired)
}

// notOurs tells that a lease which was ours is not any more, for good.
func notOurs(err error) bool {
	return missing(err) || bloberror.HasCode(err,
		bloberror.LeaseIDMismatchWithLeaseOperation, bloberror.LeaseNotPresentWithLeaseOperation,
		bloberror.LeaseIDMismatchWithBlobOperation, bloberror.LeaseNotPresentWithBlobOperation,
		bloberror.LeaseIsBrokenAndCannotBeRenewed, bloberror.LeaseAlreadyBroken, bloberror.LeaseLost)
}
