package kafka_test

import (
	"strings"
	"testing"

	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/providertest"
)

// TestPlanAsksTheBrokers has the brokers refuse, at plan, what they would refuse at apply; nothing comes of the question.
func TestPlanAsksTheBrokers(t *testing.T) {
	b := providertest.NewBench(t, kafka.Kinds(), map[string]providers.Provider{"kafka": provider(t, embedded(t))})
	for _, stack := range []string{
		`kafka_topic "t" { config = { "no.such.setting" = "1" } }`,
		`kafka_topic "t" { replication_factor = 99 }`,
	} {
		p, diags := b.Plan(t, stack)
		if text := providertest.Text(diags); !diags.HasErrors() || !strings.Contains(text, "Would be refused: kafka_topic.t") {
			t.Errorf("%s: the plan does not refuse:\n%s%s", stack, text, providertest.Dump(p))
		}
	}
	b.MustApply(t, `kafka_topic "t" { partitions = 2 }`)
	const changed = `kafka_topic "t" {
		partitions = 3
		config     = { "no.such.setting" = "1" }
	}`
	if _, diags := b.Plan(t, changed); !strings.Contains(providertest.Text(diags), "Would be refused") {
		t.Errorf("the plan does not refuse:\n%s", providertest.Text(diags))
	}
	b.MustBeEmpty(t, `kafka_topic "t" { partitions = 2 }`)
}
