package azure

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mkt/providers"
)

// What a SAS allows and when it ends is said of anything, and shows no signature.
func FuzzSAS(f *testing.F) {
	f.Add("sv=2024-01-01&ss=bq&srt=sco&sp=rwl&se=2030-01-01&spr=https&sig=SECRET")
	f.Add("sr=c&sp=rl&se=2030-01-01T00:00Z&sig=SECRET")
	f.Add("%zz&sp=;")
	f.Fuzz(func(t *testing.T, sas string) {
		said := strings.Join(Connection{SAS: sas}.Notes(time.Unix(0, 0)), "\n")
		for _, do := range []string{"create", "list", "read", "write"} {
			for _, on := range []string{OnContainer, OnQueue} {
				said += sasLacks(sas, providers.Need{On: on, Name: "x", Do: do})
			}
		}
		if strings.Contains(said, "SECRET") && !strings.Contains(sas, "s=SECRET") && !strings.Contains(sas, "p=SECRET") && !strings.Contains(sas, "t=SECRET") {
			t.Errorf("%q", said)
		}
	})
}

// Permissions and tokens of servers are read or not; a pattern without a star matches itself alone.
func FuzzPermissions(f *testing.F) {
	f.Add(`{"value":[{"actions":["*/read"],"notActions":[]}]}`, "Microsoft.Storage/*/write", "microsoft.storage/a/write")
	f.Add(`{"value":null}`, "*", "x")
	f.Add(`e30.e30.`, "a*b*", "axbx")
	f.Fuzz(func(t *testing.T, text, pattern, action string) {
		p := &permissions{}
		if json.Unmarshal([]byte(text), p) == nil {
			p.ask(providers.Need{On: OnAccount, Do: action})
		}
		identityOf(text)
		lower, wanted := strings.ToLower(pattern), strings.ToLower(action)
		if got := actionMatches(pattern, action); !strings.Contains(pattern, "*") && got != (lower == wanted) || strings.Trim(pattern, "*") == "" && pattern != "" && !got {
			t.Errorf("%q and %q: %t", pattern, action, got)
		}
	})
}
