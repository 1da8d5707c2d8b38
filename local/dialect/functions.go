package dialect

// aggregates are the aggregate and window functions that only need DuckDB's name.
var aggregates = map[string]string{
	"COUNT": "count", "SUM": "sum", "AVG": "avg", "MIN": "min", "MAX": "max", "MEDIAN": "median", "MODE": "mode",
	"STDDEV": "stddev_samp", "STDDEV_SAMP": "stddev_samp", "STDDEV_POP": "stddev_pop",
	"VARIANCE": "var_samp", "VARIANCE_SAMP": "var_samp", "VAR_SAMP": "var_samp",
	"VARIANCE_POP": "var_pop", "VAR_POP": "var_pop",
	"CORR": "corr", "COVAR_SAMP": "covar_samp", "COVAR_POP": "covar_pop",
	"REGR_SLOPE": "regr_slope", "REGR_INTERCEPT": "regr_intercept", "REGR_R2": "regr_r2", "REGR_COUNT": "regr_count",
	"REGR_AVGX": "regr_avgx", "REGR_AVGY": "regr_avgy", "REGR_SXX": "regr_sxx", "REGR_SYY": "regr_syy", "REGR_SXY": "regr_sxy",
	"SKEW": "skewness", "KURTOSIS": "kurtosis", "ANY_VALUE": "any_value", "COUNT_IF": "count_if",
	"BOOLAND_AGG": "bool_and", "BOOLOR_AGG": "bool_or",
	"APPROX_COUNT_DISTINCT": "approx_count_distinct", "HLL": "approx_count_distinct",
	"APPROX_PERCENTILE": "quantile_cont", "GROUPING": "grouping", "GROUPING_ID": "grouping",
	"ROW_NUMBER": "row_number", "RANK": "rank", "DENSE_RANK": "dense_rank", "PERCENT_RANK": "percent_rank",
	"CUME_DIST": "cume_dist", "NTILE": "ntile", "LAG": "lag", "LEAD": "lead",
	"FIRST_VALUE": "first_value", "LAST_VALUE": "last_value", "NTH_VALUE": "nth_value",
}

