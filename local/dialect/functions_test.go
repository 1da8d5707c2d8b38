package dialect_test

import "testing"

// Functions and clauses that the analyses of TestAnalytics do without.
func TestFunctions(t *testing.T) {
	db := warehouse(t)
	for _, c := range []struct{ query, want string }{
		{`select pi(), degrees(pi()), radians(180), sin(0), cos(0), tan(0), asin(1), acos(1), atan(1), atan2(1, 1), cbrt(27), square(3)`, "3.1416|180|3.1416|0|1|0|1.5708|0|0.7854|0.7854|3|9"},
		{`select nullif(1, 1), booland(true, false), boolor(true, false), boolnot(true), least_ignore_nulls(3, null, 2)`, "-|false|true|false|2"},
		{`select trunc(1.57, 1), trunc(1.57), truncate(-1.57, 1), round(2.5), round(1234, -2)`, "1.5|1|-1.5|3|1200"},
		{`select ascii('A'), chr(65), char(66), ltrim(' a '), rtrim(' a '), ltrim('xxa', 'x'), rpad('a', 3), rpad('a', 3, 'b'), substring('abc', 2), substring('abc', 2, 1), charindex('b', 'abc'), rlike('abc', 'a.c')`,
			"65|A|B|a | a|a|a  |abb|bc|b|2|true"},
		{`select md5('a'), sha2('a'), hex_encode('a'), length(uuid_string())`, "0cc175b9c0f1b6a831c399e269772661|ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb|61|36"},
		{`select to_boolean('true'), to_boolean(0), try_to_boolean('x'), to_double('1.5'), try_to_double('x'), to_decimal('1.25', 5, 1), to_numeric('7'), try_to_decimal('x'), try_to_numeric('x')`, "true|false|-|1.5|-|1.3|7|-|-"},
		{`select hour(ts), minute(ts), second(ts), dayofmonth(ts), week(ts), weekofyear(ts), yearofweek(ts), yearofweekiso(ts), to_time('10:07:31')::varchar from ticks where n = 1`, "10|7|31|1|1|1|2020|2020|10:07:31"},
		{`select timestampadd(hour, 1, ts), timediff(minute, ts, '2020-01-01 11:00:00'), dateadd(quarter, 1, ts), dateadd(second, 30, ts) from ticks where n = 1`,
			"2020-01-01 11:07:31|53|2020-04-01 10:07:31|2020-01-01 10:08:01"},
		{`select timestamp_from_parts(2020, 1, 2, 3, 4, 5), timestamp_ntz_from_parts(2020, 1, 2, 3, 4, 5), datefromparts(2020, 2, 3)`, "2020-01-02 03:04:05|2020-01-02 03:04:05|2020-02-03"},
		{`select try_to_timestamp('x'), try_to_timestamp_ntz('2020-01-02'), to_timestamp('2020-01-02T03:04', 'YYYY-MM-DD"T"HH24:MI'), convert_timezone('UTC', 'America/New_York', '2020-01-01 12:00:00'::timestamp_ntz)`,
			"-|2020-01-02|2020-01-02 03:04:00|2020-01-01 07:00:00"},
		{`select current_time is null, current_date() is null, getdate() is null, sysdate() is null, localtimestamp is null, localtimestamp() is null`, "false|false|false|false|false|false"},
		{`select array_size(v:items), object_keys(v), get_path(v, 'a.b')::int, get(v, 'Key')::varchar, get(v:items, 1):p::float, try_parse_json('{'), to_variant(1)::int, to_char(v:a.b) from events`, `2|[a items n Key]|7|k|2|-|1|7`},
		{`select object_construct('a', 1, 'b', null)::varchar, object_construct_keep_null('a', null)::varchar`, `{"a":1}|{"a":null}`},
		{`select any_value(index), approx_count_distinct(index), hll(index), approx_percentile(close, 0.5), booland_agg(close > 0), boolor_agg(close > 1000) from prices where index = 'GSPTSE'`, "GSPTSE|1|1|99|true|false"},
		{`select round(skew(close), 2), round(kurtosis(close), 2), round(var_pop(close), 2), round(var_samp(close), 2), round(variance_samp(close), 2), round(variance_pop(close), 2), round(stddev_samp(close), 2), round(covar_pop(open, close), 2) from prices where index = 'NYA'`,
			"2.13|4.59|31.44|39.3|39.3|31.44|6.27|20.76"},
		{`select regr_intercept(close, open), round(regr_r2(close, open), 2), regr_count(close, open), round(regr_avgx(close, open), 2), round(regr_avgy(close, open), 2), round(regr_sxx(close, open), 2), round(regr_syy(close, open), 2), round(regr_sxy(close, open), 2) from prices where index = 'GSPTSE'`,
			"135|0.18|3|96.67|96.33|66.67|60.67|-26.67"},
		{`select date, dense_rank() over (order by open), percent_rank() over (order by open), cume_dist() over (order by open), lead(close) over (order by date), nth_value(close, 2) over (order by date), nth_value(close, 2) from first over (order by date) from prices where index = 'GSPTSE' order by date`,
			"2020-01-30|2|0.5|1|90|90|90;2020-01-31|2|0.5|1|99|90|90;2020-02-03|1|0|0.3333|-|90|90"},
		{`select percentile_disc(0.5) within group (order by close asc), count(index, volume), count(distinct index, volume) from prices`, "12.5|7|7"},
		{`select index, grouping(index), grouping_id(index), sum(volume) from prices group by grouping sets ((index), ()) order by 1`, "GSPTSE|0|0|50;NYA|0|0|1200;-|1|1|1250"},
		{`select seq1(), seq2(), seq8() from table(generator(rowcount => 2))`, "0|0|0;1|1|1"},
		{`select ts, n from ticks order by n desc nulls last, ts fetch next 1 row only`, "2020-01-05|4"},
		{`select n from ticks order by n nulls first limit 1`, "-"},
		{`select t.n, p.close from ticks t left outer join prices p on p.volume = t.n order by 1`, "1|-;2|-;4|-;-|-"},
		{`select index from prices except select 'NYA'`, "GSPTSE"},
		{`select 'a%b' like 'a^%b' escape '^', 'acb' like 'a^%b' escape '^', 'abc' like all ('a%', '%c')`, "true|false|true"},
		{`select time_slice(date '2020-01-08', 1, 'week', 'START'), datediff(hour, date '2020-01-01', date '2020-01-02')`, "2020-01-06|24"},
	} {
		_, got, err := rows(db, c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
		} else if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.query, got, c.want)
		}
	}
}
