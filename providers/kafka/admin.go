package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/providers"
)

// cluster is the connection to the brokers, opened at its first use. It is safe
// for concurrent use.
type cluster struct {
	conn   Connection
	second *second // for what librdkafka cannot ask

	open     sync.Once
	openErr  error
	producer *ck.Producer // never produces; it is what tells of a refused sign-in
	admin    *ck.AdminClient
	stop     chan struct{}
	stopped  sync.WaitGroup
	denied   chan struct{} // closed once the brokers refused to let us in
	nobody   chan struct{} // closed once no broker answered for firstContact
	up       atomic.Bool   // a call was answered
	since    atomic.Bool   // a call was answered since the last refusal to let us in

	mu   sync.Mutex
	last ck.Error // why the connection does not come up
}

// firstContact is how long a client that never had an answer goes on trying after it could not connect: the address is
// wrong more often than the brokers are about to come up.
const firstContact = 5 * time.Second

// disbelief is how long one refused sign-in is not believed: librdkafka says the same of a connection that was lost while
// it signed in, and tries again by itself. A second refusal is believed at once.
const disbelief = 3 * time.Second

func (c *cluster) client() (*ck.AdminClient, error) {
	c.open.Do(func() {
		if c.conn.BootstrapServers == "" {
			c.openErr = &providers.Error{Code: providers.Invalid, Err: errors.New("no Kafka brokers are known"),
				Hint: "Set bootstrap_servers in the block provider \"kafka\", or KAFKA_BOOTSTRAP_SERVERS."}
			return
		}
		config := ck.ConfigMap{
			"go.logs.channel.enable":             true, // else librdkafka writes to stderr
			"go.logs.channel":                    make(chan ck.LogEvent, 100),
			"go.events.channel.size":             100, // nothing is produced: a million each, the default, are 24 MB
			"go.produce.channel.size":            1,
			"reconnect.backoff.max.ms":           2000,
			"allow.auto.create.topics":           false,
			"socket.connection.setup.timeout.ms": 10000,
		}
		for key, value := range c.conn.ClientConfig() {
			config[key] = value
		}
		c.producer, c.openErr = ck.NewProducer(&config)
		if c.openErr != nil {
			c.openErr = kafkaError("set up the Kafka client", c.openErr)
			return
		}
		if c.admin, c.openErr = ck.NewAdminClientFromProducer(c.producer); c.openErr != nil {
			return
		}
		c.stop, c.denied, c.nobody = make(chan struct{}), make(chan struct{}), make(chan struct{})
		c.stopped.Go(c.watch)
	})
	return c.admin, c.openErr
}

// watch keeps what the client reports about its connections, and passes its log on.
func (c *cluster) watch() {
	var waited, believed <-chan time.Time
	refusals := 0
	for {
		select {
		case <-c.stop:
			return
		case <-believed:
			if believed = nil; !c.since.Load() {
				refusals = 2
				close(c.denied)
			}
		case <-waited:
			if !c.up.Load() {
				close(c.nobody)
			}
		case l := <-c.producer.Logs():
			slog.Debug(l.Message, "component", "kafka", "name", l.Name, "tag", l.Tag)
		case e := <-c.producer.Events():
			err, ok := e.(ck.Error)
			if !ok {
				continue
			}
			c.mu.Lock()
			first := c.last.Code() != ck.ErrAuthentication
			if first && (err.Code() != ck.ErrAllBrokersDown || c.last.Code() == ck.ErrNoError) { // which says less than what came before
				c.last = err
			}
			c.mu.Unlock()
			switch {
			case err.Code() == ck.ErrAuthentication:
				if refusals < 2 && c.since.Swap(false) {
					refusals = 0
				}
				switch refusals++; refusals {
				case 1:
					believed = time.After(disbelief)
				case 2:
					believed = nil
					close(c.denied)
				}
			case waited == nil && err.Code() != ck.ErrAuthentication:
				waited = time.After(firstContact)
			}
		}
	}
}

func newCluster(conn Connection) *cluster {
	return &cluster{conn: conn, second: &second{conn: conn}}
}

func (c *cluster) close() {
	c.second.close()
	c.open.Do(func() { c.openErr = errors.New("the Kafka client is closed") })
	if c.stop == nil {
		return
	}
	close(c.stop)
	c.stopped.Wait()
	// Its threads notice within 0.1 s. Nothing was produced, and so nobody has to wait for them.
	go c.producer.Close()
}

const unreachable = "Is the address right, and the broker up?"

// ask makes one call to the brokers within ctx. It ends early, and for good, when
// the brokers refuse to let us in or none was ever there, and says why a connection
// did not come up.
func ask[R any](ctx context.Context, c *cluster, what string, call func(context.Context, *ck.AdminClient) (R, error)) (R, error) {
	var none R
	admin, err := c.client()
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-c.denied:
		case <-c.nobody:
		case <-done:
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		cancel(c.last)
	}()
	r, err := call(ctx, admin)
	if err == nil {
		c.up.Store(true)
		c.since.Store(true)
		return r, nil
	}
	var refused ck.Error
	if cause := context.Cause(ctx); errors.As(cause, &refused) {
		err = kafkaError(what, refused)
		if providers.CodeOf(err) == providers.Unavailable {
			err = backoff.Permanent(&providers.Error{Code: providers.Unavailable, Err: err, Hint: unreachable})
		}
		return none, err
	}
	err = kafkaError(what, err)
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if providers.CodeOf(err) == providers.Unavailable && last.Code() != ck.ErrNoError {
		return none, &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%w (%w)", err, plain(last)), Hint: unreachable}
	}
	return none, err
}

// retry is providers.Retry whose error says what went wrong last, also when the
// context ended while it waited for the next try.
func retry[R any](ctx context.Context, fn func(context.Context) (R, error)) (R, error) {
	var last error
	r, err := providers.Retry(ctx, func(ctx context.Context) (R, error) {
		r, err := fn(ctx)
		last = err
		return r, err
	})
	if err != nil && last != nil {
		err = last
	}
	return r, err
}

// left is what remains of ctx's time for one request.
func left(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return providers.CallTimeout
	}
	return max(time.Until(deadline), time.Millisecond)
}

// batch sends items until each has a final answer, sending again only those whose
// answer was transient, and returns one error (or nil) for each.
func batch[T any](ctx context.Context, items []T, send func(context.Context, []T) ([]error, error)) []error {
	errs := make([]error, len(items))
	pending := make([]int, len(items))
	for i := range items {
		pending[i] = i
	}
	_, _ = retry(ctx, func(ctx context.Context) (struct{}, error) {
		chosen := make([]T, len(pending))
		for j, i := range pending {
			chosen[j] = items[i]
		}
		answers, err := send(ctx, chosen)
		var again []int
		for j, i := range pending {
			if errs[i] = err; err == nil {
				errs[i] = answers[j]
			}
			if providers.Transient(errs[i]) {
				again = append(again, i)
			}
		}
		if err == nil && len(again) > 0 {
			err = errs[again[0]]
		}
		pending = again
		return struct{}{}, err
	})
	return errs
}
