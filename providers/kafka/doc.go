// Package kafka manages Kafka topics and the subjects of a schema registry with
// Confluent's clients: confluent-kafka-go's admin client and its schemaregistry
// package, and plain HTTP for the few calls that package lacks.
//
// Map: connection.go says where the systems are and who we are; provider.go
// opens the clients; topic.go and subject.go describe the two kinds;
// topic_resource.go and subject_resource.go read and change them; admin.go and
// registry.go are the calls; errors.go gives errors their meaning; values.go is
// the normal form of topic settings.
package kafka
