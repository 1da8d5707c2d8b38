package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
)

// manifests are the documents of deploy/kubernetes by "Kind name". deploy/validate says whether a cluster takes them.
func manifests(t *testing.T) map[string]cty.Value {
	t.Helper()
	files, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	out := map[string]cty.Value{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range bytes.Split(text, []byte("\n---\n")) {
			shape, err := yaml.ImpliedType(doc)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			v, err := yaml.Unmarshal(doc, shape)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[member(v, "kind")+" "+member(v.GetAttr("metadata"), "name")] = v
		}
	}
	return out
}

func member(v cty.Value, name string) string { return v.GetAttr(name).AsString() }

func at(v cty.Value, path ...string) cty.Value {
	for _, name := range path {
		if v.Type().IsTupleType() {
			v = v.Index(cty.NumberIntVal(0))
		}
		v = v.GetAttr(name)
	}
	return v
}

func number(v cty.Value) int64 {
	n, _ := v.AsBigFloat().Int64()
	return n
}

// TestDeploy holds the manifests against the command that they run: its flags, its probes, its stack, and how long it drains.
func TestDeploy(t *testing.T) {
	all := manifests(t)
	pod := at(all["Deployment mkt-blobs"], "spec", "template", "spec")
	container := pod.GetAttr("containers").Index(cty.NumberIntVal(0))

	var args []string
	for it := container.GetAttr("args").ElementIterator(); it.Next(); {
		_, a := it.Element()
		args = append(args, a.AsString())
	}
	root := newRoot(newCLI(context.Background()))
	cmd, rest, err := root.Find(longFlags(args))
	if err != nil || cmd.Name() != "stream" {
		t.Fatalf("%v: %v", args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	flag := func(name string) string { return cmd.Flag(name).Value.String() }
	_, port, _ := strings.Cut(flag("metrics-addr"), ":")
	if flag("follow") != "true" || port == "" {
		t.Errorf("%v", args)
	}

	ports := container.GetAttr("ports").Index(cty.NumberIntVal(0))
	if number(ports.GetAttr("containerPort")) != 9464 || port != "9464" {
		t.Errorf("it listens at port %s, which is not the one of the pod", port)
	}
	for probe, path := range map[string]string{"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"} {
		get := at(container, probe, "httpGet")
		if member(get, "path") != path || member(get, "port") != member(ports, "name") {
			t.Errorf("%s asks %s at %s", probe, member(get, "path"), member(get, "port"))
		}
	}

	// stream: a consumer drains for as long as an upload may take, 2 minutes unless configured, and a trace is sent after it.
	if grace := time.Duration(number(pod.GetAttr("terminationGracePeriodSeconds"))) * time.Second; grace < 2*time.Minute+20*time.Second {
		t.Errorf("a drain may take longer than %s", grace)
	}
	secure := container.GetAttr("securityContext")
	if pod.GetAttr("securityContext").GetAttr("runAsNonRoot").False() || secure.GetAttr("readOnlyRootFilesystem").False() || secure.GetAttr("allowPrivilegeEscalation").True() {
		t.Error("the container may do more than it needs")
	}

	// The stack of the ConfigMap is where -stack looks, under -local it is checked whole.
	mount := container.GetAttr("volumeMounts").Index(cty.NumberIntVal(0))
	dir, name := filepath.Split(flag("stack"))
	if filepath.Clean(dir) != member(mount, "mountPath") {
		t.Errorf("the stack is looked for in %s and mounted at %s", dir, member(mount, "mountPath"))
	}
	stack := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(stack, []byte(member(all["ConfigMap mkt-stack"].GetAttr("data"), name)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := &cli{in: strings.NewReader(""), out: &out, err: &out, getenv: func(string) string { return "" }, stopped: t.Context()}
	if code := c.execute(t.Context(), []string{"validate", "-stack", stack}); code != exitDone {
		t.Errorf("the stack is not valid: %s", out.String())
	}
	if !strings.Contains(member(all["ConfigMap mkt-stack"].GetAttr("data"), name), `consumer "blobs"`) || args[1] != "consumer.blobs" {
		t.Errorf("the stack does not have %s", args[1])
	}
}
