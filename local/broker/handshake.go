package broker

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mechanism is how clients sign in.
const mechanism = "PLAIN"

// handshakes makes signing in what it is with Kafka, where kfake leaves out what some clients look for:
//   - the mechanisms are named in the answer to every SaslHandshake (KIP-43), not only in a refusal, for which kafkajs
//     would take it;
//   - ApiVersions says that SaslHandshake is known from version 0 on, by which librdkafka before 2.3 tells that a broker
//     has it at all. They then use version 1.
type handshakes struct{ net.Listener }

func (l handshakes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	h := &handshakeConn{Conn: c}
	h.asked.Store(notAsked)
	return h, nil
}

const (
	notAsked = -1 - iota // no handshake was read yet
	answered             // or something else came first: there is nothing to look for any more
)

// handshakeConn looks at the first requests of a connection until there is a handshake, and adds the mechanisms to its
// answer. Reads come from one goroutine and writes from another.
type handshakeConn struct {
	net.Conn
	head  []byte       // of the request that is being read, up to its correlation id; the reader's alone
	api   atomic.Int64 // 1 + the correlation id of the last ApiVersions, and its version above 32 bits
	skip  int          // bytes of that request still to come
	asked atomic.Int64 // the correlation id of the handshake, or one of the constants above
}

func (c *handshakeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.asked.Load() == notAsked {
		c.look(p[:n])
	}
	return n, err
}

// look reads the heads of requests: size, key, version, correlation id (Kafka protocol guide, "Request Header").
func (c *handshakeConn) look(p []byte) {
	const size, head = 4, 12
	for len(p) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(p))
			c.skip, p = c.skip-n, p[n:]
			continue
		}
		n := min(head-len(c.head), len(p))
		c.head, p = append(c.head, p[:n]...), p[n:]
		if len(c.head) < head {
			return
		}
		switch kmsg.Key(binary.BigEndian.Uint16(c.head[4:])) {
		case kmsg.SASLHandshake:
			c.asked.Store(int64(binary.BigEndian.Uint32(c.head[8:])))
			return
		case kmsg.ApiVersions:
			id, version := binary.BigEndian.Uint32(c.head[8:]), binary.BigEndian.Uint16(c.head[6:])
			c.api.Store(int64(version)<<33 | (int64(id) + 1))
			c.skip = max(0, int(int32(binary.BigEndian.Uint32(c.head)))-(head-size))
			c.head = c.head[:0]
		default:
			c.asked.Store(answered)
			return
		}
	}
}

func (c *handshakeConn) Write(p []byte) (int, error) {
	if api := c.api.Load(); api != 0 && len(p) >= 8 && int64(binary.BigEndian.Uint32(p[4:]))+1 == api&(1<<33-1) {
		c.api.Store(0)
		return c.Conn.Write(sinceZero(p, api>>33))
	}
	if id := c.asked.Load(); id >= 0 && len(p) >= 8 && int64(binary.BigEndian.Uint32(p[4:])) == id {
		c.asked.Store(answered)
		// The answer is an error code and an array of names; after the correlation id, ten bytes say success and none.
		if len(p) == 14 && binary.BigEndian.Uint16(p[8:]) == 0 && binary.BigEndian.Uint32(p[10:]) == 0 {
			out := make([]byte, 0, 32)
			out = binary.BigEndian.AppendUint32(out, uint32(4+2+4+2+len(mechanism)))
			out = append(out, p[4:10]...)
			out = binary.BigEndian.AppendUint32(out, 1)
			out = binary.BigEndian.AppendUint16(out, uint16(len(mechanism)))
			out = append(out, mechanism...)
			if _, err := c.Conn.Write(out); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	return c.Conn.Write(p)
}

// sinceZero returns an answer to ApiVersions in which SaslHandshake begins with version 0. Since version 3 the array's
// length is a varint and each element ends with its tags (KIP-482); what is shorter than it should be is left alone.
func sinceZero(p []byte, version int64) []byte {
	at, element := 4+4+2+4, 6
	if version >= 3 {
		_, n := binary.Uvarint(p[min(10, len(p)):])
		at, element = 4+4+2+n, 7
	}
	for ; at+6 <= len(p); at += element {
		if kmsg.Key(binary.BigEndian.Uint16(p[at:])) == kmsg.SASLHandshake {
			out := bytes.Clone(p)
			binary.BigEndian.PutUint16(out[at+2:], 0)
			return out
		}
	}
	return p
}
