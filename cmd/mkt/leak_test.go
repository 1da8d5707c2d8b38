package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mkt/local"
)

// everyCommand are the commands that the test of leaks runs, in an order in which they succeed. serving are those that are about
// the embedded stack itself, which has no secrets of others.
var (
	everyCommand = [][]string{
		{"version"}, {"validate"}, {"fmt"}, {"graph"}, {"docs", "pages"}, {"init", "new"}, {"doctor"}, {"doctor", "-json"},
		{"plan"}, {"plan", "-json"}, {"plan", "-out", "saved.plan"}, {"show", "saved.plan"}, {"apply", "saved.plan"}, {"plan", "-json"}, {"apply", "-auto-approve", "-json"},
		{"show"}, {"show", "-json"}, {"output"}, {"output", "-json"}, {"output", "token"}, {"drift"}, {"status"}, {"status", "-json"},
		{"ledger", "list"}, {"ledger", "show", "snowflake_stage.market"}, {"ledger", "show", "-json", "snowflake_stage.market"}, {"ledger", "restore"},
		{"stream"}, {"stream", "-json"}, {"query", "SELECT 1"}, {"audit"}, {"audit", "-json"}, {"dlq", "list"}, {"dlq", "replay"},
		{"console"}, {"import", "kafka_topic.other"}, {"import", "-all", "kafka"}, {"ledger", "forget", "-auto-approve", "azure_queue.events"}, {"unlock", "-force"}, {"destroy", "-auto-approve"},
	}
	serving = []string{"local", "completion", "help"}
)

// No command shows a credential, writes it into a file, or logs it, whether the credential is taken or refused. Developer logs are on.
func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for cmd := range leaves(newRoot(newCLI(t.Context()))) {
		path := strings.Fields(cmd)
		if !slices.Contains(serving, path[0]) && !slices.ContainsFunc(everyCommand, func(run []string) bool { return len(run) >= len(path) && slices.Equal(run[:len(path)], path) }) {
			t.Errorf("mkt %s is not run by this test", cmd)
		}
	}
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), 20); err != nil {
		t.Fatal(err)
	}
	s.run(0, "local", "start")
	d, err := local.Status(filepath.Join(s.dir, ".mkt", "local"))
	if err != nil {
		t.Fatal(err)
	}
	e := d.Endpoints
	const variable = "v4lue-of-a-sensitive-variable"
	environment := func(password, key, token string) []string {
		env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "MKT_STACK=stack.hcl", "MKT_LOG=debug", "MKT_VAR_token=" + variable, "NO_COLOR=1"}
		for name, value := range map[string]string{
			"KAFKA_BOOTSTRAP_SERVERS": e.KafkaBootstrap, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_API_KEY": e.User, "KAFKA_API_SECRET": password,
			"SCHEMA_REGISTRY_URL": strings.Replace(e.RegistryURL, "://", "://"+url.UserPassword(e.User, password).String()+"@", 1),
			"AZURE_STORAGE_KEY":   key, "AZURE_STORAGE_BLOB_ENDPOINT": e.BlobURL, "AZURE_STORAGE_QUEUE_ENDPOINT": e.QueueURL, "AZURE_ACCESS_TOKEN": token,
			"AZURE_RESOURCE_MANAGER_ENDPOINT": e.ManagementURL, "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "AZURE_RESOURCE_GROUP": "local",
			"SNOWFLAKE_ACCOUNT": e.SnowflakeAccount, "SNOWFLAKE_USER": e.User, "SNOWFLAKE_PASSWORD": password,
			"SNOWFLAKE_HOST": e.SnowflakeHost, "SNOWFLAKE_PORT": strconv.Itoa(e.SnowflakePort), "SNOWFLAKE_PROTOCOL": "http",
		} {
			env = append(env, name+"="+value)
		}
		return env
	}
	run := func(env []string, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := exec.Command("mkt", args...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, env, &out, &out
		cmd.Stdin = strings.NewReader("var.token\n")
		err := cmd.Run()
		return out.String(), err
	}
	secrets := []string{variable}
	for _, secret := range []string{e.Password, e.AccountKey, e.ManagementToken, "wr0ng-p4ssword", base64.StdEncoding.EncodeToString([]byte("wr0ng-key")), "wr0ng-t0ken"} {
		secrets = append(secrets, secret, url.QueryEscape(secret), url.UserPassword("", secret).String(), base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(e.User+":"+secret)))
	}
	secrets = append(secrets, "sig=", "sig%3D") // of a minted shared access signature
	leaks := func(t *testing.T, where, text string) {
		t.Helper()
		for _, secret := range secrets {
			if at := strings.Index(text, secret); secret != "" && at >= 0 {
				t.Errorf("%s has %.6s…: …%s…", where, secret, text[max(0, at-80):at])
			}
		}
	}
	right := environment(e.Password, e.AccountKey, e.ManagementToken)
	wrong := environment("wr0ng-p4ssword", base64.StdEncoding.EncodeToString([]byte("wr0ng-key")), "wr0ng-t0ken")
	worked, logs := 0, 0
	for _, args := range everyCommand {
		name := "mkt " + strings.Join(args, " ")
		out, err := run(right, args...)
		if err == nil {
			worked++
		} else {
			t.Logf("%s: %v", name, err)
		}
		if !slices.Equal(args, []string{"output", "token"}) {
			leaks(t, name, out)
		} else if !strings.Contains(out, variable) { // who asks for it by name gets it, so it is what is looked for
			t.Errorf("%s prints %q", name, out)
		}
		logs += strings.Count(out, "level=DEBUG")
	}
	if logs == 0 {
		t.Error("there were no developer logs to look at")
	}
	if worked < len(everyCommand)*2/3 {
		t.Errorf("only %d of %d commands worked: this test looks at little", worked, len(everyCommand))
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "-json"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve"}, {"stream"}, {"status"}, {"audit"}, {"query", "SELECT 1"}, {"dlq", "list"}, {"import", "-all", "azure"}} {
		out, err := run(wrong, args...)
		if err == nil {
			t.Errorf("mkt %s worked with wrong credentials", strings.Join(args, " "))
		}
		leaks(t, "refused mkt "+strings.Join(args, " "), out)
	}
	// What was written: ledger, notes, plans, pages, and what else is there. The embedded stack keeps its own keys.
	files := 0
	err = filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && path == filepath.Join(s.dir, ".mkt", "local") {
				return filepath.SkipDir
			}
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		files++
		if filepath.Base(path) != "stack.hcl" {
			leaks(t, path, string(text))
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

// leaves are the paths of commands that do something.
func leaves(root *cobra.Command) func(func(string) bool) {
	return func(yield func(string) bool) {
		var walk func(cmd *cobra.Command) bool
		walk = func(cmd *cobra.Command) bool {
			if !cmd.HasSubCommands() && !cmd.Hidden {
				return yield(strings.TrimPrefix(cmd.CommandPath(), "mkt "))
			}
			for _, sub := range cmd.Commands() {
				if !walk(sub) {
					return false
				}
			}
			return true
		}
		walk(root)
	}
}
