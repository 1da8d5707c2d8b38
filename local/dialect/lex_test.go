package dialect_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"mkt/local/dialect"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"select 1; select 2;", []string{"select 1", "select 2"}},
		{"select ';', \"a;b\" -- ; no\n; /* ; */ ;; select $$;$$", []string{"select ';', \"a;b\" -- ; no", "select $$;$$"}},
		{`select 'it''s;' , 'a\';b'`, []string{`select 'it''s;' , 'a\';b'`}},
		{"  -- nothing\n", nil},
	} {
		got, err := dialect.Split(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	toks, err := dialect.Tokens("a.\"b\"\"c\" = 'x\\n\\x41\\u00e9\\101''' // end\n  >= 1.5e3 :: ?")
	if err != nil {
		t.Fatal(err)
	}
	type tok struct {
		kind      dialect.Kind
		value     string
		line, col int
	}
	want := []tok{
		{dialect.Ident, "A", 1, 1}, {dialect.Operator, ".", 1, 2}, {dialect.Quoted, `b"c`, 1, 3}, {dialect.Operator, "=", 1, 10},
		{dialect.String, "x\nAéA'", 1, 12}, {dialect.Comment, "// end", 1, 34}, {dialect.Operator, ">=", 2, 3},
		{dialect.Number, "1.5e3", 2, 6}, {dialect.Operator, "::", 2, 12}, {dialect.Param, "?", 2, 15},
	}
	var got []tok
	for _, k := range toks {
		got = append(got, tok{k.Kind, k.Value, k.Line, k.Col})
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for in, what := range map[string]string{
		"select 'a": "string does not end", "select \"a": "quoted identifier does not end", "/* a": "comment does not end",
		"select (1": "( is not closed", "select 1)": "unexpected )", "select $$a": "$$ string does not end", "": "the statement is empty",
		"select case when 1": "CASE has no END", "select a.": "a name is missing after .", "select \x00": `unexpected "\x00"`,
	} {
		_, err := dialect.Rewrite(in)
		var s *dialect.SyntaxError
		if !errors.As(err, &s) || !strings.HasPrefix(s.What, strings.Split(what, `"`)[0]) {
			t.Errorf("%q: got %v, want %s", in, err, what)
		}
	}
	if _, err := dialect.Rewrite(strings.Repeat("(", 100_000)); err == nil {
		t.Error("nesting without end was taken")
	}
}

func FuzzRewrite(f *testing.F) {
	for _, s := range []string{
		"select a, count(*) from t where v:a.b::int > 1 group by 1;", "with x as (select case when a then 'b' end) select * from x",
		"select listagg(distinct a, ',') within group (order by a) over (partition by b)", "select d + interval '1 day' / 2 % -x",
		"select cast(a as number(3,2)), try_cast(b as x), extract(year from d), table(generator(rowcount => 1))", "$$ ; $$ -- x",
		"x like any ('a', b) pivot (sum(a) for b in ('c'))", "a asof join b match_condition (a >= b) on c", "lateral flatten(input => v:a, path => 'b')",
		"case case end end", "get(v, 'a'):b[0]['c']", "percentile_cont(.5) within group (order by a desc)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if toks, err := dialect.Tokens(s); err == nil {
			for _, k := range toks {
				if s[k.Pos:k.Pos+len(k.Text)] != k.Text || k.Text == "" {
					t.Fatalf("token %+v is not in %q", k, s)
				}
			}
		}
		_, _ = dialect.Split(s)
		out, err := dialect.Rewrite(s)
		if err != nil {
			return
		}
		// In DuckDB's strings a backslash is a character like any other.
		if _, err := dialect.Tokens(strings.ReplaceAll(out, `\`, "x")); err != nil {
			t.Fatalf("%q became %q: %v", s, out, err)
		}
	})
}
