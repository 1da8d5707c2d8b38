// Package realtest tells tests where servers are that nobody here wrote: the
// command .ci/real/run starts them and names them in the environment. A test
// that finds none uses the embedded server instead. It knows no protocol.
package realtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// System is something that tests talk to.
type System string

// The systems, with what their variables hold.
const (
	Kafka    System = "kafka"    // bootstrap servers, all of the cluster's, without authentication
	Registry System = "registry" // base URL of Confluent's API
	Azurite  System = "azurite"  // URLs of the blob and the queue service, with a comma between; the accounts are mktlocal and elsewhere
)

// Variable is the environment variable that says where the real server is.
func (s System) Variable() string { return "MKT_TEST_" + strings.ToUpper(string(s)) }

// AzuriteKey is the variable with the key of Azurite's accounts, base64.
const AzuriteKey = "MKT_TEST_AZURITE_KEY"

// KafkaPIDs is the variable with files, commas between, that hold the process
// of each broker. A broker that is killed is started again.
const KafkaPIDs = "MKT_TEST_KAFKA_PIDS"

// OneBroker and OneBrokerPIDs are the variables with a cluster of one broker, as those of Kafka and KafkaPIDs are.
const (
	OneBroker     = "MKT_TEST_KAFKA_ONE"
	OneBrokerPIDs = "MKT_TEST_KAFKA_ONE_PIDS"
)

// Brokers is how many brokers Kafka has; the embedded one shows three.
func Brokers(t testing.TB) int {
	t.Helper()
	if servers := At(t, Kafka); servers != "" {
		return 1 + strings.Count(servers, ",")
	}
	return 3
}

// Require is the variable with the systems, with commas between, that must be
// real: a test that would fall back to an embedded one fails.
const Require = "MKT_TEST_REQUIRE"

// At returns where the real server of a system is; "" if the test is to use
// the embedded one.
func At(t testing.TB, s System) string {
	t.Helper()
	at := os.Getenv(s.Variable())
	if at == "" && slices.Contains(strings.Split(os.Getenv(Require), ","), string(s)) {
		t.Fatalf("%s names %s, and %s is not set: run the test by .ci/real/run", Require, s, s.Variable())
	}
	return at
}

// EmbeddedOnly skips a test that a real server cannot pass, and says why.
func EmbeddedOnly(t testing.TB, s System, reason string) {
	t.Helper()
	if At(t, s) != "" {
		t.Skip(reason)
	}
}
