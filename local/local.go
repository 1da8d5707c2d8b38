// Package local starts, finds and stops the embedded stack, which is a program of its own (ADR 14), and hands back where it
// listens and what signs in to it. One process at a time serves a folder: a file lock says which.
//
// It knows nothing of mkt, and of the embedded servers only where they listen: package embedded is what runs them.
package local

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Endpoints is where the embedded systems listen and what signs in to them. It holds secrets, though only of this
// machine's loopback interface: do not print it whole.
type Endpoints struct {
	KafkaBootstrap string `json:"kafka_bootstrap"`
	RegistryURL    string `json:"registry_url"`
	BlobURL        string `json:"blob_url"`  // without the account's path segment
	QueueURL       string `json:"queue_url"` // likewise
	ManagementURL  string `json:"management_url"`
	SnowflakeHost  string `json:"snowflake_host"`
	SnowflakePort  int    `json:"snowflake_port"`

	AccountKey       string `json:"account_key"` // every name of a storage account is served, with this key
	ManagementToken  string `json:"management_token"`
	SnowflakeAccount string `json:"snowflake_account"`
	User             string `json:"user"` // of Kafka, registry and warehouse
	Password         string `json:"password"`
}

// program is the name of the embedded stack's executable.
const program = "mkt-local"

// Program returns the path of the embedded stack's program: beside this process's own executable, otherwise in PATH.
func Program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), program)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("the embedded stack is a program of its own, %s, and it is neither beside %s nor in PATH;"+
			" in a checkout `make build` builds both into bin/", program, self)
	}
	return filepath.Abs(path)
}

// Build tells a program's file from every other build of it: a daemon of another build is restarted.
func Build(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()), nil
}

// WriteJSON writes v atomically, for nobody but the owner to read.
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(data, '\n'), 0o600)
}