var (
	takesNulls = set("LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE")
	windowOnly = set("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG", "LEAD",
		"FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "RATIO_TO_REPORT", "CONDITIONAL_TRUE_EVENT")
	windowed = set("LISTAGG", "ARRAY_AGG", "PERCENTILE_CONT", "PERCENTILE_DISC", "RATIO_TO_REPORT",
		"CONDITIONAL_TRUE_EVENT", "MIN_BY", "MAX_BY")
	withinGroup = set("LISTAGG", "ARRAY_AGG", "PERCENTILE_CONT", "PERCENTILE_DISC")

	// readsJSON and readsText are the functions that take a VARIANT as it is, or its text.
	readsJSON = set("ARRAY_SIZE", "OBJECT_KEYS", "GET", "GET_PATH", "COUNT", "TYPEOF", "TO_JSON", "TO_VARIANT", "IS_NULL_VALUE")
	readsText = set("TO_DATE", "DATE", "TRY_TO_DATE", "TO_TIMESTAMP", "TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP", "TRY_TO_TIMESTAMP_NTZ",
		"TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC", "TRY_TO_NUMBER", "TRY_TO_DECIMAL", "TRY_TO_NUMERIC", "TO_DOUBLE", "TRY_TO_DOUBLE",
		"TO_CHAR", "TO_VARCHAR", "TO_BOOLEAN", "TRY_TO_BOOLEAN", "TO_TIME", "PARSE_JSON", "TRY_PARSE_JSON")
)

// contextual are the names that stand for a value without brackets, or with empty ones.
var contextual = map[string]string{
	"CURRENT_DATE": "CAST(get_current_timestamp() AT TIME ZONE 'UTC' AS DATE)", "CURRENT_TIMESTAMP": "get_current_timestamp()",
	"CURRENT_TIME": "CAST(get_current_timestamp() AT TIME ZONE 'UTC' AS TIME)", "LOCALTIMESTAMP": "get_current_timestamp()",
}

// templates are the functions that are an expression over their arguments $1 to $9, by number of arguments.
var templates = map[string]map[int]string{
	// conditions
	"IFF":        {3: "CASE WHEN $1 THEN $2 ELSE $3 END"},
	"NVL":        {2: "coalesce($1, $2)"},
	"IFNULL":     {2: "coalesce($1, $2)"},
	"NVL2":       {3: "CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END"},
	"NULLIF":     {2: "nullif($1, $2)"},
	"ZEROIFNULL": {1: "coalesce($1, 0)"},
	"NULLIFZERO": {1: "nullif($1, 0)"},
	"DIV0":       {2: "mkt_div0($1, $2)"},
	"DIV0NULL":   {2: "mkt_div0null($1, $2)"},
	"EQUAL_NULL": {2: "($1 IS NOT DISTINCT FROM $2)"},
	"BOOLAND":    {2: "($1 AND $2)"},
	"BOOLOR":     {2: "($1 OR $2)"},
	"BOOLNOT":    {1: "(NOT $1)"},
	// numbers
	"MOD":          {2: "($1 % mkt_divisor($2))"},
	"ROUND":        {1: "round($1)", 2: "round($1, CAST($2 AS INTEGER))"},
	"TRUNC":        {1: "trunc($1)", 2: "mkt_trunc($1, $2)"},
	"CEIL":         {1: "ceil($1)", 2: "(ceil($1 * power(10, $2)) / power(10, $2))"},
	"FLOOR":        {1: "floor($1)", 2: "(floor($1 * power(10, $2)) / power(10, $2))"},
	"LOG":          {2: "log(CAST($1 AS DOUBLE), CAST($2 AS DOUBLE))"},
	"SQUARE":       {1: "mkt_square($1)"},
	"WIDTH_BUCKET": {4: "mkt_width_bucket($1, $2, $3, $4)"},
	"TO_DOUBLE":    {1: "CAST($1 AS DOUBLE)"}, "TRY_TO_DOUBLE": {1: "TRY_CAST($1 AS DOUBLE)"},
	"TO_BOOLEAN": {1: "CAST($1 AS BOOLEAN)"}, "TRY_TO_BOOLEAN": {1: "TRY_CAST($1 AS BOOLEAN)"},
	// texts
	"LEN":         {1: "length(mkt_text($1))"},
	"LENGTH":      {1: "length(mkt_text($1))"},
	"SUBSTR":      {2: "substr($1, CAST($2 AS BIGINT))", 3: "substr($1, CAST($2 AS BIGINT), CAST($3 AS BIGINT))"},
	"SUBSTRING":   {2: "substr($1, CAST($2 AS BIGINT))", 3: "substr($1, CAST($2 AS BIGINT), CAST($3 AS BIGINT))"},
	"LEFT":        {2: "left($1, CAST($2 AS BIGINT))"},
	"RIGHT":       {2: "right($1, CAST($2 AS BIGINT))"},
	"LPAD":        {2: "lpad(mkt_text($1), CAST($2 AS INTEGER), ' ')", 3: "lpad(mkt_text($1), CAST($2 AS INTEGER), $3)"},
	"RPAD":        {2: "rpad(mkt_text($1), CAST($2 AS INTEGER), ' ')", 3: "rpad(mkt_text($1), CAST($2 AS INTEGER), $3)"},
	"REPLACE":     {2: "replace($1, $2, '')", 3: "replace($1, $2, $3)"},
	"CHARINDEX":   {2: "instr($2, $1)"},
	"CONTAINS":    {2: "contains($1, $2)"},
	"STARTSWITH":  {2: "starts_with($1, $2)"},
	"ENDSWITH":    {2: "ends_with($1, $2)"},
	"SPLIT_PART":  {3: "split_part($1, $2, CAST($3 AS BIGINT))"},
	"REPEAT":      {2: "repeat($1, CAST($2 AS BIGINT))"},
	"MD5":         {1: "md5($1)"},
	"SHA2":        {1: "sha256($1)"},
	"UUID_STRING": {0: "CAST(uuid() AS VARCHAR)"},
	"TO_BINARY":   {1: "unhex($1)", 2: "mkt_to_binary($1, $2)"}, "HEX_ENCODE": {1: "hex($1)"},
	// regular expressions: LIKE and RLIKE match the whole text, the others a part
	"REGEXP_LIKE":    {2: "regexp_full_match($1, $2)", 3: "regexp_full_match($1, $2, $3)"},
	"RLIKE":          {2: "regexp_full_match($1, $2)", 3: "regexp_full_match($1, $2, $3)"},
	"REGEXP_SUBSTR":  {2: "mkt_regexp_substr($1, $2)"},
	"REGEXP_REPLACE": {2: "regexp_replace($1, $2, '', 'g')", 3: "regexp_replace($1, $2, $3, 'g')"},
	"REGEXP_COUNT":   {2: "CASE WHEN $1 IS NOT NULL THEN length(regexp_extract_all($1, $2)) END"},
	// dates
	"SYSDATE": {0: "(get_current_timestamp() AT TIME ZONE 'UTC')"}, "GETDATE": {0: "get_current_timestamp()"},
	"DATE_FROM_PARTS": {3: "mkt_date_from_parts($1, $2, $3)"}, "DATEFROMPARTS": {3: "mkt_date_from_parts($1, $2, $3)"},
	"TIMESTAMP_FROM_PARTS":     {6: "mkt_timestamp_from_parts($1, $2, $3, $4, $5, $6)"},
	"TIMESTAMP_NTZ_FROM_PARTS": {6: "mkt_timestamp_from_parts($1, $2, $3, $4, $5, $6)"},
	"ADD_MONTHS":               {2: "mkt_add_months($1, $2)"},
	"MONTHS_BETWEEN":           {2: "mkt_months_between($1, $2)"},
	"NEXT_DAY":                 {2: "mkt_next_day($1, $2)"}, "PREVIOUS_DAY": {2: "mkt_previous_day($1, $2)"},
	"CONVERT_TIMEZONE": {3: "(CAST($3 AS TIMESTAMP) AT TIME ZONE $1 AT TIME ZONE $2)"},
	"TO_TIME":          {1: "CAST($1 AS TIME)"},
	// VARIANT
	"PARSE_JSON": {1: "CAST($1 AS JSON)"}, "TRY_PARSE_JSON": {1: "TRY_CAST($1 AS JSON)"},
	"TO_VARIANT": {1: "to_json($1)"}, "TO_JSON": {1: "CAST($1 AS VARCHAR)"},
	"ARRAY_SIZE": {1: "json_array_length($1)"}, "OBJECT_KEYS": {1: "to_json(json_keys($1))"},
	"SPLIT": {2: "to_json(string_split($1, $2))"},
}

// renamed are the functions that only need DuckDB's name, with any arguments.
var renamed = map[string]string{
	"COALESCE": "coalesce", "ABS": "abs", "SQRT": "sqrt", "CBRT": "cbrt", "EXP": "exp", "LN": "ln", "POWER": "power", "POW": "power",
	"SIGN": "sign", "PI": "pi", "RADIANS": "radians", "DEGREES": "degrees", "SIN": "sin", "COS": "cos", "TAN": "tan", "ASIN": "asin",
	"ACOS": "acos", "ATAN": "atan", "ATAN2": "atan2", "UPPER": "upper", "LOWER": "lower", "TRIM": "trim", "LTRIM": "ltrim",
	"RTRIM": "rtrim", "REVERSE": "reverse", "ASCII": "ascii", "CHR": "chr", "CHAR": "chr",
	"GREATEST_IGNORE_NULLS": "greatest", "LEAST_IGNORE_NULLS": "least", "OBJECT_CONSTRUCT_KEEP_NULL": "json_object",
	"ARRAY_CONSTRUCT": "json_array",
}

// Settings lists the SET statements that give a DuckDB connection Snowflake's semantics.
func Settings() []string {
	return []string{
		"SET default_null_order = 'nulls_last_on_asc_first_on_desc'",
		"SET TimeZone = 'UTC'",
	}
}

// UnsupportedMark begins the text of an error that says at run time what is not supported.
const UnsupportedMark = "mkt-unsupported:"

// Macros lists the CREATE OR REPLACE MACRO statements that rewritten text relies on.
func Macros() []string {
	defs := []string{
		// A division by zero fails in Snowflake; a NULL divisor does not.
		`mkt_divisor(x) AS CASE WHEN x = 0 THEN error('Division by zero') ELSE x END`,
		`mkt_div0(a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN 0 ELSE a / b END`,
		`mkt_div0null(a, b) AS CASE WHEN coalesce(b, 0) = 0 AND a IS NOT NULL THEN 0 ELSE a / b END`,
		`mkt_square(x) AS x * x`,
		`mkt_to_binary(s, f) AS CASE upper(f) WHEN 'HEX' THEN unhex(s) WHEN 'UTF-8' THEN encode(s) WHEN 'UTF8' THEN encode(s) WHEN 'BASE64' THEN from_base64(s)
			ELSE error('invalid format for TO_BINARY: ' || f) END`,
		`mkt_trunc(x, s) AS trunc(x * power(10, s)) / power(10, s)`,
		`mkt_width_bucket(x, low, high, n) AS CAST(CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 ELSE floor((x - low) / (high - low) * n) + 1 END AS INTEGER)`,
		// The text of a value as Snowflake writes it: no .0 behind a whole FLOAT, NaN, milliseconds behind a time, a VARIANT's string without quotes.
		`mkt_text(x) AS CASE typeof(x)
			WHEN 'DOUBLE' THEN replace(regexp_replace(CAST(x AS VARCHAR), '\.0$', ''), 'nan', 'NaN')
			WHEN 'TIMESTAMP' THEN strftime(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%g')
			WHEN 'JSON' THEN json_extract_string(CAST(x AS VARCHAR), '$')
			ELSE CAST(x AS VARCHAR) END`,
		`mkt_regexp_substr(s, p) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p) END`,
		// A number is seconds since 1970; a text of digits is seconds, milliseconds or more by its size.
		`mkt_epoch(n) AS make_timestamp(CAST(CASE WHEN abs(n) < 31536000000 THEN n * 1000000 WHEN abs(n) < 31536000000000 THEN n * 1000 WHEN abs(n) < 31536000000000000 THEN n ELSE n / 1000 END AS BIGINT))`,
		`mkt_timestamp(x) AS CASE
			WHEN typeof(x) IN ('TINYINT', 'SMALLINT', 'INTEGER', 'INTEGER_LITERAL', 'BIGINT', 'HUGEINT', 'DOUBLE') OR typeof(x) LIKE 'DECIMAL%' THEN make_timestamp(CAST(TRY_CAST(CAST(x AS VARCHAR) AS DOUBLE) * 1000000 AS BIGINT))
			WHEN typeof(x) = 'VARCHAR' AND regexp_full_match(CAST(x AS VARCHAR), '-?[0-9]+') THEN mkt_epoch(TRY_CAST(CAST(x AS VARCHAR) AS HUGEINT))
			ELSE CAST(CAST(x AS VARCHAR) AS TIMESTAMP) END`,
		// A text of a time with an offset, which Snowflake takes as TZHTZM or TZH:TZM, behind a space or not, as DuckDB reads it; and whether its offset is another than UTC's, where v is
		// the instant. Without one it is the session's.
		`mkt_offset(x) AS regexp_replace(trim(CAST(x AS VARCHAR), '"'), '(:[0-9]{2}(?:\.[0-9]+)?) ?([+-][0-9]{2}):?([0-9]{2})$', '\1\2:\3')`,
		`mkt_foreign(t, v) AS CASE
			WHEN regexp_matches(t, ':[0-9]{2}(\.[0-9]+)? ?(Z|[+-][0-9:]+)$') THEN NOT regexp_matches(t, '(Z|[+-][0:]+)$')
			ELSE regexp_matches(t, '[A-Za-z]{2,}$') OR extract('timezone' FROM v) <> 0 END`,
		`mkt_utc(t, v) AS CASE WHEN v IS NOT NULL AND mkt_foreign(t, v) THEN error('` + UnsupportedMark + `a TIMESTAMP_TZ with another offset than +00:00, as of ' || t) ELSE v END`,
		`mkt_tz(x) AS mkt_utc(mkt_offset(x), CAST(mkt_offset(x) AS TIMESTAMPTZ))`,
		`mkt_try_tz(x) AS mkt_utc(mkt_offset(x), TRY_CAST(mkt_offset(x) AS TIMESTAMPTZ))`,
		`mkt_date_from_parts(y, m, d) AS CAST(make_date(CAST(y AS BIGINT), 1, 1) + to_months(CAST(m - 1 AS INTEGER)) + to_days(CAST(d - 1 AS INTEGER)) AS DATE)`,
		`mkt_timestamp_from_parts(y, m, d, h, mi, s) AS mkt_date_from_parts(y, m, d) + to_hours(CAST(h AS BIGINT)) + to_minutes(CAST(mi AS BIGINT)) + to_seconds(CAST(s AS DOUBLE))`,
		// The last day of a month goes to the last day of the other month.
		`mkt_add_months(d, n) AS cast_to_type(CASE WHEN last_day(CAST(d AS TIMESTAMP)) = CAST(d AS DATE)
			THEN last_day(CAST(d AS TIMESTAMP) + to_months(CAST(n AS INTEGER))) + (CAST(d AS TIMESTAMP) - date_trunc('day', CAST(d AS TIMESTAMP)))
			ELSE CAST(d AS TIMESTAMP) + to_months(CAST(n AS INTEGER)) END, d)`,
		`mkt_months_between(a, b) AS CASE
			WHEN day(CAST(a AS DATE)) = day(CAST(b AS DATE)) OR (last_day(CAST(a AS DATE)) = CAST(a AS DATE) AND last_day(CAST(b AS DATE)) = CAST(b AS DATE))
			THEN CAST(date_diff('month', CAST(b AS DATE), CAST(a AS DATE)) AS DOUBLE)
			ELSE date_diff('month', CAST(b AS DATE), CAST(a AS DATE)) + (day(CAST(a AS DATE)) - day(CAST(b AS DATE))) / 31.0 END`,
		`mkt_weekday(name) AS CAST((position(lower(left(name, 2)) IN 'mo tu we th fr sa su') + 2) / 3 AS INTEGER)`,
		`mkt_next_day(d, name) AS CAST(d AS DATE) + CAST((mkt_weekday(name) - isodow(CAST(d AS DATE)) + 6) % 7 + 1 AS INTEGER)`,
		`mkt_previous_day(d, name) AS CAST(d AS DATE) - CAST((isodow(CAST(d AS DATE)) - mkt_weekday(name) + 6) % 7 + 1 AS INTEGER)`,
	}
	out := make([]string, len(defs))
	for i, d := range defs {
		out[i] = "CREATE OR REPLACE MACRO " + d
	}
	return out
}
