-- What people ask of market data. opinion.py asks the embedded warehouse and fakesnow, and compares.

-- coverage
SELECT Index, COUNT(*) AS days, MIN(Date) AS first_day, MAX(Date) AS last_day, ROUND(SUM(Close), 2) AS sum_close
FROM market.raw.stock_market_data GROUP BY Index ORDER BY Index;

-- volatility
WITH returns AS (
  SELECT Index, Date, LN(Close / LAG(Close) OVER (PARTITION BY Index ORDER BY Date)) AS r FROM market.raw.stock_market_data
), rolling AS (
  SELECT Index, Date,
    STDDEV(r) OVER (PARTITION BY Index ORDER BY Date ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) * SQRT(252) AS volatility,
    COUNT(r) OVER (PARTITION BY Index ORDER BY Date ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS days
  FROM returns
)
SELECT Index, Date, ROUND(100 * volatility, 1) AS volatility_pct FROM rolling WHERE days = 30
QUALIFY ROW_NUMBER() OVER (PARTITION BY Index ORDER BY volatility DESC) <= 10 ORDER BY Index, volatility_pct DESC, Date;

-- drawdown
WITH peaks AS (
  SELECT Index, Date, Close, MAX(Close) OVER (PARTITION BY Index ORDER BY Date ROWS UNBOUNDED PRECEDING) AS peak FROM market.raw.stock_market_data
)
SELECT Index, YEAR(Date) AS year, ROUND(100 * MIN(Close / peak - 1), 1) AS drawdown_pct FROM peaks GROUP BY Index, YEAR(Date) ORDER BY Index, year;

-- moving averages
SELECT Date, ROUND(AVG(Close) OVER (ORDER BY Date ROWS BETWEEN 49 PRECEDING AND CURRENT ROW), 4) AS ma50,
  ROUND(AVG(Close) OVER (ORDER BY Date ROWS BETWEEN 199 PRECEDING AND CURRENT ROW), 4) AS ma200
FROM market.raw.stock_market_data ORDER BY Date LIMIT 300;

-- months
SELECT DATE_TRUNC('month', Date) AS month, COUNT(*) AS days, MIN(Low) AS low, MAX(High) AS high FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1;

-- weekdays
SELECT DAYOFWEEK(Date) AS day, COUNT(*) AS n, ROUND(AVG(Close - Open), 4) AS gain FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1;

-- first and last of a month
SELECT DISTINCT DATE_TRUNC('month', Date) AS month,
  FIRST_VALUE(Close) OVER (PARTITION BY DATE_TRUNC('month', Date) ORDER BY Date) AS first,
  LAST_VALUE(Close) OVER (PARTITION BY DATE_TRUNC('month', Date) ORDER BY Date ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last
FROM market.raw.stock_market_data ORDER BY month;

-- gaps
SELECT Date, DATEDIFF('day', LAG(Date) OVER (ORDER BY Date), Date) AS days FROM market.raw.stock_market_data QUALIFY days > 3 ORDER BY Date;

-- date arithmetic
SELECT Date, DATEADD('day', 7, Date) AS week, DATEADD('month', 1, Date) AS month, LAST_DAY(Date) AS last FROM market.raw.stock_market_data ORDER BY Date LIMIT 60;

-- parts of dates
SELECT Date, YEAR(Date) AS y, MONTH(Date) AS m, DAY(Date) AS d, QUARTER(Date) AS q, DAYOFYEAR(Date) AS doy, MONTHNAME(Date) AS name FROM market.raw.stock_market_data ORDER BY Date LIMIT 60;

-- dates as text
SELECT TO_CHAR(Date, 'YYYY-MM') AS month, COUNT(*) AS n FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1 LIMIT 20;

-- pairs of years
SELECT a.y, a.c AS this, b.c AS last, ROUND(DIV0(a.c - b.c, b.c), 6) AS change
FROM (SELECT YEAR(Date) AS y, AVG(Close) AS c FROM market.raw.stock_market_data GROUP BY 1) a
LEFT JOIN (SELECT YEAR(Date) AS y, AVG(Close) AS c FROM market.raw.stock_market_data GROUP BY 1) b ON a.y = b.y + 1 ORDER BY a.y;

-- up and down days
SELECT IFF(Close >= Open, 'up', 'down') AS way, COUNT(*) AS n, COUNT_IF(Volume > 1e9) AS busy FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1;

-- quantiles
SELECT ROUND(MEDIAN(Close), 4) AS median, ROUND(PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY Close), 4) AS p90, ROUND(STDDEV(Close), 4) AS dev FROM market.raw.stock_market_data;

-- ranks
SELECT Date, Volume, RANK() OVER (ORDER BY Volume DESC) AS r, NTILE(4) OVER (ORDER BY Volume, Date) AS q FROM market.raw.stock_market_data QUALIFY r <= 10 ORDER BY r, Date;

-- null handling
SELECT COUNT(*) AS n, COUNT(CloseUSD) AS usd, SUM(NVL(CloseUSD, 0)) AS s, ZEROIFNULL(MAX(CloseUSD)) AS z, NVL2(MAX(CloseUSD), 'some', 'none') AS w FROM market.raw.stock_market_data WHERE Close < 0;

-- order of nulls
SELECT COLUMN1 AS v FROM (VALUES (1), (NULL), (3)) ORDER BY v;

-- order of nulls, descending
SELECT COLUMN1 AS v FROM (VALUES (1), (NULL), (3)) ORDER BY v DESC;

-- integer division
SELECT 7 / 2 AS a, 1 / 3 AS b, 7 % 3 AS c, ROUND(2.5) AS d, ROUND(-2.5) AS e, TRUNC(2.7) AS f;

-- texts
SELECT UPPER(Index) AS u, LEFT(Index, 2) AS l, LENGTH(Index) AS n, Index || '!' AS c, SPLIT_PART('a.b.c', '.', 2) AS s, LPAD('7', 3, '0') AS p, CONTAINS(Index, 'S') AS has
FROM market.raw.stock_market_data LIMIT 1;

-- case of identifiers
SELECT Close AS "close", close AS CLOSE2 FROM market.raw.stock_market_data ORDER BY Date LIMIT 1;

-- text of lists
SELECT YEAR(Date) AS y, LISTAGG(DISTINCT Index, ',') WITHIN GROUP (ORDER BY Index) AS l FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1;

-- decode
SELECT DECODE(MONTH(Date), 1, 'jan', 2, 'feb', 'later') AS m, COUNT(*) AS n FROM market.raw.stock_market_data GROUP BY 1 ORDER BY 1;

-- least and greatest
SELECT Date, GREATEST(Open, Close) AS g, LEAST(Open, Close) AS l FROM market.raw.stock_market_data ORDER BY Date LIMIT 10;

-- regular expressions
SELECT REGEXP_LIKE('ab12', '[a-z]+[0-9]+') AS whole, REGEXP_LIKE('ab12x', '[a-z]+[0-9]+') AS part, REGEXP_REPLACE('a1b2', '[0-9]', '#') AS r, REGEXP_SUBSTR('ab12', '[0-9]+') AS s;

-- variants
SELECT PARSE_JSON('{"a": {"b": [1, 2, 3]}, "s": "x"}'):a.b[1]::INT AS n, PARSE_JSON('{"s": "x"}'):s::VARCHAR AS s, PARSE_JSON('{"s": "x"}'):nope AS none;

-- conversions
SELECT '12.50'::NUMBER(10,1) AS n, TRY_TO_NUMBER('x') AS t, '2024-02-29'::DATE AS d, TO_DATE('29.02.2024', 'DD.MM.YYYY') AS f, 1::BOOLEAN AS b, 'true'::BOOLEAN AS c, 1.0::VARCHAR AS v;

-- timestamps
SELECT '2024-02-29 13:14:15.678'::TIMESTAMP_NTZ AS t, DATE_TRUNC('hour', '2024-02-29 13:14:15'::TIMESTAMP_NTZ) AS h, DATEDIFF('hour', '2024-02-29 13:59:00'::TIMESTAMP_NTZ, '2024-02-29 14:01:00'::TIMESTAMP_NTZ) AS d,
  TIMESTAMPDIFF('second', '2024-01-01'::TIMESTAMP_NTZ, '2024-01-02'::TIMESTAMP_NTZ) AS s;

-- sets
SELECT YEAR(Date) AS y FROM market.raw.stock_market_data WHERE Close > 1500 INTERSECT SELECT YEAR(Date) FROM market.raw.stock_market_data WHERE Close < 1200 ORDER BY y;

-- any and exists
SELECT COUNT(*) AS n FROM market.raw.stock_market_data a WHERE Close >= ALL (SELECT Close FROM market.raw.stock_market_data) OR NOT EXISTS (SELECT 1 FROM market.raw.stock_market_data b WHERE b.Date < a.Date);

-- rollup
SELECT YEAR(Date) AS y, QUARTER(Date) AS q, COUNT(*) AS n FROM market.raw.stock_market_data GROUP BY ROLLUP (YEAR(Date), QUARTER(Date)) ORDER BY y, q;
