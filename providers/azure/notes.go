package azure

import (
	"net/url"
	"time"

	"mkt/providers"
)

// wideSAS is how long a SAS may still live before that is worth a remark.
const wideSAS = 365 * 24 * time.Hour

// Notes say what of the connection's credentials ends when, and which are wider than they need to be. They show no secret.
func (c Connection) Notes(now time.Time) (notes []string) {
	if c.Key != "" {
		notes = append(notes, "the account's key has no end and may do everything; a sign-in by role is narrower")
	}
	if q, err := url.ParseQuery(c.SAS); err == nil && c.SAS != "" {
		if end, ok := c.SASEnds(); ok {
			notes = append(notes, providers.Ends("the shared access signature", end, now))
			if end.Sub(now) > wideSAS {
				notes = append(notes, "the shared access signature lives for more than a year: whoever finds it has that long")
			}
		}
		if q.Get("spr") != "https" {
			notes = append(notes, "the shared access signature is good without TLS too (spr is not https)")
		}
	}
	if token, ok := c.Token.(fixedToken); ok {
		if end, ok := providers.TokenEnd(string(token)); ok {
			notes = append(notes, providers.Ends("AZURE_ACCESS_TOKEN", end, now))
		}
	}
	return notes
}
