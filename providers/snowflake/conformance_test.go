package snowflake_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/local/warehouse"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/providers/snowflake"
)

const password = "correct horse"

// server is one embedded warehouse for all tests; each world cleans up what it made.
var server struct {
	once sync.Once
	conn snowflake.Connection
	err  error
	stop func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := snowflake.CompareSent(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if server.stop != nil {
		server.stop()
	}
	os.Exit(code)
}

// embedded gives the connection to the embedded warehouse.
func embedded(t *testing.T) snowflake.Connection {
	t.Helper()
	server.once.Do(func() {
		dir, err := os.MkdirTemp("", "warehouse")
		if err != nil {
			server.err = err
			return
		}
		empty := httptest.NewServer(http.HandlerFunc(nothing))
		w, err := warehouse.Open(warehouse.Config{Dir: dir, Account: "local", User: "mkt", Password: password,
			Storage: func(string) (warehouse.StorageEndpoint, bool) {
				return warehouse.StorageEndpoint{BlobURL: empty.URL + "/blob", QueueURL: empty.URL + "/queue", Key: "a2V5"}, true
			}})
		if err != nil {
			server.err = err
			return
		}
		s := httptest.NewServer(w)
		u, _ := url.Parse(s.URL)
		port, _ := strconv.Atoi(u.Port())
		server.conn = snowflake.Connection{Account: "local", User: "mkt", Password: password, Host: u.Hostname(), Port: port, Protocol: "http", Warehouse: "COMPUTE_WH"}
		server.stop = func() { s.Close(); _ = w.Close(); empty.Close(); _ = os.RemoveAll(dir) }
	})
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.conn
}

// nothing is a storage account whose containers and queues are empty.
func nothing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	switch {
	case r.URL.Query().Get("comp") == "list":
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`)
	case r.URL.Query().Get("comp") == "metadata":
		w.Header().Set("X-Ms-Approximate-Messages-Count", "0")
	default:
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><QueueMessagesList/>`)
	}
}

// mint signs nothing, but gives a token that looks like one.
func mint(_ context.Context, container string, permissions []string, expires time.Time) (string, error) {
	return "sv=2024-01-01&sr=c&sp=rl&se=" + url.QueryEscape(expires.Format(time.RFC3339)) + "&sig=c2VjcmV0", nil
}

