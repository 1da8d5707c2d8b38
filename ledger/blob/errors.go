package blob

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// missing tells that there is no such blob. A refusal (403) is not among it: it says nothing about what is there.
func missing(err error) bool {
	return bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound, bloberror.ResourceNotFound)
}

// conflict tells that a conditional write met another version than the one it named.
func conflict(err error) bool {
	return bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists)
}

// answered tells that the service said no, so that nothing was written. Without an answer, or with one of a failing
// service, it is not known.
func answered(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode != http.StatusRequestTimeout
}

// failure shows one line instead of the SDK's page, and keeps the cause.
type failure struct {
	text  string
	cause error
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.cause }

// failed names the call that failed and what helps. The query of a URL, which may be a SAS, is not in it.
func (s *Store) failed(what, name string, err error) error {
	if err == nil {
		return nil
	}
	what = fmt.Sprintf("%s %s", what, s.where(name))
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &answer):
		text := fmt.Sprintf("%s: %d %s", what, answer.StatusCode, answer.ErrorCode)
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			text += "; the ledger needs the right to read and write blobs there (role Storage Blob Data Contributor): `mkt doctor` tells which credential is used"
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			text += "; the storage account is overloaded, run again later"
		}
		return &failure{text, err}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer in time: %w", what, context.DeadlineExceeded)
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return &failure{what + ": " + withoutQueries(text), nil}
}

// withoutQueries cuts the query off each URL in a text.
func withoutQueries(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		text = after[min(len(after), strings.IndexAny(after+" ", "\" \t")):]
	}
}

// where is a blob's URL for people, that of the container without a name.
func (s *Store) where(name string) string {
	base, _, _ := strings.Cut(s.client.URL(), "?")
	return strings.TrimSuffix(base+"/"+name, "/")
}
