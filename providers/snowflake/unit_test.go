package snowflake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/snowflakedb/gosnowflake/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

func TestIdent(t *testing.T) {
	for in, want := range map[string]string{
		"prices": "PRICES", `"PRICES"`: "PRICES", `"Prices"`: `"Prices"`, `market.raw."Adj Close"`: `MARKET.RAW."Adj Close"`, `"a""b".c`: `"a""b".C`, `"a.b"`: `"a.b"`, "_x$1": "_X$1",
	} {
		n, err := ParseName(in)
		if err != nil || n.String() != want {
			t.Errorf("%s: got %s, %v; want %s", in, n, err, want)
			continue
		}
		if again, err := ParseName(n.String()); err != nil || again.String() != want || again.SQL() != n.SQL() {
			t.Errorf("%s: read back as %s, %v", n, again, err)
		}
	}
	for _, in := range []string{"", "a b", "1a", `"a`, `""`, "a.", ".a", "a.b.c.d", `"a"b`, strings.Repeat("x", 256)} {
		if n, err := ParseName(in); err == nil {
			t.Errorf("%q was taken as %s", in, n)
		}
	}
}

func TestTypes(t *testing.T) {
	for in, want := range map[string]string{
		"string": "VARCHAR(16777216)", "TEXT": "VARCHAR(16777216)", "char": "VARCHAR(1)", "varchar( 256 )": "VARCHAR(256)", "number": "NUMBER(38,0)",
		"DECIMAL(10)": "NUMBER(10,0)", "int": "NUMBER(38,0)", "numeric(10, 2)": "NUMBER(10,2)", "double precision": "FLOAT", "REAL": "FLOAT", "float8": "FLOAT",
		"datetime": "TIMESTAMP_NTZ(9)", "timestamp_ntz(3)": "TIMESTAMP_NTZ(3)", "timestamp_ltz": "TIMESTAMP_LTZ(9)", "binary": "BINARY(8388608)", "time": "TIME(9)",
		"variant": "VARIANT", "boolean": "BOOLEAN", "date": "DATE",
	} {
		got := normType(text(in)).AsString()
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if again := normType(text(got)).AsString(); again != got {
			t.Errorf("%s became %s", got, again)
		}
	}
	for _, in := range []string{"", "blob", "varchar(0)", "number(39)", "number(5,6)", "date(3)", "int(4)", "varchar(a)", "time(10)", "number(1,2,3)"} {
		if checkType(text(in)) == nil {
			t.Errorf("%q was taken", in)
		}
	}
}

// TestEffects holds changes of columns against the catalogue of what Snowflake does in place.
func TestEffects(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after object
		want          spec.Act
	}{
		{"longer text", col("a", "varchar(5)"), col("a", "varchar(6)"), spec.InPlace},
		{"shorter text", col("a", "varchar(5)"), col("a", "varchar(4)"), spec.Replace},
		{"higher precision", col("a", "number(5,2)"), col("a", "number(6,2)"), spec.InPlace},
		{"lower precision", col("a", "number(5,2)"), col("a", "number(4,2)"), spec.Replace},
		{"scale", col("a", "number(5,2)"), col("a", "number(6,3)"), spec.Replace},
		{"another type", col("a", "float"), col("a", "number"), spec.Replace},
		{"time precision", col("a", "time(3)"), col("a", "time(9)"), spec.Replace},
		{"not null", col("a", "float"), col("a", "float", object{"nullable": cty.False}), spec.InPlace},
		{"null", col("a", "float", object{"nullable": cty.False}), col("a", "float"), spec.InPlace},
		{"drop default", col("a", "float", object{"default": text("1")}), col("a", "float"), spec.InPlace},
		{"add default", col("a", "float"), col("a", "float", object{"default": text("1")}), spec.Replace},
		{"change default", col("a", "float", object{"default": text("1")}), col("a", "float", object{"default": text("2")}), spec.Replace},
		{"default in other words", col("a", "float", object{"default": text("current_date ( )")}), col("a", "float", object{"default": text("CURRENT_DATE()")}), spec.Same},
		{"comment", col("a", "float"), col("a", "float", object{"comment": text("c")}), spec.InPlace},
		{"rename", col("a", "float"), col("b", "float", object{"renamed_from": text("a")}), spec.InPlace},
		{"rename and shorten", col("a", "varchar(5)"), col("b", "varchar(4)", object{"renamed_from": text("a")}), spec.Replace},
		{"drop and add", col("a", "float"), col("b", "varchar"), spec.InPlace},
		{"synonym", col("a", "text"), col("A", "string"), spec.Same},
	} {
		if got := columnsChange(cols(t, c.before), cols(t, c.after)); got.Act != c.want || got.Act == spec.Replace && got.Why == "" {
			t.Errorf("%s: got %v, want act %v", c.name, got, c.want)
		} else if strings.HasPrefix(got.Loses, "the values of A (unless B is a new name") != (c.name == "drop and add") {
			t.Errorf("%s: loses %q", c.name, got.Loses)
		}
	}
}