func provider(t *testing.T, conn snowflake.Connection) providers.Provider {
	t.Helper()
	p := snowflake.New(conn, snowflake.Options{MintSAS: mint, HashKey: []byte("key")})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// world is the embedded warehouse without the objects that the stacks make.
func world(t *testing.T) providertest.World {
	t.Helper()
	conn := embedded(t)
	t.Cleanup(func() {
		sql(t, conn, "DROP DATABASE IF EXISTS MARKET", "DROP DATABASE IF EXISTS SUBJECT", "DROP DATABASE IF EXISTS OTHER", "DROP INTEGRATION IF EXISTS SUBJECT",
			"DROP INTEGRATION IF EXISTS AZURE", "DROP INTEGRATION IF EXISTS OTHER", "DROP WAREHOUSE IF EXISTS SUBJECT", "DROP WAREHOUSE IF EXISTS OTHER")
	})
	return providertest.World{Provider: provider(t, conn), Any: conn}
}

func sql(t *testing.T, conn snowflake.Connection, statements ...string) {
	t.Helper()
	db, err := conn.Open(t.Context())
	if err != nil && t.Context().Err() != nil {
		db, err = conn.Open(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// run fills in what is the same for all kinds.
func run(t *testing.T, s providertest.Suite) {
	s.Kinds = snowflake.Kinds()
	s.New = world
	s.Denied = func(t *testing.T, w providertest.World) providers.Provider {
		conn := w.Any.(snowflake.Connection)
		conn.Password = "wrong"
		return provider(t, conn)
	}
	switch {
	case s.Scope != nil:
	case s.Kind.Attr("schema") != nil:
		s.Scope = func(state cty.Value) string { return state.GetAttr("schema").AsString() }
	default:
		s.Lacks = map[string]string{"listed": "no schema holds it"}
	}
	providertest.Run(t, s)
}

// outside changes the subject by a statement of one's own.
func outside(change func(id string) string) func(*testing.T, providertest.World, string) {
	return func(t *testing.T, w providertest.World, id string) {
		sql(t, w.Any.(snowflake.Connection), change(id))
	}
}

func TestWarehouseConforms(t *testing.T) {
	run(t, providertest.Suite{
		Kind:   snowflake.Warehouse,
		Create: `snowflake_warehouse "subject" {}`,
		Others: []string{`snowflake_warehouse "subject" {
			name         = "other"
			size         = "2X-Large"
			auto_suspend = 0
			auto_resume  = false
			comment      = "it's"
		}`},
		Unchanged: []providertest.Step{{Name: "other spellings", Stack: `snowflake_warehouse "subject" {
			name = "SUBJECT"
			size = "x-small"
		}`}},
		InPlace: []providertest.Step{{Name: "everything", Stack: `snowflake_warehouse "subject" {
			size         = "MEDIUM"
			auto_suspend = 300
			auto_resume  = false
			comment      = "c"
		}`, Attrs: []string{"size", "auto_suspend", "auto_resume", "comment"}}},
		Replacements: []providertest.Step{{Name: "name", Stack: `snowflake_warehouse "subject" { name = "other" }`, Attrs: []string{"name"}}},
		Outside:      outside(func(id string) string { return "ALTER WAREHOUSE " + id + " SET AUTO_SUSPEND = 17" }),
	})
}

func TestDatabaseConforms(t *testing.T) {
	run(t, providertest.Suite{
		Kind:         snowflake.Database,
		Create:       `snowflake_database "subject" {}`,
		Others:       []string{"snowflake_database \"subject\" {\n name = \"OTHER\"\n comment = \"it's\"\n data_retention_days = 3\n}"},
		Unchanged:    []providertest.Step{{Name: "quoted", Stack: `snowflake_database "subject" { name = "\"SUBJECT\"" }`}},
		InPlace:      []providertest.Step{{Name: "comment and retention", Stack: "snowflake_database \"subject\" {\n comment = \"c\"\n data_retention_days = 7\n}", Attrs: []string{"comment", "data_retention_days"}}},
		Replacements: []providertest.Step{{Name: "name", Stack: `snowflake_database "subject" { name = "other" }`, Attrs: []string{"name"}}},
		Outside:      outside(func(id string) string { return "ALTER DATABASE " + id + " SET COMMENT = 'somebody'" }),
	})
}

const database = "snowflake_database \"market\" {}\n"

func TestSchemaConforms(t *testing.T) {
	stack := func(more string) string {
		return database + "snowflake_schema \"subject\" {\n database = snowflake_database.market\n" + more + "\n}"
	}
	run(t, providertest.Suite{
		Kind:      snowflake.Schema,
		Create:    stack(""),
		Others:    []string{stack("name = \"\\\"Lower case\\\"\"\n comment = \"c\"\n data_retention_days = 2")},
		Unchanged: []providertest.Step{{Name: "by name", Stack: database + "snowflake_schema \"subject\" {\n database = \"Market\"\n depends_on = [snowflake_database.market]\n}"}},
		InPlace:   []providertest.Step{{Name: "comment and retention", Stack: stack("comment = \"c\"\n data_retention_days = 7"), Attrs: []string{"comment", "data_retention_days"}}},
		Replacements: []providertest.Step{
			{Name: "name", Stack: stack(`name = "other"`), Attrs: []string{"name"}},
			{Name: "database", Stack: "snowflake_database \"other\" {}\n" + database + "snowflake_schema \"subject\" { database = snowflake_database.other }", Attrs: []string{"database"}},
		},
		Outside: outside(func(id string) string { return "ALTER SCHEMA " + id + " SET COMMENT = 'somebody'" }),
	})
}

const schema = database + "snowflake_schema \"raw\" { database = snowflake_database.market }\n"

// moved is a stack whose subject is in another schema.
func moved(stack string) string {
	head, subject, _ := strings.Cut(stack, " \"subject\" {")
	return "snowflake_schema \"other\" { database = snowflake_database.market }\n" + head + " \"subject\" {" +
		strings.Replace(subject, "snowflake_schema.raw", "snowflake_schema.other", 1)
}

func TestTableConforms(t *testing.T) {
	stack := func(columns string) string {
		return schema + "snowflake_table \"subject\" {\n schema = snowflake_schema.raw\n" + columns + "\n}"
	}
	const base = "column \"Index\" { type = \"VARCHAR(256)\" }\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }\n"
	run(t, providertest.Suite{
		Kind:   snowflake.Table,
		Create: stack(base),
		Others: []string{stack(`
			name                = "other"
			comment             = "it's"
			cluster_by          = ["a", "to_date(ts)"]
			data_retention_days = 1
			column "a" {
				type    = "string"
				comment = "it's"
			}
			column "\"Mixed Case\"" {
				type     = "int"
				nullable = false
				default  = "7"
			}
			column "c" { type = "char" }
			column "ts" { type = "datetime" }
			column "d" { type = "double precision" }
			column "v" { type = "variant" }
			column "b" { type = "boolean" }
			column "t" { type = "time" }
			column "bin" { type = "binary" }
			column "tz" { type = "timestamp_tz(3)" }
		`), stack("transient = true\n" + base)},
		Unchanged: []providertest.Step{
			{Name: "spelling and order", Stack: stack("column \"VOLUME\" { type = \"decimal(10, 2)\" }\ncolumn \"index\" { type = \"varchar(256)\" }")},
			{Name: "an old rename", Stack: stack("column \"Index\" {\n type = \"VARCHAR(256)\"\n renamed_from = \"idx\"\n}\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }")},
		},
		InPlace: []providertest.Step{
			{Name: "longer and wider", Stack: stack("column \"Index\" { type = \"VARCHAR(300)\" }\ncolumn \"Volume\" { type = \"NUMBER(12,2)\" }")},
			{Name: "add in the middle and drop", Stack: stack("column \"New\" { type = \"DATE\" }\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }")},
			{Name: "rename", Stack: stack("column \"Idx\" {\n type = \"VARCHAR(256)\"\n renamed_from = \"Index\"\n}\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }")},
			{Name: "rename once more", From: stack("column \"Key\" {\n type = \"VARCHAR(256)\"\n renamed_from = \"Idx\"\n}"), Stack: stack("column \"Name\" {\n type = \"VARCHAR(300)\"\n renamed_from = \"Key\"\n}")},
			{Name: "nullability and comments", Stack: stack("comment = \"t\"\ncolumn \"Index\" {\n type = \"VARCHAR(256)\"\n nullable = false\n comment = \"c\"\n}\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }")},
			{Name: "drop a default and not null", From: stack(base + "column \"d\" {\n type = \"FLOAT\"\n default = \"1\"\n nullable = false\n}"), Stack: stack(base + "column \"d\" { type = \"FLOAT\" }")},
			{Name: "comment of a transient one", From: stack("transient = true\n" + base), Stack: stack("transient = true\ncomment = \"t\"\n" + base), Attrs: []string{"comment"}},
			{Name: "clustering and retention", Stack: stack("cluster_by = [\"Index\"]\ndata_retention_days = 3\n" + base), Attrs: []string{"data_retention_days"}},
		},
		Replacements: []providertest.Step{
			{Name: "shorter", Stack: stack("column \"Index\" { type = \"VARCHAR(10)\" }\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }"), Want: "a shorter VARCHAR"},
			{Name: "another type", Stack: stack("column \"Index\" { type = \"DATE\" }\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }"), Want: "another type"},
			{Name: "another scale", Stack: stack("column \"Index\" { type = \"VARCHAR(256)\" }\ncolumn \"Volume\" { type = \"NUMBER(12,4)\" }"), Want: "another scale"},
			{Name: "a default", Stack: stack("column \"Index\" {\n type = \"VARCHAR(256)\"\n default = \"'x'\"\n}\ncolumn \"Volume\" { type = \"NUMBER(10,2)\" }"), Want: "a default cannot be added"},
			{Name: "another default", From: stack(base + "column \"d\" {\n type = \"FLOAT\"\n default = \"1\"\n}"), Stack: stack(base + "column \"d\" {\n type = \"FLOAT\"\n default = \"2\"\n}"), Want: "a default cannot be changed"},
			{Name: "transient", Stack: stack("transient = true\n" + base), Attrs: []string{"transient"}, Want: "once it exists"},
			{Name: "permanent", From: stack("transient = true\n" + base), Stack: stack("transient = false\n" + base), Attrs: []string{"transient"}},
			{Name: "name", Stack: stack("name = \"other\"\n" + base), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(base)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER TABLE " + id + " ADD COLUMN EXTRA FLOAT" }),
	})
}

func TestViewConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + "snowflake_table \"t\" {\n schema = snowflake_schema.raw\n column \"a\" { type = \"FLOAT\" }\n}\n" +
			"snowflake_view \"subject\" {\n schema = snowflake_schema.raw\n depends_on = [snowflake_table.t]\n" + more + "\n}"
	}
	run(t, providertest.Suite{
		Kind:      snowflake.View,
		Create:    stack(`sql = "SELECT a, a + 1 AS b FROM MARKET.RAW.T WHERE a > 0"`),
		Others:    []string{stack("name = \"other\"\n secure = true\n comment = \"it's\"\n sql = <<-SQL\n  -- the sum\n  SELECT SUM(a) AS \"Sum\" FROM market.raw.t;\n SQL")},
		Unchanged: []providertest.Step{{Name: "spacing, comments and case", Stack: stack(`sql = "select a,a+1 as b -- one more\n from Market.raw.T where a > 0;"`)}},
		InPlace: []providertest.Step{
			{Name: "comment", Stack: stack("comment = \"c\"\nsql = \"SELECT a, a + 1 AS b FROM MARKET.RAW.T WHERE a > 0\""), Attrs: []string{"comment"}},
			{Name: "secure", Stack: stack("secure = true\nsql = \"SELECT a, a + 1 AS b FROM MARKET.RAW.T WHERE a > 0\""), Attrs: []string{"secure"}},
		},
		Replacements: []providertest.Step{
			{Name: "text", Stack: stack(`sql = "SELECT a FROM MARKET.RAW.T"`), Attrs: []string{"sql"}, Want: "a view keeps its text"},
			{Name: "name", Stack: stack("name = \"other\"\nsql = \"SELECT 1 AS one\""), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(`sql = "SELECT a, a + 1 AS b FROM MARKET.RAW.T WHERE a > 0"`)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER VIEW " + id + " SET COMMENT = 'somebody'" }),
	})
}

func TestFileFormatConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + "snowflake_file_format \"subject\" {\n schema = snowflake_schema.raw\n" + more + "\n}"
	}
	run(t, providertest.Suite{
		Kind:   snowflake.FileFormat,
		Create: stack("type = \"JSON\"\noptions = { TIME_FORMAT = \"AUTO\", STRIP_OUTER_ARRAY = true }"),
		Others: []string{
			stack(`type = "json"`),
			stack("name = \"other\"\ncomment = \"it's\"\ntype = \"CSV\"\noptions = { FIELD_DELIMITER = \"|\", SKIP_HEADER = 1, NULL_IF = \"('', 'null')\", FIELD_OPTIONALLY_ENCLOSED_BY = \"\\\"\" }"),
			stack(`type = "PARQUET"`), stack(`type = "AVRO"`),
		},
		Unchanged: []providertest.Step{{Name: "defaults and case", Stack: stack("type = \"Json\"\noptions = { strip_outer_array = \"True\", MULTI_LINE = true }")}},
		InPlace: []providertest.Step{
			{Name: "options", Stack: stack("type = \"JSON\"\ncomment = \"c\"\noptions = { TIME_FORMAT = \"HH24:MI\", NULL_IF = \"('x')\" }"), Attrs: []string{"comment", `options["TIME_FORMAT"]`}},
			{Name: "no options", Stack: stack(`type = "JSON"`), Attrs: []string{`options["STRIP_OUTER_ARRAY"]`}},
		},
		Replacements: []providertest.Step{
			{Name: "type", Stack: stack(`type = "CSV"`), Want: "STOPPED_FILE_FORMAT_DROPPED"},
			{Name: "name", Stack: stack("name = \"other\"\ntype = \"JSON\""), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(`type = "JSON"`)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER FILE FORMAT " + id + " SET COMMENT = 'somebody'" }),
	})
}

// TestPlanShowsTheOptionsThatChange: what a format has by default is no change, whether the stack says it or leaves it out.
func TestPlanShowsTheOptionsThatChange(t *testing.T) {
	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": world(t).Provider})
	stack := func(options string) string {
		return schema + "snowflake_file_format \"f\" {\n schema = snowflake_schema.raw\n type = \"CSV\"\n options = { " + options + " }\n}"
	}
	b.MustApply(t, stack(`SKIP_HEADER = 1`))
	for _, step := range []struct{ options, want string }{
		{`SKIP_HEADER = 2`, `options["SKIP_HEADER"]`},
		{`SKIP_HEADER = 3, MULTI_LINE = true`, `options["SKIP_HEADER"]`},
		{`TRIM_SPACE = true, NULL_IF = "()"`, `options["NULL_IF"] options["SKIP_HEADER"] options["TRIM_SPACE"]`},
		{``, `options["NULL_IF"] options["TRIM_SPACE"]`},
	} {
		p := b.MustPlan(t, stack(step.options))
		var got []string
		for _, c := range p.Changes {
			for _, a := range c.Attrs {
				got = append(got, planner.PathText(a.Path))
			}
		}
		if text := strings.Join(got, " "); text != step.want {
			t.Errorf("%s: the plan shows %s, want %s", step.options, text, step.want)
		}
		b.MustApply(t, stack(step.options))
		b.MustBeEmpty(t, stack(step.options))
	}
}

const tenantID = "00000000-0000-0000-0000-000000000000"

func TestNotificationIntegrationConforms(t *testing.T) {
	stack := func(queue, more string) string {
		return "snowflake_notification_integration \"subject\" {\n queue = \"" + queue + "\"\n tenant_id = \"" + tenantID + "\"\n" + more + "\n}"
	}
	const queue = "https://acct.queue.core.windows.net/market-events"
	run(t, providertest.Suite{
		Kind:      snowflake.NotificationIntegration,
		Create:    stack(queue, ""),
		Others:    []string{stack("http://127.0.0.1:10001/acct/other", "name = \"other\"\nenabled = false\ncomment = \"it's\"")},
		Unchanged: []providertest.Step{{Name: "path style", Stack: stack("http://127.0.0.1:10001/acct/market-events", "")}},
		InPlace:   []providertest.Step{{Name: "enabled and comment", Stack: stack(queue, "enabled = false\ncomment = \"c\""), Attrs: []string{"enabled", "comment"}}},
		Replacements: []providertest.Step{
			{Name: "queue", Stack: stack("https://acct.queue.core.windows.net/another", ""), Want: "consent"},
			{Name: "tenant", Stack: strings.Replace(stack(queue, ""), tenantID, "11111111-0000-0000-0000-000000000000", 1), Want: "consent"},
			{Name: "name", Stack: stack(queue, "name = \"other\""), Attrs: []string{"name"}},
		},
		Outside: outside(func(id string) string { return "ALTER NOTIFICATION INTEGRATION " + id + " SET ENABLED = FALSE" }),
	})
}

func TestStorageIntegrationConforms(t *testing.T) {
	stack := func(more string) string {
		return "snowflake_storage_integration \"subject\" {\n tenant_id = \"" + tenantID + "\"\n" + more + "\n}"
	}
	const data = "azure://acct.blob.core.windows.net/data/"
	const base = "allowed_locations = [\"" + data + "\"]\n"
	run(t, providertest.Suite{
		Kind:   snowflake.StorageIntegration,
		Create: stack(base),
		Others: []string{stack("name = \"other\"\nenabled = false\ncomment = \"it's\"\nallowed_locations = [\"*\"]\nblocked_locations = [\"" + data + "secret/\", \"https://acct.blob.core.windows.net/more\"]")},
		Unchanged: []providertest.Step{
			{Name: "path style", Stack: stack(`allowed_locations = ["http://127.0.0.1:10000/acct/data"]`)},
			{Name: "order", From: stack(`allowed_locations = ["` + data + `", "` + data + `x"]`), Stack: stack(`allowed_locations = ["` + data + `x/", "` + data + `"]`)},
		},
		InPlace: []providertest.Step{
			{Name: "enabled and comment", Stack: stack(base + "enabled = false\ncomment = \"c\""), Attrs: []string{"enabled", "comment"}},
			{Name: "allowed locations", Stack: stack(`allowed_locations = ["` + data + `", "azure://acct.blob.core.windows.net/more/"]`)},
			{Name: "blocked locations", Stack: stack(base + `blocked_locations = ["` + data + `secret/"]`)},
			{Name: "no blocked locations", From: stack(base + `blocked_locations = ["` + data + `secret/"]`), Stack: stack(base)},
		},
		Replacements: []providertest.Step{
			{Name: "tenant", Stack: strings.Replace(stack(base), tenantID, "11111111-0000-0000-0000-000000000000", 1), Want: "consent"},
			{Name: "name", Stack: stack(base + `name = "other"`), Attrs: []string{"name"}},
		},
		Outside: outside(func(id string) string { return "ALTER STORAGE INTEGRATION " + id + " SET ENABLED = FALSE" }),
	})
}

func TestStageConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + "snowflake_file_format \"json\" {\n schema = snowflake_schema.raw\n type = \"JSON\"\n}\n" +
			"snowflake_stage \"subject\" {\n schema = snowflake_schema.raw\n" + more + "\n}"
	}
	const container = "container = \"https://acct.blob.core.windows.net/market-data\"\n"
	const sas = "sas {\n permissions = [\"read\", \"list\"]\n expires_in = \"90d\"\n rotate_before = \"14d\"\n}\n"
	run(t, providertest.Suite{
		Kind:   snowflake.Stage,
		Create: stack(container + "path = \"kafka-messages/\"\n" + sas),
		Others: []string{
			stack("name = \"other\"\ncontainer = \"http://127.0.0.1:10000/acct/market-data\"\nfile_format = snowflake_file_format.json\ncomment = \"it's\"\nsas {}"),
		},
		Unchanged: []providertest.Step{
			{Name: "spelling", Stack: stack("container = \"http://127.0.0.1:10000/acct/market-data\"\npath = \"/kafka-messages\"\nsas {\n permissions = [\"LIST\", \"read\"]\n expires_in = \"2160h\"\n rotate_before = \"336h\"\n}")},
		},
		InPlace: []providertest.Step{
			{Name: "token, format and comment", Stack: stack(container + "path = \"kafka-messages/\"\nfile_format = snowflake_file_format.json\ncomment = \"c\"\nsas {\n expires_in = \"30d\"\n}"), Attrs: []string{"file_format", "comment", "sas_expires_at"}},
			{Name: "path", Stack: stack(container + "path = \"other/\"\n" + sas), Attrs: []string{"path", "url"}},
			{Name: "container", Stack: stack("container = \"https://acct.blob.core.windows.net/more\"\npath = \"kafka-messages/\"\n" + sas), Attrs: []string{"container", "url"}},
			{Name: "storage integration", Stack: "snowflake_storage_integration \"azure\" {\n tenant_id = \"" + tenantID + "\"\n allowed_locations = [\"*\"]\n}\n" +
				stack(container+"path = \"kafka-messages/\"\nstorage_integration = snowflake_storage_integration.azure"), Attrs: []string{"storage_integration"}},
			{Name: "encryption", Stack: stack(container + "path = \"kafka-messages/\"\nencryption = \"azure_cse\"\nmaster_key = \"MDEyMzQ1Njc4OTAxMjM0NQ==\"\n" + sas), Attrs: []string{"encryption", "master_key"}},
			{Name: "another master key", From: stack(container + sas + "encryption = \"AZURE_CSE\"\nmaster_key = \"MDEyMzQ1Njc4OTAxMjM0NQ==\""),
				Stack: stack(container + sas + "encryption = \"AZURE_CSE\"\nmaster_key = \"YWJjZGVmZ2hpamtsbW5vcA==\""), Attrs: []string{"master_key"}},
			{Name: "no encryption", From: stack(container + sas + "encryption = \"AZURE_CSE\"\nmaster_key = \"MDEyMzQ1Njc4OTAxMjM0NQ==\""), Stack: stack(container + sas), Attrs: []string{"encryption"}},
			{Name: "later rotation", Stack: stack(container + "path = \"kafka-messages/\"\nsas {\n permissions = [\"read\", \"list\"]\n expires_in = \"90d\"\n rotate_before = \"10d\"\n}")},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: stack("name = \"other\"\n" + container + sas), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(container + "path = \"kafka-messages/\"\n" + sas)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER STAGE " + id + " SET COMMENT = 'somebody'" }),
	})
}

func TestPipeConforms(t *testing.T) {
	stack := func(attrs, copyAttrs string) string {
		return schema + `
			snowflake_file_format "json" {
				schema = snowflake_schema.raw
				type   = "JSON"
			}
			snowflake_table "t" {
				schema = snowflake_schema.raw
				column "a" { type = "FLOAT" }
			}
			snowflake_stage "s" {
				schema    = snowflake_schema.raw
				container = "https://acct.blob.core.windows.net/market-data"
				sas {}
			}
			snowflake_notification_integration "azure" {
				queue     = "https://acct.queue.core.windows.net/market-events"
				tenant_id = "` + tenantID + `"
			}
			snowflake_pipe "subject" {
				schema = snowflake_schema.raw
				` + attrs + `
				copy {
					into        = snowflake_table.t
					from        = snowflake_stage.s
					file_format = snowflake_file_format.json
					` + copyAttrs + `
				}
			}`
	}
	sql(t, embedded(t), "CREATE NOTIFICATION INTEGRATION IF NOT EXISTS ERRORS ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AZURE_EVENT_GRID "+
		"AZURE_EVENT_GRID_TOPIC_ENDPOINT = 'https://errors.westeurope-1.eventgrid.azure.net/api/events' AZURE_TENANT_ID = '"+tenantID+"'")
	const auto = "auto_ingest = true\nintegration = snowflake_notification_integration.azure\n"
	const byName = `match_by_column_name = "CASE_INSENSITIVE"`
	run(t, providertest.Suite{
		Kind:   snowflake.Pipe,
		Create: stack(auto, byName),
		Others: []string{
			stack("name = \"other\"\npaused = true\ncomment = \"it's\"", "path = \"kafka-messages\"\npattern = \".*[.]json\"\non_error = \"SKIP_FILE_10%\"\n"+byName),
		},
		Unchanged: []providertest.Step{{Name: "defaults and case", Stack: stack(auto, "match_by_column_name = \"case_insensitive\"\non_error = \"skip_file\"")}},
		InPlace: []providertest.Step{
			{Name: "paused and comment", Stack: stack(auto+"paused = true\ncomment = \"c\"", byName), Attrs: []string{"paused", "comment"}},
			{Name: "error integration", Stack: stack(auto+"error_integration = \"errors\"", byName), Attrs: []string{"error_integration"}},
			{Name: "no error integration", From: stack(auto+"error_integration = \"errors\"", byName), Stack: stack(auto, byName), Attrs: []string{"error_integration"}},
			{Name: "resumed", From: stack(auto+"paused = true", byName), Stack: stack(auto, byName), Attrs: []string{"paused"}},
		},
		Replacements: []providertest.Step{
			{Name: "copy", Stack: stack(auto, byName+"\non_error = \"CONTINUE\""), Want: "load history"},
			{Name: "auto_ingest", Stack: stack("", byName), Want: "load history"},
			{Name: "integration", Stack: "snowflake_notification_integration \"other\" {\n queue = \"https://acct.queue.core.windows.net/others\"\n tenant_id = \"" + tenantID + "\"\n}\n" +
				strings.Replace(stack(auto, byName), "integration = snowflake_notification_integration.azure", "integration = snowflake_notification_integration.other", 1), Want: "load history"},
			{Name: "name", Stack: stack("name = \"other\"\n"+auto, byName), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(auto, byName)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER PIPE " + id + " SET PIPE_EXECUTION_PAUSED = TRUE" }),
	})
}

// The two kinds of integration are told apart: one of the other kind is not there, and one that leads out is none of mkt's.
func TestIntegrationsOfOtherKinds(t *testing.T) {
	w := world(t)
	conn := w.Any.(snowflake.Connection)
	sql(t, conn, "CREATE STORAGE INTEGRATION OTHER TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = AZURE ENABLED = TRUE AZURE_TENANT_ID = '"+tenantID+"' STORAGE_ALLOWED_LOCATIONS = ('*')",
		"CREATE NOTIFICATION INTEGRATION AZURE ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = AZURE_STORAGE_QUEUE AZURE_STORAGE_QUEUE_PRIMARY_URI = 'https://acct.queue.core.windows.net/q' AZURE_TENANT_ID = '"+tenantID+"'",
		"CREATE NOTIFICATION INTEGRATION SUBJECT ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AZURE_EVENT_GRID AZURE_EVENT_GRID_TOPIC_ENDPOINT = 'https://t.westeurope-1.eventgrid.azure.net/api/events' AZURE_TENANT_ID = '"+tenantID+"'")
	for kind, want := range map[string][3]bool{ // OTHER, AZURE, SUBJECT
		"snowflake_notification_integration": {false, true, false}, "snowflake_storage_integration": {true, false, false},
	} {
		got := w.Provider.Resource(kind).Read(t.Context(), []providers.Ref{{ID: "OTHER"}, {ID: "AZURE"}, {ID: "SUBJECT"}})
		for i, g := range got {
			if there := g.State != cty.NilVal; there != want[i] {
				t.Errorf("%s %d: %#v, %v", kind, i, g.State, g.Err)
			}
		}
		if outbound := got[2].Err; (providers.CodeOf(outbound) == providers.Conflict) != (kind == "snowflake_notification_integration") {
			t.Errorf("%s that leads out: %v", kind, outbound)
		}
	}
}

func TestGrantConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + "snowflake_table \"t\" {\n schema = snowflake_schema.raw\n column \"a\" { type = \"FLOAT\" }\n}\n" +
			"snowflake_view \"v\" {\n schema = snowflake_schema.raw\n sql = \"SELECT 1 AS one\"\n}\n" +
			"snowflake_grant \"subject\" {\n" + more + "\n}"
	}
	const base = "table = snowflake_table.t\nrole = \"analyst\"\n"
	run(t, providertest.Suite{
		Kind: snowflake.Grant, Scope: func(cty.Value) string { return "market.raw" },
		Create: stack(base + `privileges = ["select", "INSERT"]`),
		Others: []string{
			stack("view = snowflake_view.v\nrole = \"\\\"Lower case\\\"\"\nprivileges = [\"SELECT\"]\nwith_grant_option = true"),
			stack("account = true\nrole = \"mkt_test\"\nprivileges = [\"EXECUTE TASK\", \"create database\"]"),
			stack("warehouse = \"COMPUTE_WH\"\nrole = \"mkt_test\"\nprivileges = [\"USAGE\"]"),
			stack("schema = snowflake_schema.raw\nrole = \"a\"\nprivileges = [\"USAGE\", \"CREATE FILE FORMAT\"]"),
			stack("database = snowflake_database.market\nrole = \"a\"\nprivileges = [\"USAGE\"]"),
		},
		Unchanged: []providertest.Step{{Name: "order and case", Stack: stack(base + `privileges = ["insert", "SELECT"]`)}},
		InPlace: []providertest.Step{
			{Name: "one more", Stack: stack(base + `privileges = ["SELECT", "INSERT", "EVOLVE  SCHEMA"]`), Attrs: []string{"privileges"}},
			{Name: "one less", Stack: stack(base + `privileges = ["SELECT"]`), Attrs: []string{"privileges"}},
			{Name: "others", Stack: stack(base + `privileges = ["UPDATE"]`), Attrs: []string{"privileges"}},
			{Name: "the option", Stack: stack(base + "privileges = [\"SELECT\", \"INSERT\"]\nwith_grant_option = true"), Attrs: []string{"with_grant_option"}},
			{Name: "no option", From: stack(base + "privileges = [\"SELECT\", \"INSERT\"]\nwith_grant_option = true"), Stack: stack(base + `privileges = ["SELECT"]`), Attrs: []string{"with_grant_option"}},
		},
		Replacements: []providertest.Step{
			{Name: "role", Stack: stack("table = snowflake_table.t\nrole = \"other\"\nprivileges = [\"SELECT\"]"), Attrs: []string{"role"}},
			{Name: "object", Stack: stack("view = snowflake_view.v\nrole = \"analyst\"\nprivileges = [\"SELECT\"]"), Want: "another object"},
		},
		Outside: outside(func(string) string { return "REVOKE INSERT ON TABLE MARKET.RAW.T FROM ROLE ANALYST" }),
	})
}

// TestGrantLeavesOthers: what somebody else granted to the role on the object is neither shown nor revoked.
func TestGrantLeavesOthers(t *testing.T) {
	w := world(t)
	conn := w.Any.(snowflake.Connection)
	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": w.Provider})
	stack := func(privileges string) string {
		return schema + "snowflake_table \"t\" {\n schema = snowflake_schema.raw\n column \"a\" { type = \"FLOAT\" }\n}\n" +
			"snowflake_grant \"a\" {\n table = snowflake_table.t\n role = \"ANALYST\"\n privileges = [" + privileges + "]\n}"
	}
	b.MustApply(t, stack(`"SELECT"`))
	sql(t, conn, "GRANT UPDATE ON TABLE MARKET.RAW.T TO ROLE ANALYST", "GRANT SELECT ON TABLE MARKET.RAW.T TO ROLE OTHERS")
	b.MustBeEmpty(t, stack(`"SELECT"`))
	b.MustApply(t, stack(`"INSERT"`))
	if got := granted(t, conn, "TABLE MARKET.RAW.T"); got != "INSERT ANALYST, OWNERSHIP ACCOUNTADMIN, SELECT OTHERS, UPDATE ANALYST" {
		t.Error(got)
	}
	sql(t, conn, "GRANT INSERT ON TABLE MARKET.RAW.T TO ROLE ANALYST WITH GRANT OPTION") // wider than the stack says
	if p := b.MustPlan(t, stack(`"INSERT"`)); p.Counts().Update != 1 {
		t.Errorf("the grant option is not seen:\n%s", providertest.Dump(p))
	}
	b.MustApply(t, strings.Split(stack(""), "snowflake_grant")[0])
	if got := granted(t, conn, "TABLE MARKET.RAW.T"); got != "OWNERSHIP ACCOUNTADMIN, SELECT OTHERS, UPDATE ANALYST" {
		t.Error(got)
	}
}

// granted lists the privileges and roles of SHOW GRANTS.
func granted(t *testing.T, conn snowflake.Connection, on string) string {
	t.Helper()
	db, err := conn.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SHOW GRANTS ON "+on)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var privilege, role string
		var rest [6]any
		if err := rows.Scan(&rest[0], &privilege, &rest[1], &rest[2], &rest[3], &role, &rest[4], &rest[5]); err != nil {
			t.Fatal(err)
		}
		list = append(list, privilege+" "+role)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

const pricesTable = "snowflake_table \"t\" {\n schema = snowflake_schema.raw\n column \"a\" { type = \"FLOAT\" }\n}\n"

func TestDynamicTableConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + pricesTable + "snowflake_dynamic_table \"subject\" {\n schema = snowflake_schema.raw\n depends_on = [snowflake_table.t]\n" + more + "\n}"
	}
	const rest = "warehouse = \"compute_wh\"\nsql = \"SELECT a, a + 1 AS b FROM MARKET.RAW.T\"\n"
	run(t, providertest.Suite{
		Kind:   snowflake.DynamicTable,
		Create: stack(rest + `target_lag = "5 minutes"`),
		Others: []string{
			stack("name = \"other\"\ncomment = \"it's\"\nrefresh_mode = \"full\"\ntarget_lag = \"downstream\"\nwarehouse = \"COMPUTE_WH\"\nsql = <<-SQL\n  -- all\n  SELECT SUM(a) AS \"Sum\" FROM market.raw.t;\n SQL"),
		},
		Unchanged: []providertest.Step{{Name: "spelling", Stack: stack("target_lag = \"5 Minute\"\nwarehouse = \"COMPUTE_WH\"\nsql = \"select a,a+1 as b -- one more\\n from Market.raw.T;\"")}},
		InPlace: []providertest.Step{
			{Name: "lag", Stack: stack(rest + `target_lag = "1 hour"`), Attrs: []string{"target_lag"}},
			{Name: "downstream", Stack: stack(rest + "comment = \"c\"\ntarget_lag = \"DOWNSTREAM\""), Attrs: []string{"target_lag", "comment"}},
			{Name: "warehouse", Stack: "snowflake_warehouse \"subject\" {}\n" + stack("target_lag = \"5 minutes\"\nwarehouse = snowflake_warehouse.subject\nsql = \"SELECT a, a + 1 AS b FROM MARKET.RAW.T\""), Attrs: []string{"warehouse"}},
		},
		Replacements: []providertest.Step{
			{Name: "query", Stack: stack("warehouse = \"compute_wh\"\ntarget_lag = \"5 minutes\"\nsql = \"SELECT a FROM MARKET.RAW.T\""), Want: "keeps its query"},
			{Name: "mode", Stack: stack(rest + "target_lag = \"5 minutes\"\nrefresh_mode = \"FULL\""), Want: "keeps its refresh mode"},
			{Name: "name", Stack: stack(rest + "name = \"other\"\ntarget_lag = \"5 minutes\""), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(rest + `target_lag = "5 minutes"`)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER DYNAMIC TABLE " + id + " SET TARGET_LAG = '7 minutes'" }),
	})
}

func TestStreamConforms(t *testing.T) {
	stack := func(more string) string {
		return schema + pricesTable + strings.Replace(pricesTable, "\"t\"", "\"u\"", 1) + "snowflake_stream \"subject\" {\n schema = snowflake_schema.raw\n" + more + "\n}"
	}
	run(t, providertest.Suite{
		Kind:      snowflake.Stream,
		Create:    stack("table = snowflake_table.t"),
		Others:    []string{stack("name = \"other\"\ncomment = \"it's\"\nappend_only = true\ntable = snowflake_table.t")},
		Unchanged: []providertest.Step{{Name: "by name", Stack: stack("table = \"market.raw.t\"\ndepends_on = [snowflake_table.t]")}},
		InPlace:   []providertest.Step{{Name: "comment", Stack: stack("comment = \"c\"\ntable = snowflake_table.t"), Attrs: []string{"comment"}}},
		Replacements: []providertest.Step{
			{Name: "table", Stack: stack("table = snowflake_table.u"), Want: "stays with its table"},
			{Name: "mode", Stack: stack("append_only = true\ntable = snowflake_table.t"), Want: "keeps its mode"},
			{Name: "name", Stack: stack("name = \"other\"\ntable = snowflake_table.t"), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack("table = snowflake_table.t")), Attrs: []string{"schema"}},
			{Name: "its table is replaced", Stack: strings.Replace(stack("table = snowflake_table.t"), "FLOAT", "DATE", 1), Want: "its table is replaced"},
		},
		Outside: outside(func(id string) string { return "ALTER STREAM " + id + " SET COMMENT = 'somebody'" }),
	})
}

func TestTaskConforms(t *testing.T) {
	task := func(name, more string) string {
		return "snowflake_task \"" + name + "\" {\n schema = snowflake_schema.raw\n warehouse = \"compute_wh\"\n depends_on = [snowflake_table.t]\n" + more + "\n}\n"
	}
	stack := func(more string) string {
		return schema + pricesTable + task("subject", more)
	}
	const sql = "sql = \"INSERT INTO MARKET.RAW.T SELECT 1\"\n"
	first := task("first", "schedule = \"60 minutes\"\n"+sql)
	second := task("second", "after = [snowflake_task.first.qualified_name]\n"+sql)
	child := func(more string) string { return stack(more+sql) + first + second }
	run(t, providertest.Suite{
		Kind:   snowflake.Task,
		Create: stack(sql + `schedule = "5 minutes"`),
		Others: []string{
			schema + pricesTable + "snowflake_task \"subject\" {\n schema = snowflake_schema.raw\n name = \"other\"\n comment = \"it's\"\n schedule = \"using cron 0 9-17/2 * * mon-fri Europe/Berlin\"\n started = false\n sql = \"TRUNCATE TABLE MARKET.RAW.T;\"\n}",
			child("after = [snowflake_task.first.qualified_name, snowflake_task.second.qualified_name]\n"),
			stack(sql + "started = false"),
		},
		Unchanged: []providertest.Step{{Name: "spelling", Stack: stack("sql = \"insert into market.raw.T\\n select 1 -- one\"\nschedule = \"5 m\"\nafter = []")}},
		InPlace: []providertest.Step{
			{Name: "schedule", Stack: stack(sql + `schedule = "USING CRON 0 9 * * * UTC"`), Attrs: []string{"schedule"}},
			{Name: "statement", Stack: stack("schedule = \"5 minutes\"\nsql = \"INSERT INTO MARKET.RAW.T SELECT 2\""), Attrs: []string{"sql"}},
			{Name: "suspend", Stack: stack(sql + "schedule = \"5 minutes\"\nstarted = false\ncomment = \"c\""), Attrs: []string{"started", "comment"}},
			{Name: "start", From: stack(sql + "schedule = \"5 minutes\"\nstarted = false"), Stack: stack(sql + "schedule = \"6 minutes\""), Attrs: []string{"started", "schedule"}},
			{Name: "no warehouse", Stack: strings.Replace(stack(sql+`schedule = "5 minutes"`), "warehouse = \"compute_wh\"\n", "", 1), Attrs: []string{"warehouse"}},
			{Name: "after another", From: stack(sql+`schedule = "5 minutes"`) + first, Stack: stack(sql+"after = [snowflake_task.first.qualified_name]") + first, Attrs: []string{"schedule", "after"}},
			{Name: "after one more", From: child("after = [snowflake_task.first.qualified_name]\n"), Stack: child("after = [snowflake_task.second.qualified_name]\n"), Attrs: []string{"after"}},
			{Name: "by the clock again", From: child("after = [snowflake_task.first.qualified_name]\n"), Stack: child("schedule = \"5 minutes\"\n"), Attrs: []string{"schedule", "after"}},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: stack(sql + "name = \"other\"\nschedule = \"5 minutes\""), Attrs: []string{"name"}},
			{Name: "schema", Stack: moved(stack(sql + `schedule = "5 minutes"`)), Attrs: []string{"schema"}},
		},
		Outside: outside(func(id string) string { return "ALTER TASK " + id + " SUSPEND" }),
	})
}
