package broker

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ask sends one request over a plain connection and decodes the answer, as drivers other than Go's do.
func ask(t *testing.T, c net.Conn, id int32, req kmsg.Request, resp kmsg.Response) {
	t.Helper()
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test"))
	if _, err := c.Write(f.AppendRequest(nil, req, id)); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(c, size); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	r := kbin.Reader{Src: body}
	if got := r.Int32(); got != id {
		t.Fatalf("answer to request %d, want %d", got, id)
	}
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) { // which has the first header in all versions
		kmsg.SkipTags(&r)
	}
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(r.Src); err != nil {
		t.Fatal(err)
	}
}

// Clients in other languages read the mechanisms from a handshake that succeeds, and the reason from a refusal.
func TestHandshakeNamesMechanisms(t *testing.T) {
	b, err := Start(context.Background(), Config{Dir: t.TempDir(), User: "mkt", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tc := range []struct {
		mechanism, password string
		handshake, auth     int16
		message             string
	}{
		{"PLAIN", "right", 0, 0, ""},
		{"PLAIN", "wrong", 0, kerr.SaslAuthenticationFailed.Code, "Authentication failed: Invalid username or password"},
		{"GSSAPI", "", kerr.UnsupportedSaslMechanism.Code, 0, ""},
	} {
		c := dial()
		for _, v := range []int16{0, 3} {
			versions, known := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrApiVersionsResponse()
			versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = v, "test", "1"
			ask(t, c, 7, versions, known)
			i := slices.IndexFunc(known.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == int16(kmsg.SASLHandshake) })
			if i < 0 || known.ApiKeys[i].MinVersion != 0 || known.ApiKeys[i].MaxVersion != 1 || len(known.ApiKeys) < 20 {
				t.Errorf("version %d of ApiVersions names %d APIs and SaslHandshake at %d", v, len(known.ApiKeys), i)
			}
		}
		hand, handed := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
		hand.Version, hand.Mechanism = 1, tc.mechanism
		ask(t, c, 8, hand, handed)
		if handed.ErrorCode != tc.handshake || len(handed.SupportedMechanisms) == 0 || handed.SupportedMechanisms[0] != "PLAIN" {
			t.Errorf("%s: handshake says %+v", tc.mechanism, handed)
		}
		if tc.handshake != 0 {
			continue
		}
		auth, authed := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
		auth.Version, auth.SASLAuthBytes = 1, []byte("\x00mkt\x00"+tc.password)
		ask(t, c, 9, auth, authed)
		message := ""
		if authed.ErrorMessage != nil {
			message = *authed.ErrorMessage
		}
		if authed.ErrorCode != tc.auth || message != tc.message {
			t.Errorf("%s: authentication says %d %q, want %d %q", tc.password, authed.ErrorCode, message, tc.auth, tc.message)
		}
	}
}
