package stream

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"mkt/internal/clienttls"
	"mkt/internal/clienttls/clienttlstest"
)

// The stream signs in to the registry with a certificate whose key is encrypted, and not with another password.
func TestRegistryByCertificate(t *testing.T) {
	t.Parallel()
	ca, cert, key := clienttlstest.Authority(t)
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
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"subject":"s","version":1,"id":7,"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}"}`)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	s.StartTLS()
	t.Cleanup(s.Close)
	files := clienttls.Files{CA: ca, Certificate: cert, Key: clienttlstest.Lock(t, key, "the password"), KeyPassword: "the password"}
	schemas, err := NewSchemas(Registry{URL: s.URL, TLS: files})
	if err != nil {
		t.Fatal(err)
	}
	if schema, err := schemas.Latest(t.Context(), "s"); err != nil || schema.ID != 7 {
		t.Errorf("%v, %v", schema, err)
	}
	files.KeyPassword = "the password of another"
	if _, err := NewSchemas(Registry{URL: s.URL, TLS: files}); err == nil || !strings.Contains(err.Error(), "the password is wrong") || strings.Contains(err.Error(), "of another") {
		t.Errorf("with a wrong password: %v", err)
	}
}
