package providers

import (
	"encoding/base64"
	"testing"
	"time"
)

func TestTokenEnd(t *testing.T) {
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for token, want := range map[string]int64{
		jwt(`{"exp":1700000000}`): 1700000000, jwt(`{}`): 0, jwt(`{"exp":"x"}`): 0, "e30.%%.x": 0, "opaque": 0, "": 0, jwt(`{"exp":1e300}`): 0,
	} {
		if got, ok := TokenEnd(token); ok != (want != 0) || ok && got.Unix() != want {
			t.Errorf("%q: %v, %t", token, got, ok)
		}
	}
}

func TestEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		-time.Second:   "x ended 2025-12-31T23:59:59Z",
		time.Hour:      "x ends 2026-01-01T01:00:00Z, in less than a day",
		50 * time.Hour: "x ends 2026-01-03T02:00:00Z, in 2 days",
	} {
		if got := Ends("x", now.Add(left), now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzTokenEnd(f *testing.F) {
	f.Add("a.eyJleHAiOjF9.b")
	f.Fuzz(func(t *testing.T, token string) {
		if end, ok := TokenEnd(token); ok && end.Unix() < 0 {
			t.Error(end)
		}
	})
}
