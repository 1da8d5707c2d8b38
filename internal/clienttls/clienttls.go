// Package clienttls reads what a client of TLS trusts and signs in with from PEM files, as the properties of librdkafka name
// them (librdkafka, CONFIGURATION.md, ssl.*). It knows nothing of mkt.
package clienttls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/youmark/pkcs8"
)

// Files are PEM files, "" for those that are not there. They hold a secret.
type Files struct {
	CA          string // the authorities to trust; without it, the system's
	Certificate string // with Key: what signs in
	Key         string
	KeyPassword string // of an encrypted key; without one it is not looked at
}

// Config reads the files. Servers are verified. Errors name the file and show no secret.
func Config(f Files) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authorities to trust: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate of an authority in PEM", f.CA)
		}
	}
	if f.Certificate != "" {
		pair, err := Pair(f)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Pair reads the certificate and its key.
func Pair(f Files) (tls.Certificate, error) {
	certificate, err := os.ReadFile(f.Certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the client's certificate: %w", err)
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the key of the client's certificate: %w", err)
	}
	if key, err = opened(key, f.KeyPassword); err != nil {
		return tls.Certificate{}, fmt.Errorf("read the key of the client's certificate: %s %w", f.Key, err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the client's certificate %s and its key %s: %w", f.Certificate, f.Key, err)
	}
	return pair, nil
}

var (
	errLocked = errors.New("is encrypted, and there is no password for it")
	errWrong  = errors.New("cannot be decrypted: the password is wrong, or it is encrypted in another way than by PKCS#8 (PBES2) or OpenSSL's old PEM")
)

// opened returns a key's PEM text with the private key not encrypted: by PKCS#8, PBES2 (RFC 5958, RFC 8018), or as OpenSSL wrote
// keys before (RFC 1421).
func opened(text []byte, password string) ([]byte, error) {
	var out []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" && password == "":
			return nil, errLocked
		case block.Type == "ENCRYPTED PRIVATE KEY":
			key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
			if err != nil {
				return nil, errWrong
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				return nil, errWrong
			}
			block = &pem.Block{Type: "PRIVATE KEY", Bytes: der}
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && block.Headers["DEK-Info"] != "":
			if password == "" {
				return nil, errLocked
			}
			der, err := x509.DecryptPEMBlock(block, []byte(password)) //nolint:staticcheck // weak, and what keys that exist are encrypted with
			if err != nil || !isKey(der) {
				return nil, errWrong
			}
			block = &pem.Block{Type: block.Type, Bytes: der}
		}
		out = append(out, pem.EncodeToMemory(block)...)
	}
	if out == nil {
		return nil, errors.New("holds no PEM block")
	}
	return out, nil
}

// isKey tells a key from what a wrong password makes of one: the old way of encrypting has no checksum.
func isKey(der []byte) bool {
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return true
	}
	_, err := x509.ParsePKCS8PrivateKey(der)
	return err == nil
}
