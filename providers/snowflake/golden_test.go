package snowflake

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

var update = flag.Bool("update", false, "write the golden files")

// value makes a kind's completed object in normal form from some of its attributes.
func value(t *testing.T, k *kind, attrs object) cty.Value {
	t.Helper()
	o := object{}
	typ := k.spec.Type()
	for i := range k.spec.Attrs {
		a := &k.spec.Attrs[i]
		v, ok := attrs[a.Name]
		switch {
		case !ok && a.Default != cty.NilVal:
			v = a.Default
		case !ok:
			v = cty.NullVal(a.Type)
		}
		o[a.Name] = norm(a, v)
	}
	for i := range k.spec.Blocks {
		b := &k.spec.Blocks[i]
		o[b.Name] = cty.NullVal(typ.AttributeType(b.Name))
		if v, ok := attrs[b.Name]; ok {
			o[b.Name] = v
		}
	}
	r := &resource{kind: k}
	done, err := r.Complete(cty.ObjectVal(o))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func norm(a *spec.Attr, v cty.Value) cty.Value {
	if a.Norm != nil && v.IsKnown() && !v.IsNull() {
		return a.Norm(v)
	}
	return v
}

// block makes one element of a nested block with its defaults.
func block(t *testing.T, k *kind, name string, attrs object) cty.Value {
	t.Helper()
	o := object{}
	for i, a := range k.spec.Block(name).Attrs {
		v, ok := attrs[a.Name]
		switch {
		case !ok && a.Default != cty.NilVal:
			v = a.Default
		case !ok:
			v = cty.NullVal(a.Type)
		}
		o[a.Name] = norm(&k.spec.Block(name).Attrs[i], v)
	}
	return cty.ObjectVal(o)
}

func cols(t *testing.T, defs ...object) cty.Value {
	t.Helper()
	var vs []cty.Value
	for _, d := range defs {
		vs = append(vs, block(t, tableKind, "column", d))
	}
	return cty.ListVal(vs)
}

func col(name, typ string, more ...object) object {
	o := object{"name": text(name), "type": text(typ)}
	for _, m := range more {
		for k, v := range m {
			o[k] = v
		}
	}
	return o
}

// TestStatements compares every statement that the provider can send with testdata/*.sql.
func TestStatements(t *testing.T) {
	raw := object{"schema": text("market.raw"), "name": text("prices")}
	with := func(base object, more object) object {
		o := object{}
		for k, v := range base {
			o[k] = v
		}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	table := with(raw, object{"column": cols(t, col("Index", "string"), col(`"Adj Close"`, "double"), col("Volume", "number(10)", object{"default": text("0"), "nullable": cty.False}))})
	format := with(raw, object{"type": text("json"), "options": mapValue(map[string]string{"time_format": "auto", "strip_outer_array": "true", "null_if": "('', 'null')"})})
	stage := with(raw, object{"container": text("https://acct.blob.core.windows.net/market-data"), "path": text("kafka-messages"), "file_format": text("market.raw.json")})
	integration := object{"name": text("azure"), "queue": text("http://127.0.0.1:10001/acct/events"), "tenant_id": text("00000000-0000-0000-0000-00000000000A")}
	storage := object{"name": text("azure"), "tenant_id": text("00000000-0000-0000-0000-00000000000A"), "allowed_locations": locations("azure://a.blob.core.windows.net/c/")}
	copyBlock := object{"into": text("market.raw.prices"), "from": text("market.raw.stage"), "file_format": text("market.raw.json"), "match_by_column_name": text("case_insensitive")}
	pipe := with(raw, object{"auto_ingest": cty.True, "integration": text("azure"), "copy": block(t, pipeKind, "copy", copyBlock)})
	fullCopy := with(copyBlock, object{"path": text("a/b"), "pattern": text(`.*\.json'`), "on_error": text("skip_file_10%"), "options": mapValue(map[string]string{"truncatecolumns": "true"})})
	view := with(raw, object{"sql": text("SELECT 1 AS one;\n")})
	dynamic := with(raw, object{"target_lag": text("5 minutes"), "warehouse": text("compute_wh"), "sql": text("SELECT 1 AS one;\n")})
	task := with(raw, object{"schedule": text("5 m"), "warehouse": text("compute_wh"), "sql": text("INSERT INTO a SELECT 1")})
	g := golden{}
	type change struct {
		kind          *kind
		title         string
		before, after object
	}
	for _, c := range []change{
		{warehouseKind, "create", nil, object{"name": text("compute_wh"), "size": text("2x-large"), "comment": text("it's")}},
		{warehouseKind, "alter", object{"name": text("w")}, object{"name": text("w"), "size": text("small"), "auto_suspend": cty.NumberIntVal(0), "auto_resume": cty.False, "comment": text("c")}},
		{databaseKind, "create", nil, object{"name": text("market"), "data_retention_days": cty.NumberIntVal(3)}},
		{databaseKind, "alter", object{"name": text("market")}, object{"name": text("market"), "data_retention_days": cty.NumberIntVal(0), "comment": text("c")}},
		{schemaKind, "create", nil, object{"name": text(`"Raw ""x"""`), "database": text("market"), "comment": text("c")}},
		{schemaKind, "alter", object{"name": text("raw"), "database": text("market"), "comment": text("c")}, object{"name": text("raw"), "database": text("market"), "data_retention_days": cty.NumberIntVal(1)}},
		{tableKind, "create", nil, with(table, object{"cluster_by": list([]string{"index", "to_date(ts)"}), "data_retention_days": cty.NumberIntVal(1), "comment": text("c")})},
		{tableKind, "alter columns", table, with(table, object{"column": cols(t, col("Key", "string", object{"renamed_from": text("index")}), col("Volume", "number(12)", object{"comment": text("shares")}),
			col("New", "varchar(5)", object{"default": text("'x'"), "nullable": cty.False, "comment": text("it's")}))})},
		{tableKind, "alter a column", with(raw, object{"column": cols(t, col("a", "varchar(5)"))}), with(raw, object{"column": cols(t, col("a", "varchar(6)", object{"nullable": cty.False}))})},
		{tableKind, "alter the rest", table, with(table, object{"cluster_by": list([]string{"Index"}), "data_retention_days": cty.NumberIntVal(2), "comment": text("c")})},
		{tableKind, "drop the clustering", with(table, object{"cluster_by": list([]string{"Index"})}), table},
		{viewKind, "create", nil, with(view, object{"secure": cty.True, "comment": text("c")})},
		{viewKind, "alter text", view, with(view, object{"sql": text("SELECT 2 AS two")})},
		{viewKind, "alter comment", view, with(view, object{"comment": text("c")})},
		{fileFormatKind, "create", nil, format},
		{fileFormatKind, "create csv", nil, with(raw, object{"type": text("CSV"), "options": mapValue(map[string]string{"FIELD_DELIMITER": "|", "SKIP_HEADER": "1", "ESCAPE": "none", "FIELD_OPTIONALLY_ENCLOSED_BY": `"`})})},
		{fileFormatKind, "alter", format, with(format, object{"options": mapValue(map[string]string{"TIME_FORMAT": "HH24:MI", "MULTI_LINE": "FALSE"}), "comment": text("c")})},
		{integrationKind, "create", nil, integration},
		{integrationKind, "alter", integration, with(integration, object{"enabled": cty.False, "comment": text("c")})},
		{storageIntegrationKind, "create", nil, storage},
		{storageIntegrationKind, "create with everything", nil, with(storage, object{"enabled": cty.False, "blocked_locations": locations("azure://a.blob.core.windows.net/c/secret/"), "comment": text("it's")})},
		{storageIntegrationKind, "alter", storage, with(storage, object{"enabled": cty.False, "allowed_locations": locations("*"), "blocked_locations": locations("azure://a.blob.core.windows.net/c/x/,azure://a.blob.core.windows.net/c/a/"), "comment": text("c")})},
		{storageIntegrationKind, "block nothing", with(storage, object{"blocked_locations": locations("azure://a.blob.core.windows.net/c/x/")}), storage},
		{stageKind, "create without credentials", nil, stage},
		{stageKind, "create with an integration", nil, with(stage, object{"storage_integration": text("blob"), "comment": text("c")})},
		{stageKind, "alter", stage, with(stage, object{"path": text("other"), "file_format": cty.NullVal(cty.String), "comment": text("c")})},
		{stageKind, "alter the integration", stage, with(stage, object{"storage_integration": text("blob"), "file_format": text("market.raw.csv")})},
		{stageKind, "drop the encryption", with(stage, object{"encryption": text("azure_cse")}), stage},
		{stageKind, "drop the credentials", with(stage, object{"storage_integration": text("blob")}), stage},
		{pipeKind, "create", nil, pipe},
		{pipeKind, "create paused", nil, with(raw, object{"paused": cty.True, "comment": text("c"), "copy": block(t, pipeKind, "copy", fullCopy)})},
		{pipeKind, "create with errors told", nil, with(pipe, object{"error_integration": text("errors")})},
		{pipeKind, "alter", pipe, with(pipe, object{"paused": cty.True, "comment": text("c")})},
		{pipeKind, "tell of errors", pipe, with(pipe, object{"error_integration": text("errors")})},
		{pipeKind, "tell of no errors", with(pipe, object{"error_integration": text("errors")}), pipe},
		{dynamicTableKind, "create", nil, dynamic},
		{dynamicTableKind, "create with everything", nil, with(dynamic, object{"target_lag": text("downstream"), "refresh_mode": text("full"), "comment": text("it's")})},
		{dynamicTableKind, "alter", dynamic, with(dynamic, object{"target_lag": text("1 hour"), "warehouse": text("other"), "comment": text("c")})},
		{dynamicTableKind, "alter to downstream", dynamic, with(dynamic, object{"target_lag": text("DOWNSTREAM")})},
		{streamKind, "create", nil, with(raw, object{"table": text("market.raw.prices")})},
		{streamKind, "create append-only", nil, with(raw, object{"table": text("market.raw.prices"), "append_only": cty.True, "comment": text("c")})},
		{streamKind, "alter", with(raw, object{"table": text("market.raw.prices")}), with(raw, object{"table": text("market.raw.prices"), "comment": text("c")})},
		{taskKind, "create", nil, task},
		{taskKind, "create after others", nil, with(task, object{"schedule": cty.NullVal(cty.String), "after": cty.SetVal([]cty.Value{text("m.r.a"), text("m.r.b")}), "comment": text("c"), "started": cty.False})},
		{taskKind, "alter", task, with(task, object{"schedule": text("using cron 0 9 * * * UTC"), "warehouse": text("other"), "sql": text("INSERT INTO a SELECT 2"), "comment": text("c")})},
		{taskKind, "alter to run after others", task, with(task, object{"schedule": cty.NullVal(cty.String), "warehouse": cty.NullVal(cty.String), "after": cty.SetVal([]cty.Value{text("m.r.a")})})},
		{taskKind, "alter to run after nothing", with(task, object{"schedule": cty.NullVal(cty.String), "after": cty.SetVal([]cty.Value{text("m.r.a")})}), with(task, object{"started": cty.False})},
	} {
		after := value(t, c.kind, c.after)
		id := c.kind.spec.ID(after)
		n, err := ParseName(id)
		if err != nil {
			t.Fatalf("%s: id %q: %v", c.kind.spec.Name, id, err)
		}
		var got []string
		if c.before == nil {
			got = c.kind.create(n, objectOf(after))
		} else {
			got = c.kind.update(n, objectOf(value(t, c.kind, c.before)), objectOf(after))
		}
		g.add(c.kind.spec.Name, c.title, got)
	}
	g.add(Stage.Name, "create with a token", []string{"CREATE STAGE X" + stageSettings(nil, objectOf(value(t, stageKind, stage)), stageSecrets{token: "?sv=SECRET&sig=a%2Bb"})})
	before := objectOf(value(t, stageKind, stage))
	g.add(Stage.Name, "rotate the token", alterStage(Name{"M", "R", "S"}, before, before, stageSecrets{token: "?sv=SECRET"}))
	g.add(Stage.Name, "create with encryption", []string{"CREATE STAGE X" + stageSettings(nil, objectOf(value(t, stageKind, stage)), stageSecrets{masterKey: "c2VjcmV0"})})
	g.add(Stage.Name, "set the master key", alterStage(Name{"M", "R", "S"}, before, before, stageSecrets{masterKey: "c2VjcmV0"}))
	prices := &grant{on: grantsOn[5], name: Name{"MARKET", "RAW", "Prices"}, role: "ANALYST"}
	granted := func(with bool, list ...string) object {
		return object{"privileges": privilegeSet(list), "with_grant_option": cty.BoolVal(with)}
	}
	g.add(Grant.Name, "create", grantStatements(prices, nil, granted(false, "SELECT", "INSERT")))
	g.add(Grant.Name, "create on the account", grantStatements(&grant{on: grantsOn[0], role: "ops"}, nil, granted(true, "EXECUTE TASK")))
	g.add(Grant.Name, "alter", grantStatements(prices, granted(false, "SELECT", "INSERT"), granted(false, "SELECT", "UPDATE")))
	g.add(Grant.Name, "grant the option", grantStatements(prices, granted(false, "SELECT"), granted(true, "SELECT", "UPDATE")))
	g.add(Grant.Name, "revoke the option", grantStatements(prices, granted(true, "SELECT", "UPDATE"), granted(false, "SELECT")))
	for _, on := range grantsOn {
		of := &grant{on: on, name: Name{"MARKET", "RAW", "PRICES"}[:on.parts], role: "ANALYST"}
		if on.parts == 0 {
			of.name = nil
		}
		g.add(Grant.Name, "read those on "+on.noun, []string{showGrants + of.object()})
	}
	g.compare(t)
}

// golden is what the files should hold, by kind.
type golden map[string]string

func (g golden) add(kind, title string, statements []string) {
	g[kind] += "-- " + title + "\n" + strings.Join(statements, ";\n") + ";\n\n"
}

// compare holds the files against it, each as a whole.
func (g golden) compare(t *testing.T) {
	t.Helper()
	for kind, want := range g {
		path := filepath.Join("testdata", kind+".sql")
		if *update {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(want), 0o644)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the provider sends (go test -update writes it):\n%s", path, want)
		}
	}
}
