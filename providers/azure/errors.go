package azure

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mkt/providers"
)

const (
	signInHint  = "Sign in with `az login`, or set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY; `mkt doctor` tells what is used."
	storageHint = "Check the storage account's credential; `mkt doctor` tells where it comes from. With a sign-in, the roles Storage Blob Data Contributor " +
		"and Storage Queue Data Contributor are needed on the account."
	managementHint = "Creating event subscriptions needs the role EventGrid EventSubscription Contributor on the storage account and a sign-in (`az login`)."
)

// failure gives an error of the SDK its meaning, by status and code. what says
// what was tried; hint is for what is refused.
func failure(what, hint string, err error) error {
	if err == nil {
		return nil
	}
	var known *providers.Error
	if errors.As(err, &known) {
		return err
	}
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		return answered(what, hint, answer)
	}
	var final interface{ NonRetriable() }
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case errors.As(err, &final): // what azidentity says when it cannot sign in
		return &providers.Error{Code: providers.Denied, Err: fmt.Errorf("%s: sign in to Azure: %s", what, attempts(err)), Hint: signInHint}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%s: there is no host %s", what, dns.Name),
			Hint: "Check the account's name and the network; each storage account has a host name of its own."}
	case errors.Is(err, context.DeadlineExceeded):
		return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: no answer in time: %w", what, err)}
	}
	return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: %w", what, withoutQuery(err))}
}

// unsettled keeps an error from saying that there is nothing: it came after a request that may have made something.
func unsettled(err error) error {
	e := &providers.Error{Code: providers.Unknown, Err: err}
	if d := providers.Detail(err); d != nil {
		e.Path, e.Hint = d.Path, d.Hint
	}
	return e
}

// withoutQuery keeps a SAS, which is a URL's query, out of the network's errors.
func withoutQuery(err error) error {
	text := err.Error()
	at := strings.IndexByte(text, '?')
	if at < 0 {
		return err
	}
	end := at + strings.IndexAny(text[at:]+" ", "\" \n")
	return errors.New(text[:at] + text[min(end, len(text)):])
}

// answered is failure for an answer of a service.
func answered(what, hint string, answer *azcore.ResponseError) error {
	text := fmt.Sprintf("%d %s", answer.StatusCode, answer.ErrorCode)
	if m := message(answer); m != "" {
		text += ": " + m
	}
	e := &providers.Error{Code: codeOf(answer), Err: &answerError{text: what + ": " + text, cause: answer}}
	switch e.Code {
	case providers.Denied:
		e.Hint = hint
	case providers.Throttled, providers.Unavailable:
		return providers.After(e, retryAfter(answer.RawResponse))
	}
	return e
}

// answerError shows one line instead of the SDK's page, and keeps the cause.
type answerError struct {
	text  string
	cause error
}

func (e *answerError) Error() string { return e.text }
func (e *answerError) Unwrap() error { return e.cause }

// codeOf maps the codes of Azure ("Common REST API error codes", "Blob service
// error codes", "Queue service error codes", "Common Azure deployment errors").
func codeOf(answer *azcore.ResponseError) providers.Code {
	switch answer.ErrorCode {
	case "ContainerAlreadyExists", "QueueAlreadyExists":
		return providers.Exists
	case "ContainerNotFound", "QueueNotFound", "ResourceNotFound":
		return providers.NotFound
	case "ResourceGroupNotFound", "SubscriptionNotFound", "InvalidSubscriptionId", "ParentResourceNotFound":
		return providers.Invalid
	}
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return providers.Denied
	case status == http.StatusNotFound:
		return providers.NotFound
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return providers.Throttled
	case status == http.StatusRequestTimeout, status >= 500 && status != http.StatusNotImplemented:
		return providers.Unavailable
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return providers.Conflict
	case status >= 400:
		return providers.Invalid
	}
	return providers.Unknown
}

// azureCode is the service's own code in an error of this package or the SDK.
func azureCode(err error) string {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return ""
}

// retryAfter reads Retry-After, in seconds; 0 where there is none.
func retryAfter(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return providers.ParseRetryAfter(resp.Header.Get("Retry-After"))
}

// message is what the service says for people, on one line.
func message(answer *azcore.ResponseError) string {
	if answer.RawResponse == nil {
		return ""
	}
	body, err := runtime.Payload(answer.RawResponse)
	if err != nil {
		return ""
	}
	var x struct{ Message string }
	var j struct{ Error struct{ Message string } }
	switch {
	case xml.Unmarshal(body, &x) == nil && x.Message != "":
		return firstLine(x.Message)
	case json.Unmarshal(body, &j) == nil:
		return firstLine(j.Error.Message)
	}
	return ""
}

// attempts is the first line of what azidentity says, and why the credentials of a chain that could have signed in did not. The
// rest are pages of answers.
func attempts(err error) string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		text := strings.TrimSpace(line)
		attempt := strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "\t\t")
		if len(out) == 0 || attempt || strings.HasPrefix(text, `"error_description":`) {
			out = append(out, cut(text, 200))
		}
	}
	return strings.Join(out, "; ")
}

func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
