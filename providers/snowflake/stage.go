package snowflake

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Stage describes snowflake_stage.
var Stage = &spec.Kind{
	Name: "snowflake_stage", System: System,
	Doc: "A place in an Azure container that Snowflake reads files from. It is altered, never replaced by CREATE OR REPLACE, which would stop pipes. " +
		"After a change of container or path its pipes stop all the same (STOPPED_STAGE_ALTERED) and are made again by the next apply.",
	Example: `snowflake_stage "market" {
  schema    = "MARKET.RAW"
  container = "https://myaccount.blob.core.windows.net/market-data"
  path      = "kafka-messages/"

  sas {
    permissions   = ["read", "list"]
    expires_in    = "90d"
    rotate_before = "14d"
  }
}
`,
	ID: idOf("schema"),
	Attrs: append(nameAttrs("Name of the stage.", "schema", "Schema that holds the stage.", "snowflake_schema"),
		spec.Attr{Name: "container", Type: cty.String, Required: true, Refs: []string{"azure_container"}, Doc: "Container with the files, or its URL.",
			Check: func(v cty.Value) error { _, err := parseStorageURL(v.AsString()); return err }, Norm: normStorageURL("blob"), Change: spec.Updated},
		spec.Attr{Name: "path", Type: cty.String, Default: text(""), Doc: "Folder in the container; all of it by default.", Norm: normPath, Change: spec.Updated},
		spec.Attr{Name: "storage_integration", Type: cty.String, Refs: []string{"snowflake_storage_integration"}, Doc: "A storage integration that opens the container, instead of `sas`.", Check: checkName(1), Norm: normName, Change: spec.Updated},
		spec.Attr{Name: "file_format", Type: cty.String, Refs: []string{"snowflake_file_format"}, Doc: "File format of the stage, for statements that name none.", Check: checkName(3), Norm: normName, Change: spec.Updated},
		spec.Attr{Name: "encryption", Type: cty.String, Default: text("NONE"), Doc: "`AZURE_CSE` where whoever uploads the files encrypts them first, else `NONE`.",
			Check: oneOf("NONE", "AZURE_CSE"), Norm: upper, Change: spec.Updated},
		spec.Attr{Name: "master_key", Type: cty.String, Secret: true, Doc: "With `AZURE_CSE`, the key of the encryption: 128 or 256 bits in Base64.", Check: checkMasterKey, Change: spec.Updated},
		spec.Attr{Name: "url", Type: cty.String, Computed: true, Follows: []string{"container", "path"}, Doc: "Where the stage points, as Snowflake writes it: azure://…"},
		spec.Attr{Name: "sas_expires_at", Type: cty.String, Computed: true, Follows: []string{"container", "sas"}, Doc: "When the token of `sas` ends (RFC 3339)."},
		commentAttr(),
	),
	Blocks: []spec.Nested{{
		Name: "sas", Max: 1, Doc: "Mints a shared access signature for the container and gives it to the stage. The token is never stored; it is minted anew by the first plan and apply after `rotate_before`.",
		Attrs: []spec.Attr{
			{Name: "permissions", Type: cty.List(cty.String), Default: list([]string{"list", "read"}), Doc: "What the token allows: `read`, `list`, `write`, `delete`. Reading and listing is enough to load.",
				Check: checkPermissions, Norm: sorted},
			{Name: "expires_in", Type: cty.String, Default: text("7d"), Doc: "How long a token lives, such as `90d`. A token signed for a user instead of the account lives at most 7 days.", Check: checkDuration, Norm: normDuration},
			{Name: "rotate_before", Type: cty.String, Default: text("1d"), Doc: "How long before its end a token is replaced.", Check: checkDuration, Norm: normDuration},
		},
		Change: spec.Updated,
	}},
	Check: checkStage,
}

func normPath(v cty.Value) cty.Value {
	p := strings.Trim(v.AsString(), "/")
	if p != "" {
		p += "/"
	}
	return text(p)
}

