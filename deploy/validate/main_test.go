package main

import (
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	const pod = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n  replicas: 3\n"
	if what, err := decode([]byte(pod)); err != nil || what != "Deployment a" {
		t.Errorf("%s, %v", what, err)
	}
	for text, says := range map[string]string{
		pod + "  replica: 3\n":                       `unknown field "replica"`,
		pod + "  replicas: 4\n":                      "already set",
		strings.Replace(pod, ": 3", ": many", 1):     "replicas",
		strings.Replace(pod, "name: a", "uid: a", 1): "has no name",
		strings.Replace(pod, "apps/v1", "v1", 1):     "no kind that is known",
	} {
		if _, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not said, but %v", says, err)
		}
	}
}