func TestErrorsByNumber(t *testing.T) {
	for number, want := range map[int]providers.Code{
		2002: providers.Exists, 2003: providers.NotFound, 2043: providers.NotFound, 3001: providers.Denied, 390100: providers.Denied, 390144: providers.Denied,
		390189: providers.Denied, 390111: providers.Unavailable, 390114: providers.Unavailable, 606: providers.Invalid, 1003: providers.Invalid, 2140: providers.Invalid,
		gosnowflake.ErrFailedToPostQuery: providers.Unavailable, gosnowflake.ErrCodeFailedToConnect: providers.Unconfigured, 625: providers.Conflict, 604: providers.Unknown,
	} {
		err := classify(fmt.Errorf("driver: %w", &gosnowflake.SnowflakeError{Number: number, Message: "text that says nothing"}))
		if got := providers.CodeOf(err); got != want {
			t.Errorf("%d: got %q, want %q", number, got, want)
		}
	}
	if err := classify(context.DeadlineExceeded); !providers.Transient(err) {
		t.Errorf("a deadline is not transient: %v", err)
	}
	lost := classify(&url.Error{Op: "Post", URL: "https://acct.snowflakecomputing.com/queries/v1/query-request?requestId=1", Err: io.ErrUnexpectedEOF})
	if want := "acct.snowflakecomputing.com: unexpected EOF"; !providers.Transient(lost) || lost.Error() != want {
		t.Errorf("%v, want %s", lost, want)
	}
	if err := classify(context.Canceled); providers.Transient(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancellation became %v", err)
	}
}

func TestSecretsAreCutOutOfErrors(t *testing.T) {
	err := classify(&gosnowflake.SnowflakeError{Number: 1003, Message: "syntax error near '?sv=1&sig=TOPSECRET'"}, "?sv=1&sig=TOPSECRET")
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "TOPSECRET") {
		t.Error(text)
	}
	if providers.CodeOf(err) != providers.Invalid {
		t.Error(err)
	}
	var sf *gosnowflake.SnowflakeError
	if errors.As(err, &sf) {
		t.Error("the driver's error, which has the secret, is still in the chain")
	}
}

// A short secret is cut out where it stands alone, and leaves words as they are.
func TestShortSecretsAreCutOutOfErrors(t *testing.T) {
	for _, test := range []struct {
		message, want string
		secrets       []string
	}{
		{"Incorrect username or password was specified: s", "Incorrect username or password was specified: ***", []string{"s"}},
		{"user:s@host, 's' and s", "user:***@host, '***' and ***", []string{"s"}},
		{"the name of an object, ö and ön", "the name of an object, *** and ön", []string{"ö"}},
		{"role DEV1, not DEV", "role DEV1, not ***", []string{"DEV"}},
		{"-p-p-", "***-", []string{"-p-p"}},
		{"xhunter2hunter2x", "x***x", []string{"hunter2hunter2", "hunter2"}},
		{"xhunter22x hunter2", "x***x ***", []string{"hunter2", "hunter22"}},
		{"nothing is there", "nothing is there", []string{"", "is th"}},
	} {
		if got := redact(errors.New(test.message), test.secrets).Error(); got != test.want {
			t.Errorf("%q without %q: %q, want %q", test.message, test.secrets, got, test.want)
		}
	}
}

func TestCopyIsReadBack(t *testing.T) {
	schema := Name{"MARKET", "RAW"}
	for _, c := range []struct{ definition, want string }{
		{"copy into prices from @stage", `COPY INTO "MARKET"."RAW"."PRICES" FROM @"MARKET"."RAW"."STAGE" ON_ERROR = SKIP_FILE`},
		{"COPY INTO other.t -- comment\n FROM '@raw.\"My Stage\"/a/b' FILE_FORMAT = (FORMAT_NAME = json) MATCH_BY_COLUMN_NAME=case_insensitive on_error=continue;",
			`COPY INTO "MARKET"."OTHER"."T" FROM @"MARKET"."RAW"."My Stage"/a/b/ FILE_FORMAT = (FORMAT_NAME = '"MARKET"."RAW"."JSON"') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = CONTINUE`},
		{`COPY INTO A.B.C FROM @D.E.F/x-y/ PATTERN = '.*[.]json' FILE_FORMAT = (FORMAT_NAME = '"D"."E"."f"') ON_ERROR = 'SKIP_FILE_5%' TRUNCATECOLUMNS = TRUE`,
			`COPY INTO "A"."B"."C" FROM @"D"."E"."F"/x-y/ PATTERN = '.*[.]json' FILE_FORMAT = (FORMAT_NAME = '"D"."E"."f"') ON_ERROR = 'SKIP_FILE_5%' TRUNCATECOLUMNS = TRUE`},
	} {
		got, err := parseCopy(c.definition, schema)
		if err != nil || got.SQL() != c.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.definition, got.SQL(), err, c.want)
			continue
		}
		if again, err := parseCopy(got.SQL(), schema); err != nil || again.SQL() != got.SQL() {
			t.Errorf("read back as %s, %v", again.SQL(), err)
		}
	}
	for _, d := range []string{"", "COPY INTO t FROM (SELECT $1 FROM @s)", "COPY INTO t FROM @s FILE_FORMAT = (TYPE = JSON)", "COPY INTO t (a) FROM @s", "COPY INTO t FROM @s PURGE = TRUE"} {
		if _, err := parseCopy(d, schema); err == nil {
			t.Errorf("%q was taken", d)
		}
	}
}

