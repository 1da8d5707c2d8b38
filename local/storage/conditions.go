package storage

import (
	"net/http"
	"time"
)

func conditionNotMet() error {
	return fail(http.StatusPreconditionFailed, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
}

func notModified() error {
	return fail(http.StatusNotModified, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
}

// checkRead applies the conditional headers to an existing object that is read.
func checkRead(h http.Header, etag string, modified time.Time) error {
	if v := h.Get("If-Match"); v != "" && v != "*" && v != etag {
		return conditionNotMet()
	}
	if v := h.Get("If-None-Match"); v == "*" || v != "" && v == etag {
		return notModified()
	}
	since, err := headerTime(h, "If-Modified-Since")
	if err != nil {
		return err
	}
	if !since.IsZero() && h.Get("If-None-Match") == "" && !modified.Truncate(time.Second).After(since) {
		return notModified()
	}
	return checkUnmodified(h, modified)
}

// checkWrite applies them to an object that is written; etag is empty where it
// does not exist.
func checkWrite(h http.Header, etag string, modified time.Time) error {
	if v := h.Get("If-Match"); v != "" && (etag == "" || v != "*" && v != etag) {
		return conditionNotMet()
	}
	if v := h.Get("If-None-Match"); etag != "" {
		if v == "*" {
			return fail(http.StatusConflict, "BlobAlreadyExists", "The specified blob already exists.")
		}
		if v == etag {
			return conditionNotMet()
		}
	}
	if etag == "" {
		return nil
	}
	since, err := headerTime(h, "If-Modified-Since")
	if err != nil {
		return err
	}
	if !since.IsZero() && !modified.Truncate(time.Second).After(since) {
		return conditionNotMet()
	}
	return checkUnmodified(h, modified)
}

func checkUnmodified(h http.Header, modified time.Time) error {
	since, err := headerTime(h, "If-Unmodified-Since")
	if err != nil {
		return err
	}
	if !since.IsZero() && modified.Truncate(time.Second).After(since) {
		return conditionNotMet()
	}
	return nil
}

func headerTime(h http.Header, name string) (time.Time, error) {
	value := h.Get(name)
	if value == "" {
		return time.Time{}, nil
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return t, badHeader(name, value)
	}
	return t, nil
}
