package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"mkt/internal/clienttls"
	"mkt/internal/oidc"
	"mkt/providers"
)

// second is a second client of the same cluster, for the requests that librdkafka does not have (docs/adr/0010). It is
// opened at its first use, and safe for concurrent use.
type second struct {
	conn Connection

	open   sync.Once
	err    error
	client *kgo.Client
}

const dialTimeout = 10 * time.Second

func (s *second) admin() (*kadm.Client, error) {
	s.open.Do(func() {
		opts, err := s.conn.franzOptions()
		if err == nil {
			s.client, err = kgo.NewClient(opts...)
		}
		if err != nil {
			s.err = fmt.Errorf("set up the second Kafka client: %w", err)
		}
	})
	if s.err != nil {
		return nil, s.err
	}
	admin := kadm.NewClient(s.client)
	admin.SetTimeoutMillis(int32(providers.CallTimeout.Milliseconds()))
	return admin, nil
}

func (s *second) close() {
	s.open.Do(func() { s.err = errors.New("the second Kafka client is closed") })
	if s.client != nil {
		s.client.Close()
	}
}

// franzOptions are ClientConfig's properties in franz-go's terms. They hold secrets.
func (c Connection) franzOptions() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.FieldsFunc(c.BootstrapServers, func(r rune) bool { return r == ',' || r == ' ' })...),
		kgo.ClientID("mkt"),
		kgo.DisableClientMetrics(),
		kgo.RequestRetries(2), // providers.Retry does the rest
		kgo.RetryTimeout(providers.CallTimeout),
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if strings.HasSuffix(c.Protocol, "SSL") {
		config, err := tlsConfig(c.TLS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer((&tls.Dialer{NetDialer: dialer, Config: config}).DialContext))
	} else {
		opts = append(opts, kgo.Dialer(dialer.DialContext))
	}
	if !strings.HasPrefix(c.Protocol, "SASL_") {
		return opts, nil
	}
	switch c.Mechanism {
	case "PLAIN":
		return append(opts, kgo.SASL(saslplain.Auth{User: c.User, Pass: c.Password}.AsMechanism())), nil
	case "SCRAM-SHA-256":
		return append(opts, kgo.SASL(scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism())), nil
	case "SCRAM-SHA-512":
		return append(opts, kgo.SASL(scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism())), nil
	case oidc.Mechanism:
		mechanism, err := oidc.New(c.ClientConfig())
		if err != nil {
			return nil, &providers.Error{Code: providers.Invalid, Err: err}
		}
		return append(opts, kgo.SASL(mechanism)), nil
	}
	return nil, providers.Errorf(providers.Invalid, "mkt cannot sign in with the mechanism %q here", c.Mechanism)
}

// tlsConfig is clienttls.Config, whose errors are of what a person configured.
func tlsConfig(files clienttls.Files) (*tls.Config, error) {
	config, err := clienttls.Config(files)
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: err, Hint: "See ca_file, certificate_file, key_file and key_password in the block tls of the provider \"kafka\"."}
	}
	return config, nil
}

// askSecond makes one call with the second client within ctx.
func askSecond[R any](ctx context.Context, s *second, what string, call func(context.Context, *kadm.Client) (R, error)) (R, error) {
	var none R
	admin, err := s.admin()
	if err != nil {
		return none, err
	}
	r, err := call(ctx, admin)
	if err != nil {
		return none, franzError(what, err, "")
	}
	return r, nil
}

// franzError gives an error of the second client its meaning. The brokers' codes are those that kafkaError knows; what has
// none happened on the way.
func franzError(what string, err error, message string) error {
	if err == nil {
		return nil
	}
	var code *kerr.Error
	if errors.As(err, &code) {
		var said *kadm.ErrAndMessage
		if errors.As(err, &said) && message == "" {
			message = said.ErrMessage
		}
		if message == "" {
			message = code.Description
		}
		return kafkaError(what, ck.NewError(ck.ErrorCode(code.Code), strings.TrimSuffix(message, "."), false))
	}
	if oidc.Refused(err) {
		return &providers.Error{Code: providers.Denied, Err: fmt.Errorf("%s: %w", what, err), Hint: "`mkt doctor` shows where the client's id and secret came from."}
	}
	var known *providers.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: %w", what, err), Hint: unreachable}
}
