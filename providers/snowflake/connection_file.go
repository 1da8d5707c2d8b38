package snowflake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

// loadFile reads the named connection from connections.toml, or from the table connections of config.toml, in SNOWFLAKE_HOME
// (default ~/.snowflake). The driver's own loader cannot say what it found, so it cannot be merged with other
// sources. Only a connection that somebody named must exist.
func (r *resolver) loadFile(wanted bool) error {
	dir := r.getenv("SNOWFLAKE_HOME")
	if dir == "" {
		home := r.getenv("HOME")
		if home == "" {
			return nil
		}
		dir = filepath.Join(home, ".snowflake")
	}
	connections := map[string]map[string]any{}
	path := filepath.Join(dir, "connections.toml")
	found, err := readToml(path, &connections)
	if err != nil {
		return err
	}
	if !found {
		path = filepath.Join(dir, "config.toml")
		var config struct {
			Default     string                    `toml:"default_connection_name"`
			Connections map[string]map[string]any `toml:"connections"`
		}
		if found, err = readToml(path, &config); err != nil {
			return err
		}
		connections = config.Connections
		if r.name == "" && config.Default != "" {
			r.name, wanted = config.Default, true
		}
	}
	if r.name == "" {
		r.name = "default"
	}
	settings, ok := connections[r.name]
	if !ok {
		if wanted && found {
			return fmt.Errorf("%s has no connection %q", path, r.name)
		}
		if !wanted {
			r.name = ""
		}
		return nil
	}
	r.path, r.file = path, map[string]string{}
	alias := map[string]string{"username": "user", "private_key_file": "private_key_path", "private_key_file_pwd": "private_key_passphrase"}
	for name, v := range settings {
		if to := alias[name]; to != "" {
			name = to
		}
		r.file[name] = fmt.Sprint(v)
	}
	return nil
}

// readToml decodes a file that only its owner may write.
func readToml(path string, into any) (found bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return false, fmt.Errorf("%s may be written by others than its owner: chmod 600 it", path)
	}
	if _, err := toml.DecodeFile(path, into); err != nil {
		return false, fmt.Errorf("read %s: it is no valid TOML", path) // the parser's text may quote a secret
	}
	return true, nil
}
