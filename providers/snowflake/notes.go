package snowflake

import (
	"time"

	"mkt/providers"
)

// Notes say what of the connection's credential ends when, and which will stop working or is not kept well. They show no secret.
func (c Connection) Notes(now time.Time) (notes []string) {
	way, _, err := c.authenticator()
	if err != nil {
		return nil
	}
	switch way {
	case authPassword:
		notes = append(notes, "a password signs in: Snowflake asks people for a second factor, which needs username_password_mfa, and is switching passwords alone off; use a key pair, a programmatic access token, OAuth or workload identity")
	case authMFA:
		notes = append(notes, "a password and a second factor sign in: each command takes a person, and more than one connection at once is not made; use a key pair, a programmatic access token, OAuth or workload identity for what runs by itself")
	case authKeyPair:
		notes = append(notes, "the key pair has no end of its own: it works until the user's RSA_PUBLIC_KEY is changed")
		notes = append(notes, providers.Exposed("the private key", c.PrivateKeyPath)...)
	case authToken, authOAuth, authWorkload:
		if c.Token == "" {
			notes = append(notes, providers.Exposed("the token", c.TokenFilePath)...)
		}
		token, err := c.token()
		if end, ok := providers.TokenEnd(token); err == nil && ok {
			notes = append(notes, providers.Ends("the token", end, now))
		}
	}
	return notes
}
