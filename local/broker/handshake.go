package broker

import (
	"encoding/binary"
	"net"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mechanism is how clients sign in.
const mechanism = "PLAIN"

// handshakes names the mechanisms in the answer to every SaslHandshake, as Kafka does (KIP-43); kfake does so only when it
// refuses one, and kafkajs takes an answer without them for a refusal.
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
			c.skip = max(0, int(int32(binary.BigEndian.Uint32(c.head)))-(head-size))
			c.head = c.head[:0]
		default:
			c.asked.Store(answered)
			return
		}
	}
}

func (c *handshakeConn) Write(p []byte) (int, error) {
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
