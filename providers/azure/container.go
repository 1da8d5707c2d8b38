package azure

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Container describes azure_container.
var Container = &spec.Kind{
	Name:   "azure_container",
	System: system,
	Doc:    "A blob container of an Azure storage account. Its files are blobs; Snowpipe reads them from there.",
	Example: `azure_container "market" {
  name = "market-data"
}
`,
	Attrs: []spec.Attr{
		{
			Name: "name", Type: cty.String, Label: true, Check: checkName,
			Doc:    "The container's name: 3 to 63 lower-case letters, digits and single hyphens. The block's label by default.",
			Change: spec.Replaced("a container cannot be renamed; the blobs stay behind in the old one"),
		},
		accountAttr("a container cannot move to another storage account; the blobs stay behind"),
		{
			Name: "access", Type: cty.String, Default: cty.StringVal(accessPrivate), Check: checkAccess,
			Doc: "Who may read without signing in: `private` (nobody, the default), `blob` (the blobs, by name) or `container` (also list them). " +
				"Most accounts forbid all but `private`.",
			Change: spec.Updated,
		},
		metadataAttr("container"),
		{Name: "url", Type: cty.String, Computed: true, Doc: "The container's public address, `https://ACCOUNT.blob.core.windows.net/NAME`."},
	},
	ID:        urlOf,
	HoldsData: true,
}

func accountAttr(why string) spec.Attr {
	return spec.Attr{
		Name: "account", Type: cty.String, Optional: true, Computed: true, Check: checkAccount,
		Doc:    "The storage account. That of the provider by default.",
		Change: spec.Replaced(why),
	}
}

func metadataAttr(of string) spec.Attr {
	return spec.Attr{
		Name: "metadata", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String), Check: checkMetadata, Norm: normMetadata,
		Doc:    "Names and values kept with the " + of + ". The case of the names does not matter.",
		Change: spec.Updated,
	}
}

// urlOf is the ID of containers and queues.
func urlOf(v cty.Value) string {
	if id := v.GetAttr("url"); id.IsKnown() && !id.IsNull() {
		return id.AsString()
	}
	return ""
}

// accessPrivate is the level of access that Azure has no name for.
const accessPrivate = "private"

func checkAccess(v cty.Value) error {
	switch v.AsString() {
	case accessPrivate, "blob", "container":
		return nil
	}
	return fmt.Errorf("must be one of private, blob, container")
}

var metadataName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkMetadata holds metadata against what can be sent as HTTP headers
// ("Naming containers, blobs, and metadata", Azure Storage REST documentation).
func checkMetadata(v cty.Value) error {
	seen := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, value := it.Element()
		key := k.AsString()
		switch lower := strings.ToLower(key); {
		case !metadataName.MatchString(key):
			return fmt.Errorf("the name %q must have letters, digits and _ only and not begin with a digit", key)
		case seen[lower] != "":
			return fmt.Errorf("%q and %q are one name, since the case does not matter", seen[lower], key)
		case value.IsNull() || value.AsString() == "":
			return fmt.Errorf("%q has no value; leave it out", key)
		case strings.TrimSpace(value.AsString()) != value.AsString() || strings.ContainsFunc(value.AsString(), func(r rune) bool { return r < ' ' || r > '~' }):
			return fmt.Errorf("the value of %q must be printable ASCII without blanks at its ends", key)
		default:
			seen[lower] = key
		}
	}
	return nil
}

// normMetadata writes names in lower case: the service gives them back
// capitalised.
func normMetadata(v cty.Value) cty.Value {
	out := map[string]cty.Value{}
	for it := v.ElementIterator(); it.Next(); {
		k, value := it.Element()
		out[strings.ToLower(k.AsString())] = value
	}
	return stringMap(out)
}

func stringMap(m map[string]cty.Value) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(m)
}

// metadataValue is what the SDK read as a value in normal form.
func metadataValue(m map[string]*string) cty.Value {
	out := map[string]cty.Value{}
	for name, value := range m {
		if value != nil {
			out[strings.ToLower(name)] = cty.StringVal(*value)
		}
	}
	return stringMap(out)
}

// metadataHeaders is a value as the SDK writes it.
func metadataHeaders(v cty.Value) map[string]*string {
	out := map[string]*string{}
	for it := v.ElementIterator(); it.Next(); {
		k, value := it.Element()
		text := value.AsString()
		out[http.CanonicalHeaderKey(k.AsString())] = &text
	}
	return out
}
