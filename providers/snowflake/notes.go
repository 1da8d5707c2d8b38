package snowflake

import (
	"time"

	"mkt/providers"
)

// Notes say what of the connection's credential ends when, and which will stop working. They show no secret.
func (c Connection) Notes(now time.Time) []string {
	auth, err := c.authenticator()
	if err != nil {
		return nil
	}
	switch auth {
	case authPassword:
		return []string{"a password signs in: Snowflake asks people for a second factor, which mkt cannot give, and is switching passwords alone off; use a key pair, a programmatic access token, OAuth or workload identity"}
	case authToken, authOAuth, authWorkload:
		token, err := c.token()
		if end, ok := providers.TokenEnd(token); err == nil && ok {
			return []string{providers.Ends("the token", end, now)}
		}
	}
	return nil
}
