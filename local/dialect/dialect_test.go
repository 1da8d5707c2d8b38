package dialect_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"mkt/local/dialect"
)

// warehouse opens a database with the macros, the settings and a small price table.
func warehouse(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	setup := append(dialect.Settings(), dialect.Macros()...)
	setup = append(setup,
		`CREATE TABLE "PRICES" ("INDEX" VARCHAR, "DATE" DATE, "OPEN" DOUBLE, "HIGH" DOUBLE, "LOW" DOUBLE, "CLOSE" DOUBLE, "VOLUME" DECIMAL(38,0))`,
		`INSERT INTO "PRICES" VALUES
			('NYA', '2020-01-30', 10, 12, 9, 10, 100), ('NYA', '2020-01-31', 10, 11, 8, 11, 200), ('NYA', '2020-02-03', 11, 13, 10, 12.5, 0),
			('NYA', '2020-02-04', 12, 13, 11, 11, 400), ('NYA', '2021-02-03', 20, 22, 19, 25, 500),
			('GSPTSE', '2020-01-30', 100, 120, 90, 100, NULL), ('GSPTSE', '2020-01-31', 100, 110, 80, 90, 20), ('GSPTSE', '2020-02-03', 90, 95, 85, 99, 30)`,
		`CREATE TABLE "EVENTS" ("V" JSON)`,
		`INSERT INTO "EVENTS" VALUES ('{"a":{"b":7,"s":"x y"},"items":[{"p":1.5},{"p":2}],"n":null,"Key":"k"}')`,
		`CREATE TABLE "Mixed" ("Adj_Close" DOUBLE, "ADJ" VARCHAR)`,
		`INSERT INTO "Mixed" VALUES (1.5, 'a')`,
		`CREATE TABLE "TICKS" ("TS" TIMESTAMP, "N" DOUBLE)`,
		`INSERT INTO "TICKS" VALUES ('2020-01-01 10:07:31', 1), ('2020-01-01 10:14:00', 2), ('2020-01-01 10:16:00', NULL), ('2020-01-05 00:00:00', 4)`,
	)
	for _, s := range setup {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

// rows runs a Snowflake query and writes its rows as text, cells cut by |, rows by ;.
func rows(db *sql.DB, query string) (cols []string, out string, err error) {
	text, err := dialect.Rewrite(query)
	if err != nil {
		return nil, "", err
	}
	r, err := db.Query(text)
	if err != nil {
		return nil, "", fmt.Errorf("%w\nrewritten: %s", err, text)
	}
	defer r.Close()
	if cols, err = r.Columns(); err != nil {
		return nil, "", err
	}
	var all []string
	for r.Next() {
		v := make([]any, len(cols))
		p := make([]any, len(cols))
		for i := range v {
			p[i] = &v[i]
		}
		if err := r.Scan(p...); err != nil {
			return nil, "", err
		}
		cells := make([]string, len(v))
		for i, c := range v {
			cells[i] = cell(c)
		}
		all = append(all, strings.Join(cells, "|"))
	}
	if err := r.Err(); err != nil {
		return nil, "", fmt.Errorf("%w\nrewritten: %s", err, text)
	}
	return cols, strings.Join(all, ";"), nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.4f", v), "0"), ".")
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format("2006-01-02")
		}
		return v.Format("2006-01-02 15:04:05")
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprint(v)
}

func TestAnalytics(t *testing.T) {
	db := warehouse(t)
	for _, c := range []struct{ name, query, want string }{
		{"moving average", `select "DATE", avg(close) over (partition by index order by date rows between 1 preceding and current row) ma from prices where index = 'GSPTSE' order by date`,
			"2020-01-30|100;2020-01-31|95;2020-02-03|94.5"},
		{"volatility", `with r as (select index, date, ln(close / lag(close) over (partition by index order by date)) as ret from prices)
			select index, round(stddev(ret) * sqrt(252), 4) vol from r group by index order by 1`, "GSPTSE|2.2525;NYA|6.5187"},
		{"drawdown", `select date, close / max(close) over (partition by index order by date) - 1 as dd from prices where index='GSPTSE' order by date`,
			"2020-01-30|0;2020-01-31|-0.1;2020-02-03|-0.01"},
		{"year on year", `select c.date, c.close / p.close - 1 yoy from prices c join prices p on p.index = c.index and p.date = dateadd(year, -1, c.date) where c.index = 'NYA' order by 1`,
			"2021-02-03|1"},
		{"gaps", `select date, datediff('day', lag(date) over (partition by index order by date), date) gap from prices where index='NYA' qualify gap > 3 order by date`,
			"2021-02-03|365"},
		{"top n", `select index, date, close from prices qualify row_number() over (partition by index order by close desc) <= 2 order by index, close desc`,
			"GSPTSE|2020-01-30|100;GSPTSE|2020-02-03|99;NYA|2021-02-03|25;NYA|2020-02-03|12.5"},
		{"correlation", `select round(corr(a.close, b.close), 3) from prices a join prices b using (date) where a.index = 'NYA' and b.index = 'GSPTSE'`, "0.024"},
		{"monthly rollup", `select index, date_trunc('month', date) m, min(low) low, max(high) high, max_by(close, date) cl, min_by(open, date) op, sum(volume) v
			from prices where index = 'NYA' group by 1, 2 order by 1, 2`,
			"NYA|2020-01-01|8|12|11|10|300;NYA|2020-02-01|10|13|11|11|400;NYA|2021-02-01|19|22|25|20|500"},
		{"count per group", `select index, count(*) as n, count(distinct date) d, count(volume) from prices group by index having n > 1 order by index`, "GSPTSE|3|3|2;NYA|5|5|5"},
		{"iff", `select iff(close > open, 'up', 'down') dir, count(*) from prices group by dir order by 1`, "down|4;up|4"},
		{"nvl and friends", `select nvl(null, 1), nvl2(null, 1, 2), zeroifnull(null), nullifzero(0), coalesce(null, 5), ifnull(null, 6)`, "1|2|0|-|5|6"},
		{"div0", `select div0(1, 0), div0(6, 3), div0null(1, null), div0(null, 0)`, "0|2|0|-"},
		{"equal null", `select equal_null(null, null), equal_null(1, null)`, "true|false"},
		{"decode", `select distinct index, decode(index, 'NYA', 'New York', 'GSPTSE', 'Toronto', '?') from prices order by 1`, "GSPTSE|Toronto;NYA|New York"},
		{"add months", `select add_months('2020-02-29'::date, 1), add_months(to_date('2020-01-31'), 1), add_months(date '2020-01-15', -1)`, "2020-03-31|2020-02-29|2019-12-15"},
		{"time slice", `select time_slice(ts, 15, 'minute') s, count(*) from ticks group by 1 order by 1`, "2020-01-01 10:00:00|2;2020-01-01 10:15:00|1;2020-01-05|1"},
		{"time slice end", `select time_slice(date '2020-01-08', 1, 'week', 'END')`, "2020-01-13"},
		{"dateadd types", `select dateadd(day, 1, date) d, dateadd('hour', 1, date) h, dateadd(month, 1, '2020-01-31') from prices where index='NYA' and volume = 100`,
			"2020-01-31|2020-01-30 01:00:00|2020-02-29"},
		{"datediff boundaries", `select datediff(year, '2019-12-31', '2020-01-01'), datediff(month, '2020-01-31', '2020-02-01'), datediff(week, '2020-01-05', '2020-01-06'), datediff(hour, '2020-01-01 00:59:00', '2020-01-01 01:00:00'), datediff(quarter, '2020-03-31', '2020-04-01')`,
			"1|1|1|1|1"},
		{"date trunc", `select date_trunc(quarter, date '2020-05-17'), trunc(date '2020-05-17', 'year'), date_trunc('hour', ts) from ticks limit 1`, "2020-04-01|2020-01-01|2020-01-01 10:00:00"},
		{"last day and names", `select last_day(date '2020-02-03'), last_day(date '2020-02-03', 'year'), dayname(date '2020-02-03'), monthname(date '2020-02-03')`, "2020-02-29|2020-12-31|Mon|Feb"},
		{"date parts", `select year(date), quarter(date), month(date), day(date), dayofweek(date), dayofweekiso(date), weekiso(date), extract(dow from date), date_part('epoch', date) from prices where volume = 500`,
			"2021|1|2|3|3|3|5|3|1612310400"},
		{"to date", `select to_date('03/02/2020', 'DD/MM/YYYY'), try_to_date('nonsense'), to_date('2020-02-03'), try_to_date('99', 'YYYY-MM-DD'), to_timestamp('2020-02-03 04:05:06', 'YYYY-MM-DD HH24:MI:SS'), to_timestamp(1580702706), to_timestamp_ntz('1580702706')`,
			"2020-02-03|-|2020-02-03|-|2020-02-03 04:05:06|2020-02-03 04:05:06|2020-02-03 04:05:06"},
		{"to char", `select to_char(date '2020-02-03', 'DD-MON-YYYY'), to_varchar(1.0::float), to_char(true), to_char('2020-02-03'::timestamp_ntz, 'YYYY-MM'), (2.5::float)::varchar(2)`,
			"03-Feb-2020|1|true|2020-02|2."},
		{"to number", `select to_number('12.6'), to_number('12.345', 10, 2), try_to_number('x'), '7'::int + 1, try_cast('x' as float), cast('1.5' as number(4,1))`, "13|12.35|-|8|-|1.5"},
		{"listagg", `select index, listagg(close, ',') within group (order by date desc) from prices where date < '2020-02-03' group by index order by 1`, "GSPTSE|90,100;NYA|11,10"},
		{"listagg distinct over", `select distinct listagg(distinct index, '/') within group (order by index) over () from prices`, "GSPTSE/NYA"},
		{"array agg", `select array_agg(volume) within group (order by date) from prices where index = 'GSPTSE'`, "[20 30]"},
		{"ratio to report", `select date, ratio_to_report(volume) over (partition by index) r from prices where index='GSPTSE' order by 1`, "2020-01-30|-;2020-01-31|0.4;2020-02-03|0.6"},
		{"ignore nulls", `select ts, last_value(n) ignore nulls over (order by ts rows between unbounded preceding and current row) f, lag(n ignore nulls) over (order by ts) from ticks order by ts`,
			"2020-01-01 10:07:31|1|-;2020-01-01 10:14:00|2|1;2020-01-01 10:16:00|2|2;2020-01-05|4|2"},
		{"first and last value frame", `select distinct first_value(close) over (partition by index order by date), last_value(close) over (partition by index order by date) from prices where index = 'NYA'`, "10|25"},
		{"percentiles", `select median(close), percentile_cont(0.25) within group (order by close), percentile_disc(0.5) within group (order by close), percentile_cont(0.25) within group (order by close desc) from prices where index = 'GSPTSE'`,
			"99|94.5|99|99.5"},
		{"percentile over", `select distinct index, percentile_cont(0.5) within group (order by close) over (partition by index) from prices order by 1`, "GSPTSE|99;NYA|11"},
		{"variance", `select round(variance(close), 2), round(stddev_pop(close), 2), round(covar_samp(open, close), 2), round(regr_slope(close, open), 2) from prices where index = 'GSPTSE'`, "30.33|4.5|-13.33|-0.4"},
		{"pivot", `select * from (select index, year(date) y, close from prices) pivot (max(close) for index in ('NYA', 'GSPTSE')) order by y`, "2020|12.5|100;2021|25|-"},
		{"unpivot", `select index, what, price from prices unpivot (price for what in (open, close)) where volume = 500 order by what`, "NYA|CLOSE|25;NYA|OPEN|20"},
		{"compound return", `select index, round(exp(sum(ln(1 + r))) - 1, 4) from (select index, close / lag(close) over (partition by index order by date) - 1 r from prices) group by index order by 1`, "GSPTSE|-0.01;NYA|1.5"},
		{"true range", `select date, greatest(high - low, abs(high - lag(close) over (partition by index order by date))) tr from prices where index = 'GSPTSE' order by date`,
			"2020-01-30|-;2020-01-31|30;2020-02-03|10"},
		{"volume weighted price", `select sum(close * volume) / sum(volume) vwap from prices where volume > 400`, "25"},
		{"words that are keywords elsewhere", `select top.first, last, row_count, end_date - date as diff from (select date, close first, open last, 3 row_count, date + 1 end_date from prices where volume = 500) top`, "25|20|3|1"},
		{"missing days", `with recursive d as (select min(date) d from prices union all select dateadd(day, 1, d) from d where d < '2020-02-02') select count(*) from d left join prices p on p.date = d.d and p.index = 'NYA' where p.date is null`, "2"},
		{"lateral subquery", `select p1.close, m from prices p1, lateral (select max(close) m from prices p2 where p2.index = p1.index and p2.date < p1.date) where p1.volume = 500`, "25|12.5"},
		{"variant path", `select v:a.b::int, v:a.s::varchar, v:items[1].p::float, v['Key']::string, v:n::int, v:missing is null, v:a from events`, "7|x y|2|k|-|true|map[b:7 s:x y]"},
		{"flatten", `select f.value:p::float p, f.index from events, lateral flatten(input => v:items) f order by 2`, "1.5|0;2|1"},
		{"table flatten", `select sum(value:p::float) from events, table(flatten(input => events.v, path => 'items'))`, "3.5"},
		{"date spine", `select dateadd(day, seq4(), '2020-01-01'::date) d from table(generator(rowcount => 3)) order by 1`, "2020-01-01;2020-01-02;2020-01-03"},
		{"interval", `select date + interval '1 month', date - interval '2 days, 1 week' from prices where volume = 500`, "2021-03-03|2021-01-25"},
		{"range window", `select date, sum(close) over (order by date range between interval '3 days' preceding and current row) from prices where index = 'NYA' and date < '2021-01-01' order by 1`,
			"2020-01-30|10;2020-01-31|21;2020-02-03|23.5;2020-02-04|23.5"},
		{"asof join", `select t.ts, p.close from ticks t asof join (select to_timestamp('2020-01-01 10:10:00') ts, 5 close) p match_condition (t.ts >= p.ts) order by 1`,
			"2020-01-01 10:07:31|-;2020-01-01 10:14:00|5;2020-01-01 10:16:00|5;2020-01-05|5"},
		{"islands", `with g as (select index, date, close, conditional_true_event(close < open) over (partition by index order by date) grp from prices)
			select index, grp, count(*) from g group by all order by 1, 2`, "GSPTSE|0|1;GSPTSE|1|2;NYA|0|3;NYA|1|2"},
		{"recursive", `with recursive n(i) as (select 1 union all select i + 1 from n where i < 4) select sum(i) from n`, "10"},
		{"null order", `select volume from prices where index = 'GSPTSE' order by volume desc`, "-;30;20"},
		{"set operations", `select index from prices minus select 'NYA' union select 'X' order by 1`, "GSPTSE;X"},
		{"like any", `select count(*) from prices where index like any ('N%', 'G%') and index ilike 'ny_'`, "5"},
		{"regexp", `select regexp_like('abc', 'b'), 'abc' rlike 'a.c', regexp_replace('a1b2', '[0-9]'), regexp_substr('x12', '[0-9]+'), regexp_count('a1b2', '[0-9]'), 'abc' not regexp 'b'`, "false|true|ab|12|2|true"},
		{"strings", `select upper('a') || 'b', concat('a', null), left('abc', 2), split_part('a,b', ',', 2), contains('abc', 'b'), position('b' in 'abc'), lpad(7, 3, '0'), replace('a-b', '-'), 'it''s', 'tab\t', $$raw 'x'$$`,
			"Ab|-|ab|b|true|2|007|ab|it's|tab\t|raw 'x'"},
		{"greatest", `select greatest(1, 2, null), least(3, 2), greatest_ignore_nulls(1, null), width_bucket(5, 0, 10, 5), mod(7, 3), 7 / 2, floor(1.57, 1)`, "-|2|1|3|1|3.5|1.5"},
		{"rollup", `select index, sum(volume) from prices group by rollup(index) order by 1`, "GSPTSE|50;NYA|1200;-|1250"},
		{"exclude", `select * exclude (open, high, low, volume) from prices where volume = 500`, "NYA|2021-02-03|25"},
		{"quoted names", `select "Adj_Close", adj from "Mixed" as m where m."Adj_Close" = 1.5`, "1.5|a"},
		{"scalar subquery", `select index from prices where close = (select max(close) from prices) and exists (select 1 from ticks)`, "GSPTSE"},
		{"case", `select case when close > 50 then 'big' else 'small' end size, case index when 'NYA' then 1 end::int from prices where volume in (500, 30) order by 1`, "big|-;small|1"},
		{"days between", `select months_between('2020-03-31', '2020-02-29'), next_day('2020-02-03', 'Fr'), previous_day('2020-02-03', 'mo'), date '2020-02-03' - date '2020-02-01', date '2020-02-03' + 1, date_from_parts(2020, 13, 1)`,
			"1|2020-02-07|2020-01-27|2|2020-02-04|2021-01-01"},
		{"week buckets", `select date_trunc('week', date) w, avg(close) over (partition by date_trunc('week', date)) from prices where index='GSPTSE' order by 1, 2`, "2020-01-27|95;2020-01-27|95;2020-02-03|99"},
		{"fetch", `select close from prices order by close desc offset 1 rows fetch first 1 rows only`, "99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got, err := rows(db, c.query)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				text, _ := dialect.Rewrite(c.query)
				t.Errorf("got  %s\nwant %s\nrewritten: %s", got, c.want, text)
			}
		})
	}
}

