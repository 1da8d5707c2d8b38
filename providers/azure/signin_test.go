package azure_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/providertest"
)

const tenant = "11111111-2222-3333-4444-555555555555"

// entra stands in for Entra ID (Microsoft identity platform, "OAuth 2.0 client credentials flow") and for the metadata service of
// virtual machines. It gives the token that the embedded storage account takes to who shows what approve wants.
type entra struct {
	approve func(form func(string) string) bool // of a request at the token endpoint; nil refuses
	machine func(clientID string) bool          // of a request at the metadata service; nil is no such machine
}

func (e entra) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "169.254.169.254" && e.machine == nil {
		return nil, errors.New("no route to host")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Host == "169.254.169.254" && r.Header.Get("Metadata") == "":
		w.WriteHeader(http.StatusBadRequest) // a probe
	case r.URL.Host == "169.254.169.254" && e.machine(r.URL.Query().Get("client_id")):
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_on":"4102444800","resource":"https://storage.azure.com","token_type":"Bearer"}`, token)
	case r.URL.Host == "169.254.169.254":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_request","error_description":"Identity not found"}`)
	case r.URL.Host != "login.microsoftonline.com":
		return nil, fmt.Errorf("the test has no host %s", r.URL.Host)
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		_, _ = fmt.Fprintf(w, `{"tenant_discovery_endpoint":"https://login.microsoftonline.com/%s/v2.0/.well-known/openid-configuration","metadata":[{"preferred_network":"login.microsoftonline.com","preferred_cache":"login.windows.net","aliases":["login.microsoftonline.com"]}]}`, tenant)
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		at := "https://login.microsoftonline.com/" + tenant
		_, _ = fmt.Fprintf(w, `{"issuer":"%s/v2.0","authorization_endpoint":"%s/oauth2/v2.0/authorize","token_endpoint":"%s/oauth2/v2.0/token"}`, at, at, at)
	case strings.HasSuffix(r.URL.Path, "/token") && e.approve != nil && e.approve(r.FormValue):
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600,"token_type":"Bearer"}`, token)
	default:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}`)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// tool writes a program of this name into a folder, which becomes the PATH.
