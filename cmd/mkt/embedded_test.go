package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"mkt/local"
	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
)

// The embedded stack listens to this machine alone, lets nobody in without its keys, and keeps them from other users of it.
func TestEmbeddedStackIsClosed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run(0, "local", "start")
	dir := filepath.Join(s.dir, ".mkt", "local")
	d, err := local.Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := d.Endpoints
	if runtime.GOOS == "linux" {
		ips := listening(t, d.PID)
		if len(ips) < 5 {
			t.Errorf("%d sockets are listened on", len(ips))
		}
		for _, ip := range ips {
			if !ip.IsLoopback() {
				t.Errorf("it listens on %s", ip)
			}
		}
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && path == dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be entered by others: %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	wrongKey := base64.StdEncoding.EncodeToString([]byte("another key"))
	const url = "https://mktlocal.queue.core.windows.net/q"
	for name, ask := range map[string]func(right bool) error{
		"broker": func(right bool) error {
			c := kafka.Connection{BootstrapServers: e.KafkaBootstrap, Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: e.User, Password: or(right, e.Password, "wrong")}
			_, _, err := c.Ping(ctx)
			return err
		},
		"registry": func(right bool) error {
			_, err := kafka.Connection{RegistryURL: e.RegistryURL, RegistryUser: e.User, RegistryPassword: or(right, e.Password, "wrong")}.PingRegistry(ctx)
			return err
		},
		"blobs": func(right bool) error {
			_, err := azure.Connection{Account: "mktlocal", BlobEndpoint: e.BlobURL, Key: or(right, e.AccountKey, wrongKey)}.Ping(ctx)
			return err
		},
		"queues": func(right bool) error {
			p, err := azure.New(azure.Connection{Account: "mktlocal", QueueEndpoint: e.QueueURL, BlobEndpoint: e.BlobURL, Key: or(right, e.AccountKey, wrongKey)})
			if err != nil {
				return err
			}
			return p.Resource("azure_queue").Read(ctx, []providers.Ref{{ID: url}})[0].Err
		},
		"resource manager": func(right bool) error {
			c := azure.Connection{Account: "mktlocal", Token: staticToken(or(right, e.ManagementToken, "wrong")), ResourceManager: e.ManagementURL,
				SubscriptionID: "00000000-0000-0000-0000-000000000000", ResourceGroup: "local"}
			p, err := azure.New(c)
			if err != nil {
				return err
			}
			id := "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/mktlocal/providers/Microsoft.EventGrid/eventSubscriptions/none"
			return p.Resource("azure_event_subscription").Read(ctx, []providers.Ref{{ID: id}})[0].Err
		},
		"warehouse": func(right bool) error {
			db, err := snowflake.Connection{Account: e.SnowflakeAccount, User: e.User, Password: or(right, e.Password, "wrong"), Host: e.SnowflakeHost, Port: e.SnowflakePort, Protocol: "http"}.Open(ctx)
			if err == nil {
				_ = db.Close()
			}
			return err
		},
	} {
		if err := ask(true); err != nil {
			t.Errorf("%s refuses the right key: %v", name, err)
		}
		if err := ask(false); providers.CodeOf(err) != providers.Denied {
			t.Errorf("%s answers a wrong key with %v", name, err)
		}
	}
	// Without any credential.
	for _, at := range []string{e.RegistryURL + "/subjects", e.BlobURL + "/mktlocal?comp=list", e.QueueURL + "/mktlocal?comp=list", e.ManagementURL + "/subscriptions/x/resourceGroups/y?api-version=2021-04-01"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode < http.StatusBadRequest {
			t.Errorf("%s answers anybody: %s", at, resp.Status)
		}
	}
}

func or(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// listening are the addresses that a process listens on (proc_net(5), proc_pid_fd(5)).
func listening(t *testing.T, pid int) (ips []net.IP) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	inodes := map[string]bool{}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil {
			if inode, ok := strings.CutPrefix(link, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(proc, "net", table))
		if err != nil {
			continue // no IPv6
		}
		for line := range strings.Lines(string(text)) {
			cells := strings.Fields(line)
			if len(cells) < 10 || cells[3] != "0A" || !inodes[cells[9]] { // 0A is LISTEN
				continue
			}
			address, _, _ := strings.Cut(cells[1], ":")
			raw, err := hex.DecodeString(address)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+4 <= len(raw); i += 4 { // words in the machine's order
				binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
			}
			ips = append(ips, net.IP(raw))
		}
	}
	return ips
}
