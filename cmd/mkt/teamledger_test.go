package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"mkt/ledger"
	"mkt/ledger/blob"
	"mkt/local/storage"
	"mkt/spec"
)

// team is a stack with its ledger in an account of this process.
type team struct {
	t   *testing.T
	dir string
	env map[string]string
}

func newTeam(t *testing.T, block string) *team {
	t.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("a key of the test account"))
	store, err := storage.Open(storage.Config{Dir: t.TempDir(), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(store.BlobHandler())
	t.Cleanup(func() {
		srv.Close()
		_ = store.Close()
	})
	w := &team{t, t.TempDir(), map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=mktlocal;AccountKey=" + key +
		";BlobEndpoint=" + srv.URL + "/mktlocal;QueueEndpoint=http://127.0.0.1:1/mktlocal"}}
	w.write(block)
	return w
}

// write writes the stack, with a ledger block.
func (w *team) write(block string) {
	w.t.Helper()
	text := "mkt {\n" + block + "\n}\nazure_container \"files\" {}\n"
	if err := os.WriteFile(filepath.Join(w.dir, "stack.hcl"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// mkt runs a command and returns all that it printed; the error is in it too.
func (w *team) mkt(in string, args ...string) (string, error) {
	w.t.Helper()
	var out bytes.Buffer
	c := &cli{in: strings.NewReader(in), out: &out, err: &out, getenv: func(name string) string { return w.env[name] }, stopped: context.Background()}
	root := newRoot(c)
	root.SetArgs(longFlags(append(args, "-stack", w.dir)))
	err := root.ExecuteContext(w.t.Context())
	var code exitError
	if err != nil && !errors.As(err, &code) {
		c.fail(err)
	}
	return out.String(), err
}

// want runs a command that must print these texts.
func (w *team) want(ok bool, in string, args []string, texts ...string) {
	w.t.Helper()
	out, err := w.mkt(in, args...)
	if (err == nil) != ok {
		w.t.Fatalf("mkt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			w.t.Errorf("mkt %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
}

// load is what a command begins with.
func (w *team) load(local bool) (*cli, *spec.Stack) {
	w.t.Helper()
	c := &cli{
		out: w.t.Output(), err: w.t.Output(), getenv: func(name string) string { return w.env[name] },
		stackPath: w.dir, parallelism: 1, local: local,
	}
	stack, err := c.load()
	if err != nil {
		w.t.Fatal(err)
	}
	return c, stack
}

func (w *team) store() ledger.Store {
	w.t.Helper()
	c, stack := w.load(false)
	store, err := c.ledgerStore(stack)
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

const azureLedger = `ledger "azure" {
  container = "ledgers"
  key       = "team/prices.json"
}`

func TestTeamLedger(t *testing.T) {
	w := newTeam(t, azureLedger)
	apply := []string{"apply", "-auto-approve"}
	w.want(true, "", []string{"unlock"}, "Nobody holds the lock")
	w.want(true, "", apply, "azure_container.files: creating done")
	w.want(true, "", apply, "Nothing to do")
	w.want(true, "", []string{"ledger", "list"}, "azure_container.files\n")
	if files, _ := filepath.Glob(filepath.Join(w.dir, "*ledger*")); files != nil {
		t.Errorf("a team's ledger is beside the stack: %s", files)
	}

	lock, err := w.store().Lock(t.Context(), ledger.Me("destroy"), 0)
	if err != nil {
		t.Fatal(err)
	}
	me := ledger.Me("").Who
	w.want(false, "", apply, "is locked by "+me+" (destroy, process ", "`mkt unlock` breaks it at once")
	w.want(false, "", []string{"unlock"}, "is locked by "+me, "nobody answered")
	w.want(false, "no\n", []string{"unlock"}, "not approved, the lock was not broken")
	w.want(false, "", []string{"unlock", "-json"}, "cannot ask: add -auto-approve")
	w.want(true, "", []string{"plan"}, "Nothing to do") // who only looks needs no lock
	w.want(true, "yes\n", []string{"unlock"}, "The lock of "+me+" (destroy, process ", "is broken")
	w.want(true, "", apply, "Nothing to do")
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	if _, err := w.store().Lock(t.Context(), ledger.Me("apply"), 0); err != nil { // left locked
		t.Fatal(err)
	}
	w.want(true, "", []string{"unlock", "-force", "-json"}, `"broken": true`, `"operation": "apply"`)
	w.want(true, "", []string{"unlock", "-json"}, `"broken": false`)
}

func TestTeamLedgerRestore(t *testing.T) {
	w := newTeam(t, azureLedger)
	w.want(true, "", []string{"apply", "-auto-approve"}, "Apply complete")
	w.want(false, "", []string{"ledger", "restore"}, "there is nothing to restore")
	w.upload("{")
	w.want(false, "", []string{"plan"}, "cannot be read", "(serial 2) is whole: `mkt ledger restore` puts ")
	w.want(true, "", []string{"ledger", "restore"}, "The ledger is back at serial 2")
	w.want(true, "", []string{"apply", "-auto-approve"}, "Apply complete")
	w.want(true, "", []string{"plan"}, "Nothing to do")
}

// TestTeamLedgerRecovers damages a ledger in a blob, or puts an old copy in its place: who only looks is told, and an apply goes on by itself.
func TestTeamLedgerRecovers(t *testing.T) {
	w := newTeam(t, azureLedger)
	apply := []string{"apply", "-auto-approve"}
	w.want(true, "", apply, "Apply complete")
	text := func(name string) string {
		t.Helper()
		text, err := w.blob(name).DownloadStream(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer text.Body.Close()
		all, err := io.ReadAll(text.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(all)
	}
	old := text("team/prices.json.prev")
	for _, damaged := range []string{"{", old[:len(old)/2], strings.Replace(old, `"serial": 2`, `"serial": 1`, 1)} {
		w.upload(damaged)
		w.want(false, "", []string{"plan"}, "cannot be read", "`mkt apply` goes on from there by itself")
		w.want(true, "", apply, "Ledger recovered", "older generation, serial")
		w.want(true, "", []string{"plan", "-detailed-exitcode"}, "Nothing to do")
		w.want(true, "", []string{"ledger", "list"}, "azure_container.files\n")
		if got := text("team/prices.json.damaged"); got != damaged {
			t.Errorf("put aside: %s", got)
		}
	}
	if strings.Contains(text("team/prices.json"), `"recovered"`) {
		t.Error("it is still looking")
	}
}

// blob is one of the ledger's container.
func (w *team) blob(name string) *blockblob.Client {
	w.t.Helper()
	c, stack := w.load(false)
	conn, _, err := c.newSystems(stack, nil).azureSources()
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := conn.ContainerClient("https://mktlocal.blob.core.windows.net/ledgers", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return client.NewBlockBlobClient(name)
}

// upload writes the ledger as a person could.
func (w *team) upload(text string) {
	w.t.Helper()
	c, stack := w.load(false)
	conn, _, err := c.newSystems(stack, nil).azureSources()
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := conn.ContainerClient("https://mktlocal.blob.core.windows.net/ledgers", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = client.Create(w.t.Context(), nil) // or it is there
	if _, err := client.NewBlockBlobClient("team/prices.json").UploadBuffer(w.t.Context(), []byte(text), nil); err != nil {
		w.t.Fatal(err)
	}
}

// TestTeamLedgerMove takes a ledger in a file to a blob.
func TestTeamLedgerMove(t *testing.T) {
	w := newTeam(t, "")
	w.want(true, "", []string{"apply", "-auto-approve"}, "Apply complete")
	file, ok := w.store().(*ledger.File)
	if !ok {
		t.Fatal("the ledger is no file")
	}
	text, err := os.ReadFile(file.Path())
	if err != nil {
		t.Fatal(err)
	}
	w.upload(string(text))
	w.write(azureLedger)
	w.want(true, "", []string{"plan"}, "Nothing to do")
	w.want(true, "", []string{"ledger", "list"}, "azure_container.files\n")
}

func TestTeamLedgerRefused(t *testing.T) {
	for _, test := range []struct{ name, block, want string }{
		{"account", `ledger "azure" {
			container = "ledgers"
			key = "k"
			account = "elsewhere"
		}`, `The ledger is in the storage account "elsewhere", but the key, connection string or SAS in use is of`},
		{"container", "ledger \"azure\" {\n container = \"a/b\"\n key = \"k\"\n}", "is not the URL of a container"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newTeam(t, test.block)
			w.want(false, "", []string{"plan"}, test.want, "stack.hcl line 2")
		})
	}
	w := newTeam(t, azureLedger)
	w.env = map[string]string{"AZURE_ACCESS_TOKEN": "t"}
	w.want(false, "", []string{"plan"}, "No storage account for the ledger")
}

// TestUnlockFile has a ledger in a file, whose lock is the kernel's.
func TestUnlockFile(t *testing.T) {
	w := newTeam(t, "")
	w.want(true, "", []string{"unlock"}, "There is nothing to unlock", "the kernel releases its lock")
	lock, err := w.store().Lock(t.Context(), ledger.Me("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	w.want(false, "", []string{"unlock", "-force"}, "wait for "+ledger.Me("").Who+" (apply, process ", "or end it")
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	w.want(false, "", []string{"ledger", "restore"}, "there is nothing to restore")
	w.want(true, "", []string{"apply", "-auto-approve"}, "Apply complete")
	paths, _ := filepath.Glob(filepath.Join(w.dir, "*.ledger.json"))
	if len(paths) != 1 {
		t.Fatalf("ledgers: %v", paths)
	}
	if err := os.WriteFile(paths[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.want(false, "", []string{"ledger", "restore"}, "restore it by hand", "cp "+paths[0]+".prev ")
}

// TestLocalLedger keeps the ledger of the embedded stack on this machine, whatever the stack says.
func TestLocalLedger(t *testing.T) {
	w := newTeam(t, azureLedger)
	c, stack := w.load(true)
	store, err := c.ledgerStore(stack)
	if file, ok := store.(*ledger.File); err != nil || !ok || !strings.HasPrefix(file.Path(), w.dir) {
		t.Errorf("the ledger is %T, %v", store, err)
	}
	if _, ok := w.store().(*blob.Store); !ok {
		t.Error("without -local the ledger is no blob")
	}
}
