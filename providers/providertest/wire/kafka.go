package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka returns the address of a proxy of the cluster that target bootstraps. Brokers that it names in its answers get a
// proxy each, so that no client finds a way around.
func (w *Wire) Kafka(t testing.TB, target string) string {
	t.Helper()
	k := &kafkaProxy{wire: w, proxies: map[string]string{}, conns: map[net.Conn]bool{}}
	t.Cleanup(k.close)
	addr, err := k.proxy(target)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

type kafkaProxy struct {
	wire *Wire

	mu        sync.Mutex
	proxies   map[string]string // by the broker's address
	listeners []net.Listener
	conns     map[net.Conn]bool
	closed    bool
	running   sync.WaitGroup
}

// proxy returns the address that stands for a broker's.
func (k *kafkaProxy) proxy(target string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if addr := k.proxies[target]; addr != "" {
		return addr, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	k.proxies[target] = addr
	k.proxies[addr] = addr // an answer that was rewritten already
	k.listeners = append(k.listeners, l)
	k.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			k.running.Go(func() { k.serve(client, target) })
		}
	})
	return addr, nil
}

func (k *kafkaProxy) close() {
	k.mu.Lock()
	k.closed = true
	for _, l := range k.listeners {
		_ = l.Close()
	}
	for c := range k.conns {
		_ = c.Close()
	}
	k.mu.Unlock()
	k.running.Wait()
}

// keep closes a connection with the proxy; it reports whether the proxy is still there.
func (k *kafkaProxy) keep(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns[c] = true
	return !k.closed
}

// kafkaCall is a request that was passed on, or answered in the broker's place.
type kafkaCall struct {
	request kmsg.Request
	verdict Verdict
	instead []byte // the answer of one that was not passed on
}

// serve passes frames on in both directions until either side ends. A broker answers the requests of a connection in
// their order.
func (k *kafkaProxy) serve(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if !k.keep(client) || !k.keep(server) {
		return
	}
	calls := make(chan kafkaCall, 1024)
	k.running.Go(func() {
		defer client.Close()
		defer server.Close()
		for call := range calls {
			if call.instead != nil {
				if err := writeFrame(client, call.instead); err != nil {
					return
				}
				continue
			}
			frame, err := readFrame(server)
			if err != nil {
				return
			}
			switch call.verdict.Fault {
			case Lost:
				if call.verdict.Done != nil {
					call.verdict.Done()
				}
				return
			case Slow:
				time.Sleep(k.wire.Delay)
			}
			if frame, err = k.answer(call, frame); err != nil {
				return
			}
			if err := writeFrame(client, frame); err != nil {
				return
			}
		}
	})
	defer close(calls)
	for {
		frame, err := readFrame(client)
		if err != nil {
			return
		}
		call := kafkaCall{request: parseRequest(frame)}
		name := "Unknown"
		if call.request != nil {
			name = kmsg.NameForKey(call.request.Key())
		}
		call.verdict = k.wire.arrives("kafka", name)
		switch call.verdict.Fault {
		case Cut:
			return
		case Refused, Throttled:
			if answer := withError(call.request, call.verdict.Fault); answer != nil { // not carried out
				call.instead = response(frame[4:8], answer) // after the answers to what was asked before
				calls <- call
				continue
			}
		}
		if err := writeFrame(server, frame); err != nil {
			return
		}
		calls <- call
	}
}

// answer rewrites the addresses of brokers, and refuses what was only read.
func (k *kafkaProxy) answer(call kafkaCall, frame []byte) ([]byte, error) {
	if call.request == nil {
		return frame, nil
	}
	resp := call.request.ResponseKind()
	switch resp.(type) {
	case *kmsg.MetadataResponse, *kmsg.DescribeClusterResponse, *kmsg.FindCoordinatorResponse, *kmsg.DescribeConfigsResponse:
	default:
		return frame, nil
	}
	r := kbin.Reader{Src: frame[4:]}
	if resp.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if err := resp.ReadFrom(r.Src); err != nil {
		return nil, err
	}
	var failed error
	move := func(host *string, port *int32) {
		if *host == "" {
			return
		}
		addr, err := k.proxy(net.JoinHostPort(*host, strconv.Itoa(int(*port))))
		if err != nil {
			failed = err
			return
		}
		at, _ := strconv.Atoi(addr[len("127.0.0.1:"):])
		*host, *port = "127.0.0.1", int32(at)
	}
	refused := call.verdict.Fault == Refused
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			move(&resp.Brokers[i].Host, &resp.Brokers[i].Port)
		}
		for i := range resp.Topics {
			if refused {
				resp.Topics[i].ErrorCode, resp.Topics[i].Partitions = kerr.TopicAuthorizationFailed.Code, nil
			}
		}
	case *kmsg.DescribeClusterResponse:
		for i := range resp.Brokers {
			move(&resp.Brokers[i].Host, &resp.Brokers[i].Port)
		}
	case *kmsg.FindCoordinatorResponse:
		move(&resp.Host, &resp.Port)
		for i := range resp.Coordinators {
			move(&resp.Coordinators[i].Host, &resp.Coordinators[i].Port)
		}
	case *kmsg.DescribeConfigsResponse:
		for i := range resp.Resources {
			if refused {
				resp.Resources[i].ErrorCode, resp.Resources[i].Configs = kerr.TopicAuthorizationFailed.Code, nil
			}
		}
	}
	return response(frame[:4], resp), failed
}