func TestColumnNames(t *testing.T) {
	db := warehouse(t)
	cols, _, err := rows(db, `select count(*), index, p.date, max(close) as "Max", close + 1, (select max(n) from ticks), 'a' from prices p group by 2, 3, 5 limit 1`)
	if err != nil {
		t.Fatal(err)
	}
	want := "COUNT(*);INDEX;DATE;Max;CLOSE + 1;(SELECT MAX(N) FROM TICKS);'A'"
	if got := strings.Join(cols, ";"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ query, what string }{
		{`select * from t sample (10)`, "SAMPLE"},
		{`select * from t tablesample (10)`, "TABLESAMPLE"},
		{`select $1 from t`, "the variable or column by position $1"},
		{`select * from @stage`, "a stage in a query"},
		{`select hash_agg(a) from t`, "function HASH_AGG"},
		{`select db.udf(a) from t`, "function db.udf"},
		{`select random()`, "function RANDOM"},
		{`select top 5 * from t`, "TOP"},
		{`select * from t at (timestamp => '2020-01-01'::timestamp)`, "time travel (AT)"},
		{`select * from t start with a = 1 connect by prior a = b`, "CONNECT BY"},
		{`select * from t match_recognize (pattern (a))`, "MATCH_RECOGNIZE"},
		{`select * from a, b where a.x = b.x(+)`, ""},
		{`select a from t where v:a > 1`, "a VARIANT value without a cast in an expression (write v:path::TYPE)"},
		{`select max(v:a) from t`, "a VARIANT value without a cast in MAX (write v:path::TYPE)"},
		{`select dateadd(nanosecond, 1, d) from t`, "date part NANOSECOND"},
		{`select to_char(n, '999.00') from t`, "format '999.00'"},
		{`select to_date(d, fmt) from t`, "a format that is not a literal"},
		{`select x::geography from t`, "type GEOGRAPHY"},
		{`select upper(a) over (order by b) from t`, "OVER behind UPPER"},
		{`select sum(a) within group (order by b) from t`, "WITHIN GROUP behind SUM"},
		{`select sum(a) ignore nulls over () from t`, "IGNORE NULLS behind SUM"},
		{`select lag(a) from t`, "LAG without OVER"},
		{`select * from table(result_scan('x'))`, "table function result_scan"},
		{`select {'a': 1}`, "literal in {}"},
		{`select [1, 2]`, "literal in []"},
		{`create table t (a int)`, "statement CREATE"},
		{`select 1; select 2`, "more than one statement"},
		{`select * from t pivot (sum(a) for b in (any))`, "PIVOT over ANY"},
		{`select * from a asof join b match_condition (a.t >= b.t) using (c)`, "ASOF JOIN with USING"},
		{`select flatten(v) from t, lateral flatten(input => v, recursive => true)`, ""},
		{`select date + interval 'a while' from t`, "interval 'a while'"},
		{`select regexp_substr(a, 'b', 1, 2) from t`, "function REGEXP_SUBSTR with this number of arguments"},
		{`select * from t for update`, "FOR UPDATE"},
		{`select $name`, "the variable or column by position $name"},
		{`select a from t connect by prior a = b`, "CONNECT BY"},
		{`select sum(a) from t, table(flatten(input => ))`, "an argument of FLATTEN without a name"},
		{`select a from t natural asof join u`, "NATURAL ASOF JOIN"},
		{`select v[a] from t`, "an expression as index"},
		{`select get(v, a) from t`, "GET with an expression as key"},
		{`select to_number(a, '99') from t`, "a number format"},
		{`select upper(a => 1)`, "argument A =>"},
		{`select 1 into x`, "SELECT INTO"},
	} {
		got, err := dialect.Rewrite(c.query)
		var u *dialect.Unsupported
		if !errors.As(err, &u) {
			t.Errorf("%s: want a refusal, got %q, %v", c.query, got, err)
			continue
		}
		if c.what != "" && u.What != c.what {
			t.Errorf("%s:\n got %q\nwant %q", c.query, u.What, c.what)
		}
		if u.Line != 1 || u.Col < 1 {
			t.Errorf("%s: position %d:%d", c.query, u.Line, u.Col)
		}
	}
}

