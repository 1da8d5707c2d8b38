// Package clienttlstest writes certificates and keys for tests of TLS.
package clienttlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
)

// Authority writes a certificate authority, and a certificate and key of it for 127.0.0.1 that serves both ends, as PEM files.
func Authority(t testing.TB) (ca, certificate, key string) {
	t.Helper()
	dir := t.TempDir()
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
	certify := func(name string, template *x509.Certificate, key *ecdsa.PrivateKey) string {
		der, err := x509.CreateCertificate(rand.Reader, template, rootTemplate, &key.PublicKey, root)
		return write(t, filepath.Join(dir, name), &pem.Block{Type: "CERTIFICATE", Bytes: der}, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf)
	return certify("ca.pem", rootTemplate, root), certify("cert.pem", leafTemplate, leaf), write(t, filepath.Join(dir, "key.pem"), &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err)
}

// Lock writes a key of Authority encrypted, as PKCS#8 has it.
func Lock(t testing.TB, key, password string) string {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(read(t, key), []byte(password), nil)
	return write(t, key+".locked", &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}, err)
}

// LockOld writes a key of Authority encrypted, as OpenSSL did before PKCS#8.
func LockOld(t testing.TB, key, password string) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(read(t, key))
	if err != nil {
		t.Fatal(err)
	}
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(password), x509.PEMCipherAES256) //nolint:staticcheck // weak, and what is to be tested
	return write(t, key+".old", block, err)
}

func read(t testing.TB, key string) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*ecdsa.PrivateKey)
}

func write(t testing.TB, path string, block *pem.Block, err error) string {
	t.Helper()
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
