// Package blob keeps a team's ledger in Azure Blob Storage. It knows the Blob service and the ledger, and nothing else of mkt.
//
// A ledger with the key K is four blobs of one container, which is made when it is missing:
//
//	K        the ledger
//	K.prev   the generation before
//	K.before the generation from before the last process that saved
//	K.lock   who holds the lock, as JSON; empty while nobody does
//
// and, where the ledger was damaged under an apply, K.rescue, what that apply knew, and K.damaged, what was found.
//
// The lock is a lease of 60 s on K.lock, renewed every 20 s: that of a process that died is free a minute later. A
// holder that cannot renew in time, or whose lease was broken, is told (Lock.Lost) before another can have it.
//
// The lock keeps people from waiting for each other's surprises; what keeps the ledger whole is that each write names
// the ETag of the generation that it replaces (If-Match). A holder that lost its lock without knowing cannot
// overwrite what another wrote since.
//
// The documents behind it are "Lease Blob", "Put Blob" and "Specifying conditional headers for Blob service
// operations" of the Azure Storage REST reference.
package blob
