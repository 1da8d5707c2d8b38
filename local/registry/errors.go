package registry

import (
	"fmt"
	"net/http"
)

// The error codes of the API (Schema Registry API Reference, "Errors").
const (
	codeSubjectNotFound      = 40401
	codeVersionNotFound      = 40402
	codeSchemaNotFound       = 40403
	codeSubjectSoftDeleted   = 40404
	codeSubjectNotSoft       = 40405
	codeVersionSoftDeleted   = 40406
	codeVersionNotSoft       = 40407
	codeNoSubjectConfig      = 40408
	codeNoSubjectMode        = 40409
	codeInvalidSchema        = 42201
	codeInvalidVersion       = 42202
	codeInvalidCompatibility = 42203
	codeInvalidMode          = 42204
	codeNotPermitted         = 42205
	codeReferenceExists      = 42206
	codeInvalidSubject       = 42208
	codeSchemaTooLarge       = 42209
	codeStore                = 50001
)

// apiError is an error as the API sends it.
type apiError struct {
	status  int
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func fail(status, code int, format string, args ...any) *apiError {
	return &apiError{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func notFound(code int, format string, args ...any) *apiError {
	return fail(http.StatusNotFound, code, format, args...)
}

func invalid(code int, format string, args ...any) *apiError {
	return fail(http.StatusUnprocessableEntity, code, format, args...)
}

func subjectNotFound(subject string) *apiError {
	return notFound(codeSubjectNotFound, "Subject '%s' not found.", subject)
}

func versionNotFound(version int) *apiError {
	return notFound(codeVersionNotFound, "Version %d not found.", version)
}

func schemaNotFound() *apiError { return notFound(codeSchemaNotFound, "Schema not found") }
