package snowflake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/BurntSushi/toml"
)

// configFile is config.toml, as far as it is about connections.
type configFile struct {
	Default     string                    `toml:"default_connection_name"`
	Connections map[string]map[string]any `toml:"connections"`
}

// loadFile reads the connection from connections.toml, or where that is not there from the table connections of config.toml, and
// finds its name if nobody said it. The driver's own loader cannot say what it found, so it cannot be merged with other
// sources. Only a connection that somebody named must exist.
func (r *resolver) loadFile() error {
	dir := r.home()
	if dir == "" {
		return nil
	}
	var config configFile
	path := filepath.Join(dir, "config.toml")
	found, err := readToml(path, &config)
	if err != nil {
		return err
	}
	connections := map[string]map[string]any{}
	only := filepath.Join(dir, "connections.toml")
	if there, err := readToml(only, &connections); err != nil {
		return err
	} else if there {
		path, found = only, true
	} else {
		connections = config.Connections
	}
	if r.name == "" {
		r.name = config.Default
	}
	wanted := r.name != ""
	if !wanted {
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
	r.path, r.file = path, fileSettings(settings)
	return nil
}

// fileSettings are a connection's settings by the names that Resolve has for them.
func fileSettings(table map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range table {
		out[strings.ToLower(name)] = fmt.Sprint(v)
	}
	for setting, others := range spelled {
		for _, other := range others {
			if out[setting] == "" && out[other] != "" {
				out[setting] = out[other]
			}
		}
	}
	return out
}

// home is the folder of Snowflake's files: SNOWFLAKE_HOME or ~/.snowflake where that exists, else the system's folder for
// settings (Snowflake CLI, "Configure Snowflake CLI"). It is "" where there is none.
func (r *resolver) home() string {
	user := r.getenv("HOME")
	dir := r.getenv("SNOWFLAKE_HOME")
	switch rest, ok := strings.CutPrefix(dir, "~/"); {
	case dir == "" && user == "":
		return ""
	case dir == "":
		dir = filepath.Join(user, ".snowflake")
	case ok:
		dir = filepath.Join(user, rest)
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	switch xdg := r.getenv("XDG_CONFIG_HOME"); {
	case runtime.GOOS == "darwin" && user != "":
		return filepath.Join(user, "Library", "Application Support", "snowflake")
	case xdg != "":
		return filepath.Join(xdg, "snowflake")
	case user != "":
		return filepath.Join(user, ".config", "snowflake")
	}
	return ""
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
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if err := toml.Unmarshal(text, into); err != nil {
		return false, fmt.Errorf("read %s: it is no valid TOML, or no file of connections", path) // the parser's text may quote a secret
	}
	return true, nil
}
