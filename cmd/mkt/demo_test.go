package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mkt/internal/realtest/realstack"
)

// TestDemo runs examples/demo.sh, as `make demo` does, on the embedded stack or on the real servers of `make test-real` with
// an embedded warehouse, and takes it down. Whether all rows are there is the demo's own last step, the audit.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, part := range []string{"demo.sh", "stack.hcl", "data"} {
		if out, err := exec.Command("cp", "-r", filepath.Join("../../examples", part), dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	mkt, err := exec.LookPath("mkt")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"MKT_STACK=stack.hcl", "MKT_LOCAL=1"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MKT_") {
			env = append(env, v)
		}
	}
	if at, ok := realstack.Real(t); ok {
		env[1] = "MKT_LOCAL=0"
		for name, value := range realstack.Environment(at, "PLAINTEXT") {
			env = append(env, name+"="+value)
		}
	}
	run := func(name string, args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
		}
		return out
	}
	const passed = "Audit passed: source 5,105, topic 5,105, dead letters 0, files 5,105, table 5,105 rows; 0 lost, 0 doubled."
	if out := run("./demo.sh", mkt); !bytes.Contains(out, []byte(passed)) {
		t.Errorf("it does not say %q:\n%s", passed, out)
	}
	run(mkt, "destroy", "--auto-approve", "--allow-destroy=all")
	if env[1] == "MKT_LOCAL=1" {
		run(mkt, "local", "stop")
	}
}
