package azure_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

func TestMintSAS(t *testing.T) {
	s := serve(t)
	p := s.connect(t, nil)
	id := azure.Container.ID(create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")}))
	if _, err := client(t, s, id).NewBlockBlobClient("x").UploadBuffer(t.Context(), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	// use reads, lists and writes with a token.
	use := func(token string) (reads, lists, writes bool) {
		t.Helper()
		c, err := container.NewClientWithNoCredential(s.blobs+"/"+account+"/data?"+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, rerr := c.NewBlobClient("x").GetProperties(t.Context(), nil)
		_, lerr := c.NewListBlobsFlatPager(nil).NextPage(t.Context())
		_, werr := c.NewBlockBlobClient("x").UploadBuffer(t.Context(), []byte("2"), nil)
		return rerr == nil, lerr == nil, werr == nil
	}
	month := time.Now().Add(30 * 24 * time.Hour)
	token, err := p.MintSAS(t.Context(), id, []string{"list", "read"}, month)
	if err != nil {
		t.Fatal(err)
	}
	if r, l, w := use(token); !r || !l || w {
		t.Errorf("with the key: reads %v, lists %v, writes %v", r, l, w)
	}

	// Signed in by token: the SDK wants the account in the host's name.
	host := "https://" + account + ".blob.example"
	byToken := azure.Through(s.connect(t, map[string]string{"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_BLOB_ENDPOINT": host}),
		faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			u, err := url.Parse(s.blobs)
			if err != nil {
				return nil, err
			}
			r.URL.Scheme, r.URL.Host, r.URL.Path = u.Scheme, u.Host, "/"+account+r.URL.Path
			return send()
		}))
	token, err = byToken.MintSAS(t.Context(), id, []string{"read"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	// It is for TLS only, as the endpoint has it; the embedded server has none.
	if !strings.Contains(token, "skoid=") || !strings.Contains(token, "spr=https&") {
		t.Error("not a user-delegation SAS for TLS")
	}
	_, err = byToken.MintSAS(t.Context(), id, []string{"read"}, month)
	wantCode(t, err, providers.Invalid, "at most 7 days")

	bySAS := s.connect(t, map[string]string{"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": token})
	_, err = bySAS.MintSAS(t.Context(), id, []string{"read"}, month)
	wantCode(t, err, providers.Denied, "none can be made from another")
	if strings.Contains(err.Error(), "sig=") {
		t.Error("the SAS is shown")
	}
	_, err = p.MintSAS(t.Context(), id, []string{"fly"}, month)
	wantCode(t, err, providers.Invalid, `"fly"`)
	_, err = p.MintSAS(t.Context(), id, []string{"read"}, time.Now().Add(-time.Hour))
	wantCode(t, err, providers.Invalid, "is over")
	_, err = p.MintSAS(t.Context(), "https://example.com/data", []string{"read"}, month)
	wantCode(t, err, providers.Invalid, "not the URL of a container")
}
