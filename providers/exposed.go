package providers

import (
	"fmt"
	"os"
)

// Exposed says of a file with a secret that others than its owner may read it; it is nil where that is not so, or path is "".
func Exposed(what, path string) []string {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o044 == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s may be read by others than its owner: chmod 600 %s", what, path)}
}
