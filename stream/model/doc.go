// Package model checks the delivery protocol of package stream: it walks
// through every state that small instances of the protocol can reach, with
// every order of steps and every fault at every place, and proves that no row
// is lost or doubled and that none gets stuck.
//
// There are two models. Producer is processes with one transactional id that
// send a source to a topic; it shows that the committed records of a topic are
// the first rows of the source, each once. Consumer is members of a group that
// write such a topic to files, and a pipe that loads them; it shows that each
// record is loaded once. What the first guarantees the second assumes.
//
// Each model has a rule for every decision of the protocol. The zero value of
// its Rules is the protocol; setting a field takes a decision differently, and
// the tests show by a trace what then goes wrong.
//
// It shares no code with package stream: docs/explanation/exactly-once.md maps
// the steps of the models to functions.
package model
