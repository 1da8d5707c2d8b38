package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/providers"
	"mkt/providers/kafka"
)

// authority writes a certificate authority, and a certificate and key of it for 127.0.0.1 that serves both ends, as PEM files.
func authority(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	root, leaf := newKey(), newKey()
	rootTemplate := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leafTemplate := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	ca = write("ca.pem", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, rootTemplate, rootTemplate, &root.PublicKey, root)))
	cert = write("cert.pem", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, leafTemplate, rootTemplate, &leaf.PublicKey, root)))
	key = write("key.pem", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(leaf)))
	return ca, cert, key
}

// Both clients sign in by the same connection, and both are refused by the same.
func TestSignIn(t *testing.T) {
	ca, cert, key := authority(t)
	otherCA, otherCert, otherKey := authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	server := &tls.Config{Certificates: []tls.Certificate{pair}}
	mutual := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	sasl := func(mechanism string) []kfake.Opt {
		return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(mechanism, user, password)}
	}
	for _, tc := range []struct {
		name string
		opts []kfake.Opt
		conn kafka.Connection
		bad  kafka.Connection // refused; none if its Protocol is ""
	}{
		{name: "plain text", conn: kafka.Connection{Protocol: "PLAINTEXT"}},
		{name: "PLAIN", opts: sasl("PLAIN"),
			conn: kafka.Connection{Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: user, Password: password},
			bad:  kafka.Connection{Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: user, Password: "wrong"}},
		{name: "SCRAM-SHA-256", opts: sasl("SCRAM-SHA-256"),
			conn: kafka.Connection{Protocol: "SASL_PLAINTEXT", Mechanism: "SCRAM-SHA-256", User: user, Password: password},
			bad:  kafka.Connection{Protocol: "SASL_PLAINTEXT", Mechanism: "SCRAM-SHA-256", User: user, Password: "wrong"}},
		{name: "SCRAM-SHA-512 over TLS", opts: append(sasl("SCRAM-SHA-512"), kfake.TLS(server)),
			conn: kafka.Connection{Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", User: user, Password: password, CAFile: ca},
			bad:  kafka.Connection{Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", User: user, Password: "wrong", CAFile: ca}},
		{name: "an authority that is not trusted", opts: []kfake.Opt{kfake.TLS(server)},
			conn: kafka.Connection{Protocol: "SSL", CAFile: ca}, bad: kafka.Connection{Protocol: "SSL", CAFile: otherCA}},
		{name: "a client's certificate", opts: []kfake.Opt{kfake.TLS(mutual)},
			conn: kafka.Connection{Protocol: "SSL", CAFile: ca, CertificateFile: cert, KeyFile: key},
			bad:  kafka.Connection{Protocol: "SSL", CAFile: ca, CertificateFile: otherCert, KeyFile: otherKey}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, there := fake(t, append(tc.opts, kfake.NumBrokers(2))...)
			tc.conn.BootstrapServers, tc.bad.BootstrapServers = there.BootstrapServers, there.BootstrapServers
			n, _, err := tc.conn.Ping(within(t, 20*time.Second))
			if err != nil || n != 2 {
				t.Errorf("the first client: %d brokers, %v", n, err)
			}
			if n, err := kafka.PingSecond(within(t, 20*time.Second), tc.conn); err != nil || n != 2 {
				t.Errorf("the second client: %d brokers, %v", n, err)
			}
			if tc.bad.Protocol == "" {
				return
			}
			if _, _, err := tc.bad.Ping(within(t, 3*time.Second)); err == nil {
				t.Error("the first client got in with wrong credentials")
			}
			_, err = kafka.PingSecond(within(t, 3*time.Second), tc.bad)
			if code := providers.CodeOf(err); code != providers.Denied && code != providers.Unavailable {
				t.Errorf("the second client got in with wrong credentials, or says %v", err)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Error("the password is in the error")
			}
		})
	}
	for _, bad := range []kafka.Connection{
		{Protocol: "SSL", CAFile: filepath.Join(t.TempDir(), "none")},
		{Protocol: "SSL", CAFile: key},
		{Protocol: "SSL", CertificateFile: cert, KeyFile: otherKey},
		{Protocol: "SASL_SSL", Mechanism: "GSSAPI", User: user, Password: password},
	} {
		if _, err := kafka.PingSecond(within(t, time.Second), bad); providers.CodeOf(err) != providers.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// A connection that is lost while it signs in is tried again: librdkafka says the same of it as of a wrong password.
func TestLostSignIn(t *testing.T) {
	c, there := fake(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", user, password))
	there.Protocol, there.Mechanism, there.User, there.Password = "SASL_PLAINTEXT", "PLAIN", user, password
	var lost atomic.Int32
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(kmsg.Request) (kmsg.Response, error, bool) {
		lost.Add(1)
		return nil, errors.New("cut"), true
	})
	got := provider(t, there).Resource("kafka_topic").Read(within(t, 20*time.Second), []providers.Ref{{ID: "t"}})[0]
	if got.Err != nil || lost.Load() != 1 {
		t.Errorf("%d lost, %v", lost.Load(), got.Err)
	}
}