func checkPermissions(v cty.Value) error {
	for _, e := range v.AsValueSlice() {
		if e.IsKnown() && !e.IsNull() {
			if err := oneOf("READ", "LIST", "WRITE", "DELETE")(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkDuration(v cty.Value) error {
	_, err := spec.ParseDuration(v.AsString())
	return err
}

func normDuration(v cty.Value) cty.Value {
	d, err := spec.ParseDuration(v.AsString())
	if err != nil {
		return v
	}
	return text(spec.FormatDuration(d))
}

func checkMasterKey(v cty.Value) error {
	if key, err := base64.StdEncoding.DecodeString(v.AsString()); err != nil || len(key) != 16 && len(key) != 32 {
		return errors.New("a master key has 128 or 256 bits, in Base64")
	}
	return nil
}

func checkEncryption(o object) []spec.Problem {
	key := o["master_key"]
	switch {
	case !o["encryption"].IsKnown() || !key.IsKnown():
	case strings.EqualFold(o.str("encryption"), "AZURE_CSE") && key.IsNull():
		return []spec.Problem{{Path: cty.GetAttrPath("encryption"), Summary: "Master key missing",
			Detail: "Snowflake reads files that are encrypted with AZURE_CSE with their key. Set master_key, from a variable that is marked sensitive."}}
	case !strings.EqualFold(o.str("encryption"), "AZURE_CSE") && !key.IsNull():
		return []spec.Problem{{Path: cty.GetAttrPath("master_key"), Summary: "Master key without encryption",
			Detail: "A stage has a master_key only with encryption = \"AZURE_CSE\". Set that, or remove the key."}}
	}
	return nil
}

func checkStage(v cty.Value) []spec.Problem {
	o := objectOf(v)
	if problems := checkEncryption(o); problems != nil {
		return problems
	}
	sas := o.block("sas")
	if sas == nil {
		return nil
	}
	if o.set("storage_integration") {
		return []spec.Problem{{Path: cty.GetAttrPath("storage_integration"), Summary: "Two ways to open the container",
			Detail: "A stage has either a sas block or a storage_integration. Remove one of the two."}}
	}
	lives, err1 := spec.ParseDuration(sas.str("expires_in"))
	before, err2 := spec.ParseDuration(sas.str("rotate_before"))
	if err1 == nil && err2 == nil && before >= lives {
		return []spec.Problem{{Path: cty.GetAttrPath("sas").GetAttr("rotate_before"), Summary: "Token rotated too early",
			Detail: fmt.Sprintf("A token that lives %s and is replaced %s before its end would be replaced by every plan. Make rotate_before shorter than expires_in.", sas.str("expires_in"), sas.str("rotate_before"))}}
	}
	return nil
}

var stageKind = &kind{spec: Stage, noun: "STAGE", plural: "STAGES", parent: "schema",
	complete: func(o object) error {
		o["url"] = cty.UnknownVal(cty.String)
		if o["container"].IsKnown() && o["path"].IsKnown() {
			u, err := stageURL(o)
			if err != nil {
				return err
			}
			o["url"] = text(u)
		}
		if o["sas"].IsNull() {
			o["sas_expires_at"] = cty.NullVal(cty.String)
		}
		return nil
	},
	read: readStage,
	create: func(n Name, o object) []string {
		return []string{"CREATE STAGE " + n.SQL() + stageSettings(nil, o, stageSecrets{}) + setComment(o)}
	},
	update: func(n Name, before, after object) []string { return alterStage(n, before, after, stageSecrets{}) },
	carries: func(_ context.Context, _ *Provider, n Name, _ row, c copyInto) (bool, error) {
		return c.from == n.String(), nil
	},
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		return stops(ctx, p, n, "STOPPED_STAGE_DROPPED", func(c copyInto) string { return c.from })
	},
}

// stops names the pipes beside an object that stop for good when it goes.
func stops(ctx context.Context, p *Provider, n Name, state string, uses func(copyInto) string) (string, error) {
	rows, err := p.client.query(ctx, "SHOW PIPES IN SCHEMA "+n.Parent().SQL())
	if err != nil {
		return "", err
	}
	var pipes []string
	for _, r := range rows {
		if c, err := parseCopy(r["definition"], n.Parent()); err == nil && uses(c) == n.String() {
			pipes = append(pipes, Ident(r["name"]).String())
		}
	}
	if pipes == nil {
		return "", nil
	}
	return "the loading by " + strings.Join(pipes, ", ") + " (" + state + ")", nil
}

// stageURL writes where a stage points: azure://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/.
func stageURL(o object) (string, error) {
	u, err := parseStorageURL(normStorageURL("blob")(text(o.str("container"))).AsString())
	if err != nil {
		return "", err
	}
	return "azure://" + u.host + "/" + u.name + "/" + o.str("path"), nil
}

func readStage(ctx context.Context, p *Provider, n Name, r row, private map[string]string) (object, error) {
	described, err := p.client.query(ctx, "DESCRIBE STAGE "+n.SQL())
	if err != nil {
		return nil, err
	}
	o := object{"url": text(r["url"]), "container": text(""), "path": text(""), "encryption": text("NONE")}
	if truth(r["has_encryption_key"]) {
		o["encryption"] = text("AZURE_CSE")
	}
	if rest, ok := strings.CutPrefix(r["url"], "azure://"); ok {
		host, tail, _ := strings.Cut(rest, "/")
		container, path, _ := strings.Cut(tail, "/")
		o["container"], o["path"] = text("https://"+host+"/"+container), normPath(text(path))
		o["url"] = text("azure://" + host + "/" + container + "/" + o.str("path"))
	}
	if name := r["storage_integration"]; name != "" {
		o["storage_integration"] = text(Ident(name).String())
	}
	if f := stageFormat(n, described); f != nil {
		o["file_format"] = text(f.String())
	}
	if sas := private[privatePermissions]; sas != "" && truth(r["has_credentials"]) {
		o["sas"] = cty.ObjectVal(map[string]cty.Value{
			"permissions": list(strings.Split(sas, ",")), "expires_in": text(private[privateExpiresIn]), "rotate_before": text(private[privateRotateBefore]),
		})
		o["sas_expires_at"] = text(private[privateExpires])
	}
	return o, nil
}

// stageFormat is the file format that a stage names, nil where it names none.
func stageFormat(stage Name, described []row) Name {
	f, err := ParseName(properties(described, "STAGE_FILE_FORMAT")["FORMAT_NAME"])
	if err != nil {
		return nil
	}
	for i := len(f); i < 3; i++ { // named short, it lives beside the stage
		f = append(Name{stage[2-i]}, f...)
	}
	return f
}

// stageSecrets are what a statement gives a stage: the token of a sas block and the key of an encryption, "" to leave
// the one that it has.
type stageSecrets struct{ token, masterKey string }

// stageSettings gives the settings that differ from before, all of them for a stage that is made.
func stageSettings(before, after object, secrets stageSecrets) string {
	var b strings.Builder
	if before == nil || before.differs(after, "container") || before.differs(after, "path") {
		u, _ := stageURL(after) // checked by Complete
		b.WriteString(" URL = " + literal(u))
	}
	switch {
	case after.set("storage_integration") && (before == nil || before.differs(after, "storage_integration")):
		b.WriteString(" STORAGE_INTEGRATION = " + after.name("storage_integration").SQL())
	case secrets.token != "":
		b.WriteString(" CREDENTIALS = (AZURE_SAS_TOKEN = " + literal(secrets.token) + ")")
	case before != nil && (before.set("storage_integration") && !after.set("storage_integration") || before.set("sas") && !after.set("sas")):
		b.WriteString(" CREDENTIALS = (AZURE_SAS_TOKEN = '')")
	}
	switch {
	case secrets.masterKey != "":
		b.WriteString(" ENCRYPTION = (TYPE = 'AZURE_CSE' MASTER_KEY = " + literal(secrets.masterKey) + ")")
	case before != nil && before.differs(after, "encryption") && after.str("encryption") == "NONE":
		b.WriteString(" ENCRYPTION = (TYPE = 'NONE')")
	}
	switch {
	case after.set("file_format") && (before == nil || before.differs(after, "file_format")):
		b.WriteString(" FILE_FORMAT = (FORMAT_NAME = " + literal(after.name("file_format").SQL()) + ")")
	case before != nil && before.set("file_format") && !after.set("file_format"):
		b.WriteString(" FILE_FORMAT = (TYPE = CSV)")
	}
	return b.String()
}

func alterStage(n Name, before, after object, secrets stageSecrets) []string {
	k := &kind{noun: "STAGE"}
	var out []string
	if set := stageSettings(before, after, secrets); set != "" {
		out = append(out, k.alter(n, "SET"+set))
	}
	return append(out, k.alterComment(n, before, after)...)
}

// errNoMint is what a stage with a sas block gets where nothing can sign.
var errNoMint = errors.New("a sas block needs the azure provider, with an account key or a signed-in user that may delegate, to sign the token")

// expiresAt is when a token minted now ends, whole seconds in UTC.
func expiresAt(now time.Time, sas object) (time.Time, error) {
	d, err := spec.ParseDuration(sas.str("expires_in"))
	return now.Add(d).UTC().Truncate(time.Second), err
}
