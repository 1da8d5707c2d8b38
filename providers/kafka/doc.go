// Package kafka manages Kafka topics, ACLs and the subjects of a schema registry with
// Confluent's clients: confluent-kafka-go's admin client and its schemaregistry
// package, and plain HTTP for the few calls that package lacks. Requests that
// librdkafka lacks go through a second client, franz-go.
//
// Map: connection.go says where the systems are and who we are; provider.go
// opens the clients; topic.go, acl.go and subject.go describe the kinds;
// topic_resource.go, acl.go and subject_resource.go read and change them;
// replicas.go reassigns replicas; admin.go, franz.go and registry.go are the
// calls; errors.go gives errors their meaning; values.go is the normal form of
// topic settings.
package kafka
