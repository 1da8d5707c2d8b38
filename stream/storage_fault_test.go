package stream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// isPut says whether a request creates a file under a prefix.
func isPut(req *http.Request, prefix string) bool {
	return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/"+prefix)
}

// An upload whose answer is lost is tried again, finds its own file, and goes
// on.
func TestLostUploadAnswer(t *testing.T) {
	t.Parallel()
	s := newStack(t, 3)
	const n = 10_000
	path := streamtest.Generate(t, s.Dir, n, nil)
	var lost atomic.Int64
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		res, err := next()
		if isPut(req, "kafka-messages") && lost.Add(1)%3 == 1 && err == nil {
			res.Body.Close()
			return nil, errors.New("connection reset")
		}
		return res, err
	})
	cfg := s.config(path)
	cfg.Consumers[0].Roll.Rows = 500
	rep := s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if c := rep.Consumers[0]; c.Retries == 0 || c.Adopted == 0 {
		t.Errorf("%+v", c)
	}
}

// A storage account that answers 503 and cuts connections delays, no more.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 3000
	path := streamtest.Generate(t, s.Dir, n, nil)
	var tries atomic.Int64
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		switch i := tries.Add(1); {
		case isPut(req, "kafka-messages") && i%3 == 0:
			return &http.Response{StatusCode: 503, Header: http.Header{"X-Ms-Error-Code": {"ServerBusy"}}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
		case i%3 == 1:
			return nil, errors.New("connection refused")
		}
		return next()
	})
	cfg := s.config(path)
	cfg.Consumers[0].Roll.Rows = 500
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
}

// A storage account that does not answer is asked again.
func TestStorageHangs(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 2000
	var hung atomic.Int64
	var forever atomic.Bool
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		if isPut(req, "kafka-messages") && (hung.Add(1) <= 2 || forever.Load()) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		return next()
	})
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	forever.Store(true)
	cfg.Consumers[0].Roll.Rows, cfg.Consumers[0].UploadTimeout = 500, time.Second
	s.fails(cfg, `consumer "blobs": upload kafka-messages/`, "the storage account does not answer")
	forever.Store(false)
	hung.Store(0)
	cfg.Consumers[0].UploadTimeout = 8 * time.Second
	rep := s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if rep.Consumers[0].Retries == 0 {
		t.Errorf("%+v", rep)
	}
}

// An upload that is cut in the middle leaves no file, and neither do blocks that
// nobody has put together: the next try creates the whole.
func TestPartialUpload(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	if realtest.At(t, realtest.Azurite) != "" {
		t.Skip("the middle of an upload is seen by the embedded storage")
	}
	const n = 3000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Consumers[0].Roll.Rows = 500
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(t.Context(), admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	full, err := cfg.Consumers[0].withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	first := s.Container().NewBlockBlobClient(full.fileName(topic, 0, "", 0))
	if _, err := first.StageBlock(t.Context(), "YQ==", readSeekCloser{strings.NewReader("half a file")}, nil); err != nil {
		t.Fatal(err)
	}
	var cuts atomic.Int64
	s.Wire.Watch(func(m streamtest.Moment) bool {
		return m.When == streamtest.Within && strings.HasPrefix(m.Request, upload) && cuts.Add(1)%2 == 1
	})
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if cuts.Load() < 3 {
		t.Errorf("%d uploads came to their middle", cuts.Load())
	}
}

// A file that somebody removes between its upload and the commit of its offsets
// is written again.
func TestRemovedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n = 3000
	var puts atomic.Int64
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		res, err := next()
		if isPut(req, "kafka-messages") && err == nil && puts.Add(1)%3 == 1 {
			_, name, _ := strings.Cut(req.URL.Path, "/kafka-messages/")
			if _, err := s.Container().NewBlobClient("kafka-messages/"+name).Delete(context.Background(), nil); err != nil {
				t.Error(err)
			}
		}
		return res, err
	})
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Consumers[0].Roll.Rows = 500
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if puts.Load() < 7 {
		t.Errorf("%d uploads", puts.Load())
	}
}

