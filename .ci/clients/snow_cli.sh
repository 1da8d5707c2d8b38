#!/usr/bin/env bash
# The Snowflake CLI on the embedded warehouse: a connection from its own file, statements, files of statements, objects.
set -uo pipefail
readonly daemon=$MKT_CLIENTS_STACK/.mkt/local/daemon.json
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["endpoints"][sys.argv[2]])' "$daemon" "$1"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check WHAT GOT WANT
check() {
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
    echo "ok   snow_cli: $1"
  else
    failed=$((failed + 1))
    printf 'FAIL snow_cli: %s\n  got  %s\n  want %s\n' "$1" "$2" "$3"
    tail -5 "$work/stderr"
  fi
}

cat >"$work/config.toml" <<END
default_connection_name = "embedded"

[connections.embedded]
account = "$(field snowflake_account)"
host = "$(field snowflake_host)"
port = $(field snowflake_port)
protocol = "http"
user = "$(field user)"
password = "$(field password)"
role = "SYSADMIN"
warehouse = "COMPUTE_WH"

[cli.logs]
save_logs = false
END
chmod 600 "$work/config.toml"
sed 's/^password = .*/password = "no"/' "$work/config.toml" >"$work/bad.toml"
chmod 600 "$work/bad.toml"
snow() { HOME=$work SNOWFLAKE_CLI_FEATURES_FORCE_ANALYTICS=false timeout 90 "$MKT_CLIENTS_SNOW" --config-file "$work/config.toml" "$@" 2>"$work/stderr"; }
rows() { python3 -c 'import json, sys; print(*["|".join(map(str, r.values())) for r in json.load(sys.stdin)], sep="\n")' 2>>"$work/stderr"; }

check "connection test" "$(snow connection test --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["Status"])')" OK
HOME=$work timeout 90 "$MKT_CLIENTS_SNOW" --config-file "$work/bad.toml" connection test >"$work/out" 2>&1
check "connection test refuses a wrong password" "$? $(grep -c -i -m1 'incorrect username or password' "$work/out")" "1 1"
check "sql: what the stream loaded" "$(snow sql -q 'SELECT COUNT(*) AS N FROM MARKET.RAW.STOCK_MARKET_DATA' --format json | rows)" "$MKT_CLIENTS_ROWS"
check "sql: types as JSON" "$(snow sql -q "SELECT 1.50::NUMBER(5,2) D, TRUE B, '2024-02-29'::DATE DT, NULL U" --format json | rows)" "1.50|True|2024-02-29|None"
printf 'CREATE OR REPLACE DATABASE SNOWCLI;\nCREATE TABLE T (A INT, B VARCHAR);\nINSERT INTO T VALUES (1, $$it'"'"'s$$), (2, NULL);\n' >"$work/file.sql"
snow sql -f "$work/file.sql" >/dev/null
check "sql -f: several statements" "$(snow sql -q 'SELECT * FROM SNOWCLI.PUBLIC.T ORDER BY A' --format json | rows)" $'1|it\'s\n2|None'
snow sql -q 'SELECT * FROM MARKET.RAW.NOWHERE' >/dev/null
check "sql: an error ends it" "$? $(grep -c -m1 'does not exist or not authorized' "$work/stderr")" "1 1"
check "object list" "$(snow object list table --in database SNOWCLI --format json | python3 -c 'import json, sys; print([r["name"] for r in json.load(sys.stdin)])')" "['T']"
check "object describe" "$(snow object describe table SNOWCLI.PUBLIC.T --format json | python3 -c 'import json, sys; print([(r["name"], r["type"]) for r in json.load(sys.stdin)])')" "[('A', 'NUMBER(38,0)'), ('B', 'VARCHAR(16777216)')]"
check "sql: SHOW names the pipe of the stack" "$(snow sql -q 'SHOW PIPES IN SCHEMA MARKET.RAW' --format json | python3 -c 'import json, sys; print([r["name"] for r in json.load(sys.stdin)])')" "['MARKET']"
check "object drop" "$(snow object drop database SNOWCLI --format json | rows)" "SNOWCLI successfully dropped."

echo "snow_cli: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
