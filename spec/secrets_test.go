package spec

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestPlainSecrets(t *testing.T) {
	s := mustLoad(t, `
variable "token" {
  type      = string
  default   = "x"
  sensitive = true
}
provider "vault" {
  token = "hunter2"
  login { password = "hunter2" }
  other {
    password = var.token
  }
}
provider "one" { token = "hunter2" }
provider "env" {
  token = env("TOKEN")
}
`, func(o *Options) {
		o.Getenv = func(string) string { return "hunter2" }
		attr := func(name string) Attr { return Attr{Name: name, Type: cty.String, Secret: true, Doc: "A secret."} }
		for _, name := range []string{"vault", "one", "env"} {
			o.Providers = append(o.Providers, &Kind{Name: name, Doc: "A system.", Attrs: []Attr{attr("token")}, Blocks: []Nested{
				{Name: "login", Max: 1, Doc: "How to sign in.", Attrs: []Attr{attr("password")}},
				{Name: "other", Max: 1, Doc: "How else to sign in.", Attrs: []Attr{attr("password")}},
			}})
		}
	})
	var got []string
	for _, p := range s.PlainSecrets() {
		got = append(got, p.Owner+" "+p.Attr)
		if p.Header.Filename != "" && p.Header.End.Line >= p.Range.Start.Line {
			t.Errorf("%s: an excerpt of the header would show the secret", p.Attr)
		}
	}
	want := []string{`provider "one" token`, `provider "vault" token`, `provider "vault" login.password`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
