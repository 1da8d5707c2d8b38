// Package azure manages blob containers, storage queues and Event Grid event
// subscriptions of Azure storage accounts.
//
// Objects are named by their public URL or resource id, wherever the account is
// really reached (connection.go). The package knows nothing of Snowflake, which
// reads the containers, nor of the stream, which fills them.
//
// Files: config.go and resolve.go say how to sign in, connection.go makes
// clients, names.go has the URLs and ids, errors.go gives Azure's errors their
// meaning, then one file for each kind's description and one for its calls.
package azure
