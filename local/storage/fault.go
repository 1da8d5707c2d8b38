package storage

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

// fault is an error as Azure answers it: a status, a code that clients act on
// and a message for people.
type fault struct {
	status    int
	code, msg string
}

func (f *fault) Error() string { return f.code + ": " + f.msg }

func fail(status int, code, format string, args ...any) error {
	return &fault{status: status, code: code, msg: fmt.Sprintf(format, args...)}
}

// unsupported refuses by name what this account does not do. 501 is not retried
// by the SDKs.
func unsupported(what string) error {
	return fail(http.StatusNotImplemented, "NotImplemented", "%s is not supported by the embedded storage account.", what)
}

func badHeader(name, value string) error {
	return fail(http.StatusBadRequest, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format: %s: %q.", name, value)
}

func badQuery(name, value string) error {
	return fail(http.StatusBadRequest, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid: %s=%q.", name, value)
}

func badXML(err error) error {
	return fail(http.StatusBadRequest, "InvalidXmlDocument", "The specified XML is not syntactically valid: %v.", err)
}

func asFault(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	return &fault{status: http.StatusInternalServerError, code: "InternalError", msg: err.Error()}
}

// writeStorageFault answers in the form of the Blob and Queue services.
func writeStorageFault(w http.ResponseWriter, err error) {
	f := asFault(err)
	w.Header().Set("x-ms-error-code", f.code)
	if f.status == http.StatusNotModified {
		w.WriteHeader(f.status)
		return
	}
	writeXML(w, f.status, struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: f.code, Message: f.msg})
}

// writeManagementFault answers in the form of the resource manager.
func writeManagementFault(w http.ResponseWriter, err error) {
	f := asFault(err)
	w.Header().Set("x-ms-error-code", f.code)
	writeJSON(w, f.status, map[string]any{"error": map[string]string{"code": f.code, "message": f.msg}})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	w.Write(append([]byte(xml.Header), body...))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
