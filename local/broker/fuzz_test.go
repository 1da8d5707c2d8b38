package broker

import (
	"encoding/binary"
	"net"
	"testing"
)

// Bytes that come in any pieces are looked at without a crash, and handed on as they are. An answer without a request that was looked
// for is sent as it is.
func FuzzFrame(f *testing.F) {
	frame := func(size uint32, key, version uint16, correlation uint32) []byte {
		b := binary.BigEndian.AppendUint32(nil, size)
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, key), version)
		return binary.BigEndian.AppendUint32(b, correlation)
	}
	f.Add(append(frame(10, 18, 3, 1), 0, 0), 5, []byte{0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 1, 0, 0})
	f.Add(frame(8, 17, 1, 7), 3, []byte{0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0})
	f.Add(frame(0xffffffff, 17, 1, 7), 12, []byte{0})
	f.Fuzz(func(t *testing.T, in []byte, piece int, out []byte) {
		client, server := net.Pipe()
		defer client.Close()
		c := &handshakeConn{Conn: server}
		if piece < 1 {
			piece = 1
		}
		for at := 0; at < len(in); at += piece {
			c.look(in[at:min(len(in), at+piece)])
		}
		for _, a := range c.asked {
			switch a.key {
			case 17:
				withMechanism(out)
			case 18:
				sinceZero(out, int64(a.version))
			default:
				fill(a, out)
			}
		}
		withMechanism(out)
		for version := range int64(5) {
			sinceZero(out, version)
		}
		_ = server.Close()
	})
}
