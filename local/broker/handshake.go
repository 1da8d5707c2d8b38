package broker

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mechanism is how clients sign in.
const mechanism = "PLAIN"

// handshakes makes answers what they are with Kafka, where kfake leaves out what some clients look for:
//   - the mechanisms are named in the answer to every SaslHandshake (KIP-43), not only in a refusal, for which kafkajs
//     would take it;
//   - ApiVersions says that SaslHandshake is known from version 0 on, by which librdkafka before 2.3 tells that a broker
//     has it at all. They then use version 1;
//   - what fill adds to others.
type handshakes struct{ net.Listener }

func (l handshakes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &handshakeConn{Conn: c}, nil
}

// handshakeConn looks at the heads of requests and changes the answers to some. Reads come from one goroutine and writes
// from another, which writes each answer at once.
type handshakeConn struct {
	net.Conn
	head []byte // of the request that is being read, up to its correlation id; the reader's alone
	skip int    // bytes of that request still to come; likewise

	open  atomic.Int32 // how many there are in asked
	mu    sync.Mutex
	asked []asked
}

// asked is a request whose answer is to be changed.
type asked struct {
	correlation uint32
	key         kmsg.Key
	version     int16
}

func (c *handshakeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.look(p[:n])
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
		a := asked{binary.BigEndian.Uint32(c.head[8:]), kmsg.Key(binary.BigEndian.Uint16(c.head[4:])), int16(binary.BigEndian.Uint16(c.head[6:]))}
		if a.key == kmsg.SASLHandshake || a.key == kmsg.ApiVersions || fills(a) {
			c.mu.Lock()
			c.asked = append(c.asked, a)
			c.mu.Unlock()
			c.open.Add(1)
		}
		c.skip = max(0, int(int32(binary.BigEndian.Uint32(c.head)))-(head-size))
		c.head = c.head[:0]
	}
}

// of returns the request that an answer is to.
func (c *handshakeConn) of(correlation uint32) (asked, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, a := range c.asked {
		if a.correlation == correlation {
			c.asked = slices.Delete(c.asked, i, i+1)
			c.open.Add(-1)
			return a, true
		}
	}
	return asked{}, false
}

func (c *handshakeConn) Write(p []byte) (int, error) {
	if c.open.Load() == 0 || len(p) < 8 {
		return c.Conn.Write(p)
	}
	a, ok := c.of(binary.BigEndian.Uint32(p[4:]))
	out := p
	switch {
	case !ok:
	case a.key == kmsg.ApiVersions:
		out = sinceZero(p, int64(a.version))
	case a.key == kmsg.SASLHandshake:
		out = withMechanism(p)
	default:
		out = fill(a, p)
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// withMechanism names the mechanism in an answer that says success and none: an error code and an array of names.
func withMechanism(p []byte) []byte {
	if len(p) != 14 || binary.BigEndian.Uint16(p[8:]) != 0 || binary.BigEndian.Uint32(p[10:]) != 0 {
		return p
	}
	out := make([]byte, 0, 32)
	out = binary.BigEndian.AppendUint32(out, uint32(4+2+4+2+len(mechanism)))
	out = append(out, p[4:10]...)
	out = binary.BigEndian.AppendUint32(out, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(mechanism)))
	return append(out, mechanism...)
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
