package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a process sends that another has fenced is refused, and opens no transaction of the other.
func TestOldEpochOpensNothing(t *testing.T) {
	b := start(t, t.TempDir())
	ctx := within(t, 30*time.Second)
	admin := kadm.NewClient(franz(t, b.Addr()))
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	open := func() *kgo.Client {
		c := franz(t, b.Addr(), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := open()
	if err := old.ProduceSync(ctx, kgo.StringRecord("1")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	young := open()
	if err := young.ProduceSync(ctx, kgo.StringRecord("2")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := young.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := old.ProduceSync(ctx, kgo.StringRecord("3")).FirstErr(); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("the old process was told %v", err)
	}
	got, err := admin.DescribeTransactions(ctx, "x")
	if err != nil || got["x"].State != "Empty" {
		t.Errorf("%+v, %v", got["x"], err)
	}
}
