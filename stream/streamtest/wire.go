package streamtest

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// When is a moment of an exchange between a client and a server.
type When string

// The moments at which a Wire asks. Within is for the body of an upload alone.
const (
	Before When = "before" // the server has not seen the request
	Within When = "within" // the server has seen half of it
	After  When = "after"  // the server has done what it was asked, and the client has not heard of it
)

// Moment is one moment of one exchange: a request of Kafka by its name
// ("Produce"), or of Blob by its method and the path behind the account.
type Moment struct {
	Request string
	When    When
}

// Wire is where requests come in to an embedded stack. A function that is set
// hears of each moment of each of them, and cuts the connection by saying so.
// It may be called by several goroutines.
type Wire struct {
	mu     sync.Mutex
	f      func(Moment) (cut bool)
	bearer *Bearer // nil lets everybody in
}

// Watch sets the function; nil lets everything pass. It is heard on connections
// that are made after this.
func (w *Wire) Watch(f func(Moment) (cut bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f = f
}

func (w *Wire) cuts(request string, when When) bool {
	w.mu.Lock()
	f := w.f
	w.mu.Unlock()
	return f != nil && f(Moment{request, when})
}

func (w *Wire) watched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f != nil || w.bearer != nil
}

func (w *Wire) admits(request []byte, until *time.Time) bool {
	w.mu.Lock()
	b := w.bearer
	w.mu.Unlock()
	return b == nil || b.admits(request, until)
}

// listen is net.Listen for a broker.
func (w *Wire) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return wireListener{l, w}, err
}

type wireListener struct {
	net.Listener
	w *Wire
}

func (l wireListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || !l.w.watched() {
		return c, err
	}
	return &wireConn{Conn: c, w: l.w, asked: map[uint32]string{}}, nil
}

// wireConn is the broker's side of a connection. Requests and answers begin with
// their length; a request goes on with its key, and both have the same number
// (Kafka protocol guide, Protocol Primitive Types and Request Header).
type wireConn struct {
	net.Conn
	w     *Wire
	rest  []byte    // of a request
	until time.Time // when its token ends
	mu    sync.Mutex
	asked map[uint32]string // by the request's number
}

func (c *wireConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		var size [4]byte
		if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
			return 0, err
		}
		frame := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
		copy(frame, size[:])
		if _, err := io.ReadFull(c.Conn, frame[4:]); err != nil {
			return 0, err
		}
		name := kmsg.NameForKey(int16(binary.BigEndian.Uint16(frame[4:])))
		if !c.w.admits(frame, &c.until) || c.w.cuts(name, Before) {
			c.Close()
			return 0, io.ErrUnexpectedEOF
		}
		c.mu.Lock()
		c.asked[binary.BigEndian.Uint32(frame[8:])] = name
		c.mu.Unlock()
		c.rest = frame
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *wireConn) Write(p []byte) (int, error) {
	number := binary.BigEndian.Uint32(p[4:])
	c.mu.Lock()
	name := c.asked[number]
	delete(c.asked, number)
	c.mu.Unlock()
	if c.w.cuts(name, After) {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// handler is what serves blobs, with the moments of each request.
func (w *Wire) handler(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		if !w.watched() {
			inner.ServeHTTP(res, req)
			return
		}
		name := req.Method + " " + req.URL.Path
		if w.cuts(name, Before) {
			panic(http.ErrAbortHandler)
		}
		broken := false
		if req.ContentLength > 0 {
			req.Body = &wireBody{ReadCloser: req.Body, left: req.ContentLength / 2, cut: func() bool {
				broken = w.cuts(name, Within)
				return broken
			}}
		}
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, req)
		if broken || w.cuts(name, After) {
			panic(http.ErrAbortHandler)
		}
		for key, values := range answer.Header() {
			res.Header()[key] = values
		}
		res.WriteHeader(answer.Code)
		_, _ = res.Write(answer.Body.Bytes()) // a client that is gone hears nothing
	})
}

// wireBody is a body that may end after its first half.
type wireBody struct {
	io.ReadCloser
	left  int64
	asked bool
	cut   func() bool
}

func (b *wireBody) Read(p []byte) (int, error) {
	if b.left == 0 && !b.asked {
		b.asked = true
		if b.cut() {
			return 0, io.ErrUnexpectedEOF
		}
	}
	if !b.asked {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
