package clienttls_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkt/internal/clienttls"
	"mkt/internal/clienttls/clienttlstest"
)

const password = "Gehe1m"

func TestConfig(t *testing.T) {
	ca, cert, key := clienttlstest.Authority(t)
	_, _, other := clienttlstest.Authority(t)
	locked, old := clienttlstest.Lock(t, key, password), clienttlstest.LockOld(t, key, password)
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	// `openssl ecparam -genkey` writes the curve before the key.
	withCurve := file("curve.pem", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+string(text))
	for name, tc := range map[string]struct {
		files clienttls.Files
		want  string // in the error; "" for none
	}{
		"nothing":           {},
		"clear":             {clienttls.Files{CA: ca, Certificate: cert, Key: key}, ""},
		"clear, a password": {clienttls.Files{Certificate: cert, Key: key, KeyPassword: password}, ""},
		"PKCS#8":            {clienttls.Files{Certificate: cert, Key: locked, KeyPassword: password}, ""},
		"old PEM":           {clienttls.Files{Certificate: cert, Key: old, KeyPassword: password}, ""},
		"old PEM, curve":    {clienttls.Files{Certificate: cert, Key: withCurve, KeyPassword: password}, ""},
		"PKCS#8, wrong":     {clienttls.Files{Certificate: cert, Key: locked, KeyPassword: password + "!"}, locked + " cannot be decrypted: the password is wrong"},
		"old PEM, wrong":    {clienttls.Files{Certificate: cert, Key: old, KeyPassword: password + "!"}, old + " cannot be decrypted: the password is wrong"},
		"PKCS#8, none":      {clienttls.Files{Certificate: cert, Key: locked}, "no password"},
		"old PEM, none":     {clienttls.Files{Certificate: cert, Key: old}, "no password"},
		"another's key":     {clienttls.Files{Certificate: cert, Key: other}, "does not match"},
		"no PEM":            {clienttls.Files{Certificate: cert, Key: file("empty", "")}, "holds no PEM block"},
		"no key":            {clienttls.Files{Certificate: cert, Key: "/no/such"}, "read the key"},
		"no certificate":    {clienttls.Files{Certificate: "/no/such", Key: key}, "read the client's certificate"},
		"no authority":      {clienttls.Files{CA: key}, "holds no certificate"},
		"no authorities":    {clienttls.Files{CA: "/no/such"}, "read the authorities"},
	} {
		config, err := clienttls.Config(tc.files)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the password is in the error: %v", name, err)
		}
		if err == nil && (len(config.Certificates) > 0) != (tc.files.Certificate != "") {
			t.Errorf("%s: %d certificates", name, len(config.Certificates))
		}
	}
}
