package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/snowflakedb/gosnowflake/v2"

	"mkt/providers"
)

// Error numbers of Snowflake's server, and of its driver from 260000 on. The driver's are named in its package errors.
const (
	errSyntax        = 1003
	errExists        = 2002
	errMissing       = 2003 // does not exist or not authorized
	errMissingDo     = 2043 // the object does not exist, or the operation cannot be performed
	errPrivileges    = 3001
	errNoWarehouse   = 606
	errLockTimeout   = 625
	errStatementTime = 630
	errSessionLost   = 390111 // a new login is needed
	errSessionGone   = 390112
	errTokenExpired  = 390114
)

// classify gives an error of the driver its meaning, by number and never by text. Texts in secrets are cut out of it.
func classify(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	var known *providers.Error
	if errors.As(err, &known) {
		return err
	}
	var sf *gosnowflake.SnowflakeError
	if errors.As(err, &sf) {
		code, hint := meaning(sf)
		return &providers.Error{Code: code, Hint: hint, Err: redact(err, secrets)}
	}
	var network net.Error
	unreached := errors.As(err, &network)
	var request *url.Error
	if errors.As(err, &request) { // its URL has numbers of this one request, so that no two errors would be alike
		err = request.Err
		if at, bad := url.Parse(request.URL); bad == nil && !strings.Contains(err.Error(), at.Hostname()) {
			err = fmt.Errorf("%s: %w", at.Host, err)
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrBadConn), unreached:
		return &providers.Error{Code: providers.Unavailable, Err: redact(err, secrets)}
	}
	return redact(err, secrets)
}

func meaning(e *gosnowflake.SnowflakeError) (code providers.Code, hint string) {
	switch n := e.Number; {
	case n == errExists:
		return providers.Exists, ""
	case n == errMissing || n == errMissingDo:
		return providers.NotFound, ""
	case n == errPrivileges:
		return providers.Denied, "Grant the role what the message names, or choose another role in the provider block."
	case n == errNoWarehouse:
		return providers.Invalid, "Set warehouse in the provider block, or SNOWFLAKE_WAREHOUSE."
	case n == errLockTimeout || n == errStatementTime:
		return providers.Conflict, ""
	case n == errSessionLost || n == errSessionGone || n == errTokenExpired:
		return providers.Unavailable, ""
	case n == gosnowflake.ErrCodeFailedToConnect || n == gosnowflake.ErrFailedToAuth && status(e) == http.StatusNotFound:
		// The login was answered with 401 or 403, and with 404: every name leads to Snowflake, which knows none of this account.
		return providers.Unconfigured, "There is no Snowflake account of that name, or a proxy stands before it. An account is written ORGANIZATION-ACCOUNT, or " +
			"LOCATOR.REGION.CLOUD as in its URL, without .snowflakecomputing.com; `mkt doctor` shows where it was set."
	case n == gosnowflake.ErrCodeEmptyAccountCode || n == gosnowflake.ErrCodeEmptyUsernameCode || n == gosnowflake.ErrCodeEmptyPasswordCode:
		return providers.Denied, "Set account, user and a credential in the provider block or in SNOWFLAKE_ variables; `mkt doctor` shows what was found."
	case n == gosnowflake.ErrFailedToAuth || n == gosnowflake.ErrCodeServiceUnavailable,
		n == gosnowflake.ErrFailedToPostQuery || n == gosnowflake.ErrFailedToRenewSession || n == gosnowflake.ErrFailedToGetChunk:
		return providers.Unavailable, ""
	case n >= 390100 && n < 396000: // login and token errors
		return providers.Denied, "`mkt doctor` shows which credential was used and where it came from."
	case n >= 900 && n < 3000, strings.HasPrefix(e.SQLState, "22"), strings.HasPrefix(e.SQLState, "42"):
		return providers.Invalid, ""
	}
	return providers.Unknown, ""
}

// status is the HTTP status that the driver puts first into the message of a failed login, 0 where there is none.
func status(e *gosnowflake.SnowflakeError) int {
	if len(e.MessageArgs) > 0 {
		if n, ok := e.MessageArgs[0].(int); ok {
			return n
		}
	}
	return 0
}

// redacted hides a secret in the text of an error and keeps the error.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.err }

func redact(err error, secrets []string) error {
	text := err.Error()
	// The longest first: what is part of another one would leave the rest of it behind.
	for _, s := range slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) }) {
		text = conceal(text, s)
	}
	if text == err.Error() {
		return err
	}
	return &redacted{text: text, err: errors.New(text)}
}

// shortSecret is the length in bytes under which a secret is looked for between words only, or a password of one letter
// would make every sentence unreadable. Snowflake's own passwords have 8 characters or more (CREATE PASSWORD POLICY, PASSWORD_MIN_LENGTH).
const shortSecret = 8

// conceal cuts a secret out of a text.
func conceal(text, secret string) string {
	for from := 0; secret != ""; {
		i := strings.Index(text[from:], secret)
		if i < 0 {
			break
		}
		i += from
		end := i + len(secret)
		from = i + 1
		if len(secret) >= shortSecret || !goesOn(text[:i], text[i:]) && !goesOn(text[:end], text[end:]) {
			text = text[:i] + hidden + text[end:]
			from = i + len(hidden)
		}
	}
	return text
}

// hidden is what stands for a secret.
const hidden = "***"

// goesOn reports whether a word goes on from the end of one text to the beginning of the next.
func goesOn(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return inWord(last) && inWord(first)
}

// wrap says what was being done when an error came, and keeps its code and hint.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	var known *providers.Error
	if errors.As(err, &known) {
		return &providers.Error{Code: known.Code, Path: known.Path, Hint: known.Hint, Steps: known.Steps, Err: fmt.Errorf("%s: %w", doing, known.Err)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func notFound(err error) bool { return providers.CodeOf(err) == providers.NotFound }
