package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"mkt/internal/clienttls"
	"mkt/internal/oidc"
)

// franzOptions are librdkafka properties, those of a connection, in franz-go's terms.
func franzOptions(props map[string]string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.FieldsFunc(props["bootstrap.servers"], func(r rune) bool { return r == ',' || r == ' ' })...),
		kgo.ClientID(props["client.id"]),
		kgo.DisableClientMetrics(),
		kgo.WithLogger(franzLog{}),
	}
	protocol := strings.ToUpper(props["security.protocol"])
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if strings.HasSuffix(protocol, "SSL") {
		config, err := clienttls.Config(clienttls.Files{
			CA: props["ssl.ca.location"], Certificate: props["ssl.certificate.location"], Key: props["ssl.key.location"], KeyPassword: props["ssl.key.password"],
		})
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer((&tls.Dialer{NetDialer: dialer, Config: config}).DialContext))
	} else {
		opts = append(opts, kgo.Dialer(dialer.DialContext))
	}
	if !strings.HasPrefix(protocol, "SASL_") {
		return opts, nil
	}
	mechanism, user, password := props["sasl.mechanism"], props["sasl.username"], props["sasl.password"]
	if mechanism == "" {
		mechanism = props["sasl.mechanisms"]
	}
	switch mechanism {
	case "PLAIN":
		return append(opts, kgo.SASL(saslplain.Auth{User: user, Pass: password}.AsMechanism())), nil
	case "SCRAM-SHA-256":
		return append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism())), nil
	case "SCRAM-SHA-512":
		return append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())), nil
	case oidc.Mechanism:
		mechanism, err := oidc.New(props)
		if err != nil {
			return nil, err
		}
		return append(opts, kgo.SASL(mechanism)), nil
	}
	return nil, fmt.Errorf("the stream cannot sign in with the mechanism %q", mechanism)
}

// franzError is an error of franz-go as the others here are.
func franzError(err error) error {
	var of *kerr.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case oidc.Refused(err):
		return &Error{Code: kafka.ErrAuthentication, Text: err.Error()}
	case errors.As(err, &of):
		return &Error{Code: kafka.ErrorCode(of.Code), Text: err.Error(), Retriable: of.Retriable}
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return &Error{Code: kafka.ErrMsgTimedOut, Text: err.Error()}
	case kgo.IsRetryableBrokerErr(err):
		return &Error{Code: kafka.ErrTransport, Text: err.Error()}
	}
	return &Error{Code: kafka.ErrFail, Text: err.Error()}
}

// franzLog logs what franz-go says at debug level.
type franzLog struct{}

func (franzLog) Level() kgo.LogLevel {
	if slog.Default().Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelNone
}

func (franzLog) Log(_ kgo.LogLevel, message string, pairs ...any) {
	slog.Debug("franz-go: "+message, pairs...)
}