// Where the disks of brokers and storage are full, they say so, and rows wait.
func TestDisksFull(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	c, ok := s.Cluster.(*kfake.Cluster)
	if !ok {
		t.Skip("the disks of real servers are not ours to fill")
	}
	const n = 4000
	full := time.Now().Add(1500 * time.Millisecond)
	var broker, storage atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if time.Now().After(full) {
			return nil, nil, false
		}
		broker.Add(1)
		produce := req.(*kmsg.ProduceRequest)
		res := produce.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range produce.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, kerr.KafkaStorageError.Code
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		if isPut(req, "kafka-messages") && storage.Add(1) < 4 {
			return &http.Response{StatusCode: 500, Header: http.Header{"X-Ms-Error-Code": {"InternalError"}}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
		}
		return next()
	})
	s.run(s.config(streamtest.Generate(t, s.Dir, n, nil)))
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
	exactlyOnce(t, "files", s.fileRows(), n)
	if broker.Load() == 0 || storage.Load() < 5 {
		t.Errorf("%d records and %d files were refused", broker.Load(), storage.Load())
	}
}

// A SAS that ends under way stops the consumer with the reason; with the next
// one it goes on.
func TestSASExpires(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 12_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 3000
	cfg.Consumers[0].Roll = Roll{Rows: 300, Every: 100 * time.Millisecond}
	signed := cfg
	signed.Blob = func(url string) (*container.Client, error) {
		return streamtest.OpenSigned(url, time.Now().Add(3*time.Second))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rep, err := Run(ctx, signed, nil)
	// Azurite has another word for it.
	if err == nil || !strings.Contains(err.Error(), "AuthenticationFailed") && !strings.Contains(err.Error(), "AuthorizationFailure") || !strings.Contains(err.Error(), `consumer "blobs"`) || strings.Contains(err.Error(), "sig=") {
		t.Fatalf("%v, %+v", err, rep)
	}
	if rep.Consumers[0].Files == 0 {
		t.Errorf("nothing was written while it lasted: %+v", rep)
	}
	cfg.Producers[0].Rate = 0
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
}

// A refused upload stops the consumer with the reason; nothing is committed
// that is not written.
func TestStorageRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 2000
	path := streamtest.Generate(t, s.Dir, n, nil)
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		if isPut(req, "kafka-messages") {
			return &http.Response{StatusCode: 403, Header: http.Header{"X-Ms-Error-Code": {"AuthorizationPermissionMismatch"}}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
		}
		return next()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := Run(ctx, s.config(path), nil)
	if err == nil || !strings.Contains(err.Error(), "AuthorizationPermissionMismatch") || !strings.Contains(err.Error(), `consumer "blobs"`) {
		t.Fatal(err)
	}
	s.Fault.Set(nil)
	s.run(s.config(path))
	exactlyOnce(t, "files", s.fileRows(), n)
}

// A consumer that dies between a file and its dead letters is made good by
// the next.
func TestDeadLettersAreRepaired(t *testing.T) {
	t.Parallel()
	for _, forget := range []bool{false, true} {
		s := newStack(t, 1)
		poison(t, s, 4)
		path := streamtest.Generate(t, s.Dir, 500, nil)
		cfg := s.config(path)
		cfg.Consumers[0].UploadTimeout = time.Second
		s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
			if isPut(req, "dead-letter") {
				return nil, errors.New("cut")
			}
			return next()
		})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		_, err := Run(ctx, cfg, nil)
		cancel()
		if err == nil || s.deadLetterLines() != 0 {
			t.Fatalf("%v, %d dead letters", err, s.deadLetterLines())
		}
		s.Fault.Set(nil)
		cfg.Consumers[0].Roll.Rows = 100 // the files would be cut elsewhere
		if forget {
			cfg.Consumers[0].Group = "group without offsets"
		}
		s.run(cfg)
		exactlyOnce(t, "files", s.fileRows(), 500)
		if n := s.deadLetterLines(); n != 4 {
			t.Errorf("forget %v: %d dead letters, want 4", forget, n)
		}
	}
}
