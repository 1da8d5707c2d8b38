package azure

import (
	"net/url"
	"time"

	"mkt/providers"
)

// Notes say what of the connection's credentials ends when. They show no secret.
func (c Connection) Notes(now time.Time) (notes []string) {
	if q, err := url.ParseQuery(c.SAS); err == nil && c.SAS != "" {
		for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} { // "Create a service SAS", Azure Storage REST documentation
			if end, err := time.Parse(form, q.Get("se")); err == nil {
				notes = append(notes, providers.Ends("the shared access signature", end, now))
				break
			}
		}
	}
	if token, ok := c.Token.(fixedToken); ok {
		if end, ok := providers.TokenEnd(string(token)); ok {
			notes = append(notes, providers.Ends("AZURE_ACCESS_TOKEN", end, now))
		}
	}
	return notes
}