func tool(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate writes a certificate and its key into one PEM file.
func certificate(t *testing.T) (path string, key *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mkt"}, NotAfter: time.Now().Add(48 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))), key
}

// signedBy says whether a JWT is signed with this key (RFC 7518, RS256 and PS256).
func signedBy(jwt string, key *rsa.PublicKey) bool {
	at := strings.LastIndex(jwt, ".")
	if at < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(jwt[at+1:])
	sum := sha256.Sum256([]byte(jwt[:at]))
	return err == nil && (rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil || rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil)
}

// accountSAS is an account SAS of a key.
func accountSAS(t *testing.T, key string, permissions sas.AccountPermissions) string {
	t.Helper()
	cred, err := service.NewSharedKeyCredential(account, key)
	if err != nil {
		t.Fatal(err)
	}
	q, err := sas.AccountSignatureValues{Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: time.Now().Add(time.Hour).UTC(), Permissions: permissions.String(),
		ResourceTypes: (&sas.AccountResourceTypes{Service: true, Container: true, Object: true}).String()}.SignWithSharedKey(cred)
	if err != nil {
		t.Fatal(err)
	}
	return q.Encode()
}

const (
	azToken  = `echo '{"accessToken":"` + token + `","expires_on":4102444800}'`
	azOther  = `echo '{"accessToken":"another","expires_on":4102444800}'`
	azNobody = `echo "Please run 'az login' to setup account." >&2; exit 1`
	azdToken = `echo '{"token":"` + token + `","expiresOn":"2099-01-01T00:00:00Z"}'`
	azdNone  = `echo 'ERROR: not logged in, run azd auth login' >&2; exit 1`
)

// Every way to sign in to storage, at the embedded storage account: taken with the right credential, refused with another one.
func TestSignIn(t *testing.T) {
	s := serve(t)
	wrongKey := base64.StdEncoding.EncodeToString([]byte("another key"))
	list := sas.AccountPermissions{Read: true, List: true}
	connection := func(key string) string {
		return "AccountName=" + account + ";AccountKey=" + key + ";BlobEndpoint=" + s.blobs + "/" + account + ";QueueEndpoint=" + s.queues + "/" + account
	}
	cert, certKey := certificate(t)
	otherCert, _ := certificate(t)
	asserted := func(want string) func(func(string) string) bool {
		return func(form func(string) string) bool {
			return form("client_assertion") == want && form("client_id") == "app"
		}
	}
	type env = map[string]string
	for _, tt := range []struct {
		way  string
		with env // what signs in: of mkt and of the process
		less env // the same with another credential
		idp  entra
		says string // in the refusal
	}{
		{way: "connection string", with: env{"AZURE_STORAGE_CONNECTION_STRING": connection(key)}, less: env{"AZURE_STORAGE_CONNECTION_STRING": connection(wrongKey)}},
		{way: "account key", with: env{"AZURE_STORAGE_KEY": key}, less: env{"AZURE_STORAGE_KEY": wrongKey}},
		{way: "shared access signature", with: env{"AZURE_STORAGE_SAS_TOKEN": "?" + accountSAS(t, key, list)}, less: env{"AZURE_STORAGE_SAS_TOKEN": accountSAS(t, wrongKey, list)}},
		{way: "access token", with: env{"AZURE_ACCESS_TOKEN": token}, less: env{"AZURE_ACCESS_TOKEN": "another"}},
		{way: "client secret", idp: entra{approve: func(form func(string) string) bool {
			return form("client_id") == "app" && form("client_secret") == "right"
		}},
			with: env{"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "right"}, less: env{"AZURE_CLIENT_SECRET": "wr0ng"}, says: "AADSTS7000215"},
		{way: "client certificate", idp: entra{approve: func(form func(string) string) bool { return signedBy(form("client_assertion"), &certKey.PublicKey) }},
			with: env{"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_CERTIFICATE_PATH": cert}, less: env{"AZURE_CLIENT_CERTIFICATE_PATH": otherCert}, says: "ClientCertificateCredential"},
		{way: "workload identity", idp: entra{approve: asserted("right")},
			with: env{"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "app", "AZURE_FEDERATED_TOKEN_FILE": file(t, "right")}, less: env{"AZURE_FEDERATED_TOKEN_FILE": file(t, "wr0ng")}, says: "WorkloadIdentityCredential"},
		{way: "managed identity", idp: entra{machine: func(id string) bool { return id == "right" }},
			with: env{"AZURE_CLIENT_ID": "right"}, less: env{"AZURE_CLIENT_ID": "another"}, says: "ManagedIdentityCredential"},
		{way: "Azure CLI", with: env{"PATH": tool(t, env{"az": azToken})}, less: env{"PATH": tool(t, env{"az": azNobody})}, says: "AzureCLICredential"},
		{way: "Azure Developer CLI", with: env{"PATH": tool(t, env{"azd": azdToken, "az": azNobody})}, less: env{"PATH": tool(t, env{"azd": azdNone, "az": azNobody})}, says: "AzureDeveloperCLICredential"},
		// Named, the developer CLI signs in, although `az` would, as somebody else; and of a production chain neither does.
		{way: "AZURE_TOKEN_CREDENTIALS", with: env{"AZURE_TOKEN_CREDENTIALS": "AzureDeveloperCLICredential", "PATH": tool(t, env{"az": azOther, "azd": azdToken})},
			less: env{"AZURE_TOKEN_CREDENTIALS": "prod"}, says: "EnvironmentCredential"},
	} {
		sign := func(t *testing.T, replace env) error {
			azure.SignInThrough(t, tt.idp)
			set := env{"PATH": t.TempDir(), "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": ""}
			maps.Copy(set, tt.with)
			maps.Copy(set, replace)
			for name, value := range set {
				t.Setenv(name, value) // azidentity reads the process's own
			}
			conn, _, err := azure.Resolve(cty.NilVal, func(name string) string {
				if name == "AZURE_STORAGE_KEY" || name == "AZURE_ACCESS_TOKEN" || set[name] != "" {
					return set[name]
				}
				return s.env[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.Ping(t.Context())
			return err
		}
		providertest.SignIn(t, tt.way, func(t *testing.T) {
			if err := sign(t, nil); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T) {
			err := sign(t, tt.less)
			if providers.CodeOf(err) != providers.Denied || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "wr0ng") || strings.Contains(err.Error(), "sig=") {
				t.Errorf("refused: %v (%s)", err, providers.CodeOf(err))
			}
		})
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "nonsense")
	p := s.connect(t, map[string]string{"AZURE_STORAGE_KEY": "", "AZURE_ACCESS_TOKEN": ""})
	got := p.Resource("azure_container").Read(t.Context(), []providers.Ref{{ID: "https://" + account + ".blob.core.windows.net/c"}})[0]
	if providers.CodeOf(got.Err) != providers.Denied || !strings.Contains(got.Err.Error(), "AZURE_TOKEN_CREDENTIALS") {
		t.Errorf("a value that is none: %v", got.Err)
	}
}
