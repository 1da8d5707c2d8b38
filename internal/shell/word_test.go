package shell

import (
	"os/exec"
	"testing"
)

func TestWord(t *testing.T) {
	for s, want := range map[string]string{
		"":                          "''",
		"today.plan":                "today.plan",
		"/srv/my stacks/a.json":     "'/srv/my stacks/a.json'",
		`kafka_topic.prices["eu"]`:  `'kafka_topic.prices["eu"]'`,
		"it's":                      `'it'\''s'`,
		"$HOME;`id`":                "'$HOME;`id`'",
		"snowflake_table.größe/a-b": "snowflake_table.größe/a-b",
	} {
		if got := Word(s); got != want {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+Word(s)).Output(); err != nil || string(out) != s {
			t.Errorf("sh takes %s for %q, %v", Word(s), out, err)
		}
	}
}
