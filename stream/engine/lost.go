package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker gives an open transaction up when it is older than its timeout, and
// the embedded one when it was killed. It then refuses the producer as it
// refuses one that another process has fenced: the epoch is old. What tells the
// two apart is that the other process works under the id: its transaction is
// open, or the epoch is newer by more than one.
//
// A process that has begun with the id and opened no transaction yet is not
// told apart: Kafka calls its state Empty, and so does the embedded broker one
// that it gave up itself. The sender then fences it in turn, and one of them
// stops as soon as the other's transaction is open. Rows are committed once
// all the same.
//
// KIP-588 has another way, asking for the next epoch with the old one beside it,
// which a broker refuses to a process that is fenced; the embedded one does not.

// tenure is what a sender knows of its transaction.
type tenure struct {
	began time.Time
	id    int64
	epoch int16
	cut   atomic.Bool // a connection was lost since
}

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (t *tenure) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { t.cut.Store(true) }

const describeLimit = 5 * time.Second

// problem is franzError, but for a transaction that the broker gave up by
// itself: that is one to begin again.
func (s *sender) problem(err error) error {
	if err = franzError(err); err == nil || !refusesEpoch(err) {
		return err
	}
	old := time.Since(s.now.began) > s.timeout
	if !old && !s.now.cut.Load() || !s.unclaimed() {
		return err
	}
	why := "a connection to the broker was lost, and it gave the transaction up"
	if old {
		why = fmt.Sprintf("the transaction was open for longer than transaction.timeout.ms, %s, and the broker gave it up", s.timeout)
	}
	return &Error{Code: kafka.ErrTransactionAbortable, Text: why + ": " + err.Error(), Abort: true}
}

// refusesEpoch says whether a broker refuses a producer as one that is not the
// newest of its transactional id, or knows of no transaction of it.
func refusesEpoch(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == kafka.ErrInvalidProducerEpoch || e.Code == kafka.ErrProducerFenced || e.Code == kafka.ErrInvalidTxnState)
}

// unclaimed says whether nobody works under the transactional id. False also if
// that cannot be found out.
func (s *sender) unclaimed() bool {
	ctx, cancel := context.WithTimeout(context.Background(), describeLimit)
	defer cancel()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{s.transactional}
	res, err := req.RequestWith(ctx, s.c)
	if err != nil || len(res.TransactionStates) != 1 {
		return false
	}
	now := res.TransactionStates[0]
	switch {
	case now.ErrorCode == kerr.TransactionalIDNotFound.Code:
		return true
	case now.ErrorCode != 0 || now.ProducerID != s.now.id || now.ProducerEpoch > s.now.epoch+1:
		return false
	}
	return now.State != "Ongoing" && now.State != "PrepareCommit" && now.State != "CompleteCommit"
}
