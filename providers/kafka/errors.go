package kafka

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// kafkaError gives an error of the admin client its meaning, by its code (Apache
// Kafka protocol, "Error Codes"; librdkafka's own are negative).
func kafkaError(what string, err error) error {
	if err == nil {
		return nil
	}
	var k ck.Error
	if !errors.As(err, &k) {
		var known *providers.Error
		if errors.As(err, &known) {
			return err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: no answer in time: %w", what, err)}
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	if k.Code() == ck.ErrNoError {
		return nil
	}
	e := &providers.Error{Code: kafkaCode(k), Err: fmt.Errorf("%s: %w", what, plain(k))}
	switch k.Code() {
	case ck.ErrInvalidConfig:
		e.Path = cty.GetAttrPath("config")
	case ck.ErrInvalidPartitions:
		e.Path = cty.GetAttrPath("partitions")
	case ck.ErrInvalidReplicationFactor:
		e.Path = cty.GetAttrPath("replication_factor")
	case ck.ErrTopicException:
		e.Path = cty.GetAttrPath("name")
		e.Hint = "The name is not allowed, or it differs from that of another topic in '.' and '_' only."
	case ck.ErrAuthentication, ck.ErrSaslAuthenticationFailed:
		e.Hint = "Check the user name and password, or API key and secret, of the provider \"kafka\"; `mkt doctor` tells where they come from."
	case ck.ErrTopicAuthorizationFailed, ck.ErrClusterAuthorizationFailed:
		e.Hint = "The user needs the right to describe, create, alter and delete topics and to describe and alter their configs."
	}
	return e
}

// plainError is an error of librdkafka without what is for its developers: how long it was in which state.
type plainError struct{ err ck.Error }

func plain(err ck.Error) error { return plainError{err} }

func (e plainError) Error() string {
	text, _, _ := strings.Cut(e.err.Error(), " (after ")
	return strings.TrimRight(text, ": ")
}

func (e plainError) Unwrap() error { return e.err }

func kafkaCode(k ck.Error) providers.Code {
	switch k.Code() {
	case ck.ErrUnknownTopicOrPart, ck.ErrUnknownTopicID:
		return providers.NotFound
	case ck.ErrTopicAlreadyExists:
		return providers.Exists
	case ck.ErrAuthentication, ck.ErrSaslAuthenticationFailed, ck.ErrTopicAuthorizationFailed, ck.ErrClusterAuthorizationFailed:
		return providers.Denied
	case ck.ErrThrottlingQuotaExceeded:
		return providers.Throttled
	case ck.ErrTimedOut, ck.ErrTimedOutQueue, ck.ErrTransport, ck.ErrAllBrokersDown, ck.ErrResolve, ck.ErrDestroyBroker, ck.ErrRequestTimedOut,
		ck.ErrNetworkException, ck.ErrNotController, ck.ErrLeaderNotAvailable, ck.ErrNotLeaderForPartition:
		return providers.Unavailable
	case ck.ErrReassignmentInProgress:
		return providers.Conflict
	case ck.ErrInvalidConfig, ck.ErrInvalidPartitions, ck.ErrInvalidReplicationFactor, ck.ErrInvalidReplicaAssignment, ck.ErrPolicyViolation,
		ck.ErrTopicException, ck.ErrInvalidRequest, ck.ErrTopicDeletionDisabled, ck.ErrSsl:
		return providers.Invalid
	}
	return providers.Unknown
}

// The registry's error codes that mkt acts on (Schema Registry API Reference,
// "Errors").
const (
	registrySubjectNotFound = 40401
	registrySchemaNotFound  = 40403
	registrySoftDeleted     = 40404
	registryInvalidSchema   = 42201
	registryInvalidLevel    = 42203
	registryInvalidMode     = 42204
	registryNotPermitted    = 42205
	registryReferenced      = 42206
)

// registryError gives an error of the registry its meaning, by its code.
func registryError(what string, err error) error {
	if err == nil {
		return nil
	}
	var r *rest.Error
	if !errors.As(err, &r) {
		var known *providers.Error
		switch {
		case errors.As(err, &known), errors.Is(err, context.Canceled):
			return fmt.Errorf("%s: %w", what, err)
		}
		// What comes without an answer of the registry is the network's.
		return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: %w", what, err)}
	}
	e := &providers.Error{Err: fmt.Errorf("%s: %s", what, r.Message)}
	switch r.Code {
	case registryInvalidSchema:
		e.Code, e.Path = providers.Invalid, cty.GetAttrPath("schema")
		return e
	case registryInvalidLevel:
		e.Code, e.Path = providers.Invalid, cty.GetAttrPath("compatibility")
		return e
	case registryInvalidMode:
		e.Code, e.Path = providers.Invalid, cty.GetAttrPath("mode")
		return e
	case registryNotPermitted:
		e.Code, e.Hint = providers.Conflict, "The subject's mode does not allow it; set mode = \"READWRITE\"."
		return e
	case registryReferenced:
		e.Code, e.Hint = providers.Conflict, "Other subjects refer to this one; remove them first."
		return e
	}
	switch {
	case r.HasStatus(http.StatusUnauthorized), r.HasStatus(http.StatusForbidden):
		e.Code = providers.Denied
		e.Hint = "Check the schema registry's user name and password, or API key and secret; they are not those of Kafka. `mkt doctor` tells where they come from."
	case r.HasStatus(http.StatusNotFound):
		e.Code = providers.NotFound
	case r.HasStatus(http.StatusConflict): // not compatible with earlier versions
		e.Code, e.Path = providers.Invalid, cty.GetAttrPath("schema")
	case r.HasStatus(http.StatusTooManyRequests):
		e.Code = providers.Throttled
	case r.HasStatus(http.StatusUnprocessableEntity), r.HasStatus(http.StatusBadRequest):
		e.Code = providers.Invalid
	case r.Status >= 500 || r.HasStatus(http.StatusRequestTimeout):
		e.Code = providers.Unavailable
	}
	return e
}
