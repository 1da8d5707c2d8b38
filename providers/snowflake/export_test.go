package snowflake

import (
	"net/http"
	"testing"
)

// SetTransport has the driver's requests carried by another transport during a test.
func SetTransport(t *testing.T, by http.RoundTripper) {
	transport = by
	t.Cleanup(func() { transport = nil })
}