func FuzzSQLText(f *testing.F) {
	for _, s := range []string{"SELECT a - -1, 'it''s' FROM \"x\" -- c\n/* d */;", "$$ raw $$", "COPY INTO a FROM @b/c-d ON_ERROR = 'SKIP_FILE_5%'", "create view v(a) as select 1", "LINEAR(a, f(b, c))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := canonical(s)
		if twice := canonical(once); twice != once {
			t.Fatalf("%q became %q and then %q", s, once, twice)
		}
		_ = viewQuery(s)
		clusterBy(s)
		if c, err := parseCopy(s, Name{"D", "S"}); err == nil {
			if again, err := parseCopy(c.SQL(), Name{"D", "S"}); err != nil || again.SQL() != c.SQL() {
				t.Fatalf("%q became %q and then %q, %v", s, c.SQL(), again.SQL(), err)
			}
		}
		for _, norm := range []func(cty.Value) cty.Value{normName, normType, normSize, normPath, normDuration, normStorageURL("blob"), canonicalExpr} {
			v := norm(cty.StringVal(s))
			if again := norm(v); !again.RawEquals(v) {
				t.Fatalf("the normal form of %q is %#v, and that one's is %#v", s, v, again)
			}
		}
	})
}

func TestChecks(t *testing.T) {
	for name, err := range map[string]error{
		"on_error":            checkOnError(text("abort_statement")),
		"purge":               checkCopyOptions(mapValue(map[string]string{"purge": "true"})),
		"force":               checkCopyOptions(mapValue(map[string]string{"FORCE": "TRUE"})),
		"validation_mode":     checkCopyOptions(mapValue(map[string]string{"VALIDATION_MODE": "RETURN_ERRORS"})),
		"unknown copy option": checkCopyOptions(mapValue(map[string]string{"nonsense": "1"})),
		"format option":       checkOptions(mapValue(map[string]string{"nonsense": "1"})),
		"list":                checkOptions(mapValue(map[string]string{"NULL_IF": "null"})),
		"injection":           checkOptions(mapValue(map[string]string{"COMPRESSION": "AUTO; DROP TABLE T"})),
		"tenant":              checkTenant(text("me")),
		"container":           Stage.Attr("container").Check(text("https://acct.blob.core.windows.net/")),
		"sas permission":      checkPermissions(list([]string{"read", "everything"})),
		"schema":              Table.Attr("schema").Check(text("raw")),
		"copy path":           copyAttrs[2].Check(text("a; b")),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	stage := value(t, stageKind, object{"schema": text("m.r"), "name": text("s"), "container": text("https://a.blob.core.windows.net/c"),
		"sas": block(t, stageKind, "sas", object{"expires_in": text("1d"), "rotate_before": text("2d")})})
	if got := checkStage(stage); len(got) != 1 {
		t.Errorf("rotate_before beyond expires_in: %v", got)
	}
	table := value(t, tableKind, object{"schema": text("m.r"), "name": text("s"), "column": cols(t, col("Adj", "float"), col("ADJ", "date"))})
	if got := checkColumns(table); len(got) != 1 {
		t.Errorf("one name twice: %v", got)
	}
	for days, want := range map[string]int{"0": 0, "1": 0, "2": 1} {
		table := value(t, tableKind, object{"schema": text("m.r"), "name": text("s"), "column": cols(t, col("Adj", "float")), "transient": cty.True, "data_retention_days": integer(days)})
		if got := Table.Check(table); len(got) != want {
			t.Errorf("a transient table with %s days of time travel: %v", days, got)
		}
	}
	pipe := value(t, pipeKind, object{"schema": text("m.r"), "name": text("s"), "auto_ingest": cty.True, "copy": block(t, pipeKind, "copy", object{"into": text("a.b.c"), "from": text("a.b.d")})})
	if got := Pipe.Check(pipe); len(got) != 1 {
		t.Errorf("auto_ingest without integration: %v", got)
	}
	format := value(t, fileFormatKind, object{"schema": text("m.r"), "name": text("f"), "type": text("JSON"), "options": mapValue(map[string]string{"SKIP_HEADER": "1"})})
	if got := FileFormat.Check(format); len(got) != 1 {
		t.Errorf("an option of CSV on JSON: %v", got)
	}
}
