package providers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Ends says when a credential ends, in whole seconds of UTC: "sas_token ends 2026-01-11T00:00:00Z, in 9 days". What has ended, or
// does so within a day, is said so.
func Ends(what string, end, now time.Time) string {
	at := end.UTC().Format(time.RFC3339)
	switch left := end.Sub(now); {
	case left <= 0:
		return fmt.Sprintf("%s ended %s", what, at)
	case left < 24*time.Hour:
		return fmt.Sprintf("%s ends %s, in less than a day", what, at)
	default:
		return fmt.Sprintf("%s ends %s, in %d days", what, at, int(left.Hours()/24))
	}
}

// TokenEnd is the end of a token that is a JWT (RFC 7519, exp), as the token itself has it; ok is false for other tokens.
// Nothing is verified.
func TokenEnd(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return end, false
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return end, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return end, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}