// withError is the answer that refuses a change, or puts it off; nil for what is no change.
func withError(req kmsg.Request, fault Fault) kmsg.Response {
	code := kerr.TopicAuthorizationFailed.Code
	if fault == Throttled {
		code = kerr.ThrottlingQuotaExceeded.Code
	}
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, topic := range req.Topics {
			r := kmsg.NewCreateTopicsResponseTopic()
			r.Topic, r.ErrorCode = topic.Topic, code
			resp.Topics = append(resp.Topics, r)
		}
		return resp
	case *kmsg.DeleteTopicsRequest:
		resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
		names := req.TopicNames
		for _, topic := range req.Topics {
			names = append(names, *topic.Topic)
		}
		for _, name := range names {
			r := kmsg.NewDeleteTopicsResponseTopic()
			r.Topic, r.ErrorCode = &name, code
			resp.Topics = append(resp.Topics, r)
		}
		return resp
	case *kmsg.CreatePartitionsRequest:
		resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
		for _, topic := range req.Topics {
			r := kmsg.NewCreatePartitionsResponseTopic()
			r.Topic, r.ErrorCode = topic.Topic, code
			resp.Topics = append(resp.Topics, r)
		}
		return resp
	case *kmsg.IncrementalAlterConfigsRequest:
		resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		if fault == Throttled {
			return nil
		}
		for _, res := range req.Resources {
			r := kmsg.NewIncrementalAlterConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode = res.ResourceType, res.ResourceName, code
			resp.Resources = append(resp.Resources, r)
		}
		return resp
	case *kmsg.AlterPartitionAssignmentsRequest:
		resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.ListPartitionReassignmentsRequest:
		resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.DescribeACLsRequest:
		resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.CreateACLsRequest:
		resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
		for range req.Creations {
			r := kmsg.NewCreateACLsResponseResult()
			r.ErrorCode = code
			resp.Results = append(resp.Results, r)
		}
		return resp
	case *kmsg.DeleteACLsRequest:
		resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
		for range req.Filters {
			r := kmsg.NewDeleteACLsResponseResult()
			r.ErrorCode = code
			resp.Results = append(resp.Results, r)
		}
		return resp
	case *kmsg.DescribeClientQuotasRequest:
		resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.AlterClientQuotasRequest:
		resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
		for _, entry := range req.Entries {
			r := kmsg.NewAlterClientQuotasResponseEntry()
			r.ErrorCode = code
			for _, e := range entry.Entity {
				r.Entity = append(r.Entity, kmsg.AlterClientQuotasResponseEntryEntity{Type: e.Type, Name: e.Name})
			}
			resp.Entries = append(resp.Entries, r)
		}
		return resp
	case *kmsg.SASLAuthenticateRequest:
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		if fault == Throttled {
			return nil
		}
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp
	}
	return nil
}

// parseRequest reads a request's frame: key, version, correlation id, client id, in newer versions tags, and the body.
// It is nil for one that the library does not know.
func parseRequest(frame []byte) kmsg.Request {
	r := kbin.Reader{Src: frame}
	key, version := r.Int16(), r.Int16()
	r.Int32()
	r.NullableString()
	req := kmsg.RequestForKey(key)
	if req == nil || version > req.MaxVersion() {
		return nil
	}
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if r.Complete() != nil || req.ReadFrom(r.Src) != nil {
		return nil
	}
	return req
}

// response is the frame of an answer: the request's correlation id, in newer versions tags, and the body.
func response(correlation []byte, resp kmsg.Response) []byte {
	frame := append([]byte(nil), correlation...)
	if resp.IsFlexible() {
		frame = append(frame, 0)
	}
	return resp.AppendTo(frame)
}

const maxFrame = 64 << 20

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame)))
	_, err := w.Write(append(out, frame...))
	return err
}