func TestDivisionByZeroFails(t *testing.T) {
	db := warehouse(t)
	if _, got, err := rows(db, `select close / volume from prices where volume = 0`); err == nil || !strings.Contains(err.Error(), "Division by zero") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, got, err := rows(db, `select close / volume from prices where volume is null`); err != nil || got != "-" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDML(t *testing.T) {
	db := warehouse(t)
	for _, q := range []string{
		`insert into ticks (ts, n) select '2022-01-01'::timestamp_ntz, iff(true, 9, 0)`,
		`insert into ticks (ts, n) values ('2022-01-02'::timestamp_ntz, nvl(null, 3))`,
		`update ticks set n = n + 1 where year(ts) = 2022`,
		`delete from ticks where ts < dateadd(year, -1, '2022-06-01'::timestamp)`,
	} {
		text, err := dialect.Rewrite(q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if _, err := db.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if _, got, err := rows(db, "select count(*), sum(n) from ticks"); err != nil || got != "2|14" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestType(t *testing.T) {
	for in, want := range map[string]string{
		"number": "AS DECIMAL(38,0))", "NUMBER(10, 2)": "AS DECIMAL(10,2))", "float": "AS DOUBLE)", "Varchar(256)": "substr(mkt_text(", "timestamp_ntz(9)": "AS TIMESTAMP)",
		"double precision": "AS DOUBLE)", "VARIANT": "to_json(", "boolean": "AS BOOLEAN)", "int": "AS DECIMAL(38,0))", "binary(8)": "AS BLOB)", "timestamp_ltz": "AS TIMESTAMPTZ)", "TIMESTAMPTZ": "mkt_tz(",
	} {
		if got, err := dialect.Rewrite("SELECT x::" + in); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "geography", "number(50)", "number(5,9)", "varchar(x)"} {
		if got, err := dialect.Rewrite("SELECT x::" + in); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		}
	}
}
