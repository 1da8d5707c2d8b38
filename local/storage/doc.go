// Package storage is the embedded Azure storage account: the Blob and Queue
// data planes and the few resource-manager calls for Event Grid event
// subscriptions, over HTTP, for the unmodified Azure SDKs.
//
// What is acknowledged is on disk: state is a journal of lines (journal.go)
// and one immutable file for each blob version. The message that a
// subscription puts into a queue is part of the same journal line as the blob
// that caused it.
//
// The package knows nothing of mkt, of Kafka or of Snowflake. Snapshots,
// versions, append and page blobs, customer-provided keys, batches, queries
// and access policies of queues are refused by name.
//
// Files: storage.go opens and locks, state.go is what is kept, auth.go and
// sas.go decide who may, blobservice.go and queueservice.go route, the rest is
// one file per topic.
package storage
