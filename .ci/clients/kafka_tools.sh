#!/usr/bin/env bash
# kcat and the console tools of Apache Kafka on the embedded broker: each reads what the stream wrote, and what the other
# one wrote. Which of them run is said by the arguments: kcat, console.
set -uo pipefail
cd "$(dirname "$0")"
readonly daemon=$MKT_CLIENTS_STACK/.mkt/local/daemon.json topic=market_data
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["endpoints"][sys.argv[2]])' "$daemon" "$1"; }
broker=$(field kafka_bootstrap) user=$(field user) password=$(field password)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check WHAT GOT WANT
check() {
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
    echo "ok   $1"
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n  got  %s\n  want %s\n' "$1" "$2" "$3"
    tail -3 "$work/stderr"
  fi
}

# kcat takes its password from a file: a command line can be read by others.
cat >"$work/kcat.conf" <<END
bootstrap.servers=$broker
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.username=$user
sasl.password=$password
END
sed 's/sasl.password=.*/sasl.password=no/' "$work/kcat.conf" >"$work/bad.conf"
kcat() { LD_LIBRARY_PATH=$MKT_CLIENTS_KCAT timeout 60 "$MKT_CLIENTS_KCAT/kcat" -F "$work/kcat.conf" "$@" 2>"$work/stderr"; }

cat >"$work/console.properties" <<END
bootstrap.servers=$broker
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="$user" password="$password";
END
# console CLASS ARGS: the class behind one of Kafka's shell scripts.
console() {
  timeout 120 java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$PWD/../real/log4j2.properties" -cp "$MKT_CLIENTS_KAFKA/*" "$@" 2>"$work/stderr"
}

if [[ " $* " == *" kcat "* ]]; then
  check "kcat: lists the topic with its partitions" "$(kcat -L -t $topic | grep -c 'partition [0-9]*, leader')" 6
  check "kcat: refuses a wrong password" "$(LD_LIBRARY_PATH=$MKT_CLIENTS_KCAT timeout 20 "$MKT_CLIENTS_KCAT/kcat" -F "$work/bad.conf" -L -m 3 2>&1 | grep -c -m1 -i 'authentication')" 1
  check "kcat: reads every row that the stream wrote, read_committed" \
    "$(kcat -C -t $topic -o beginning -e -q -X isolation.level=read_committed -f '%k\n' | grep -vc ^CLIENT)" "$MKT_CLIENTS_ROWS"
  check "kcat: Confluent's framing before each value" "$(kcat -C -t $topic -o beginning -e -q -c 1 -f '%s' | head -c 1 | od -An -tx1 | tr -d ' ')" 00
  seq 1 20 | sed 's/.*/key&:value &/' | kcat -P -t kcat-topic -K: -z lz4 -H from=kcat
  check "kcat: a topic that is not there is not made by the way" "$(grep -o -m1 -i 'unknown topic' "$work/stderr" | tr A-Z a-z)" "unknown topic"
  kcat -C -t $topic -o beginning -e -q -X isolation.level=read_committed -f '%p %o %T\n' >"$work/rows"
  check "kcat: offsets of a partition rise" "$(sort -s -n -k1,1 "$work/rows" | awk '$1 == p && $2 <= o {bad++} {p = $1; o = $2} END {print bad + 0}')" 0
  last=$(sort -n -k3,3 "$work/rows" | tail -1 | cut -d' ' -f3)
  check "kcat: nothing is newer than the newest" "$(kcat -C -t $topic -o "s@$((last + 1000))" -e -q -f '%k\n' | grep -vc ^CLIENT)" 0
fi

if [[ " $* " == *" console "* ]]; then
  console org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --describe --topic $topic >"$work/out"
  check "console: kafka-topics describes the topic" "$(grep -c 'Partition: ' "$work/out") $(grep -o 'retention.ms=[0-9]*' "$work/out")" "6 retention.ms=604800000"
  console org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --create --topic console-topic --partitions 2 --replication-factor 1 >"$work/out"
  check "console: kafka-topics creates one" "$(cat "$work/out")" "Created topic console-topic."
  seq 1 50 | sed 's/.*/k&:v&/' | console org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --producer.config "$work/console.properties" --topic console-topic \
    --property parse.key=true --property key.separator=: --compression-codec zstd >/dev/null
  check "console: the producer's records are read by the consumer" \
    "$(console org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --consumer.config "$work/console.properties" --topic console-topic --group console --from-beginning --max-messages 50 --timeout-ms 30000 | sort -V | tr '\n' ' ')" "$(seq -f 'v%g' 1 50 | tr '\n' ' ')"
  check "console: the consumer reads every row that the stream wrote, read_committed" \
    "$(console org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --consumer.config "$work/console.properties" --topic $topic --from-beginning --isolation-level read_committed --timeout-ms 8000 \
      --property print.key=true --property print.value=false | grep -vc ^CLIENT)" "$MKT_CLIENTS_ROWS"
  console org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --describe --group console >"$work/out"
  check "console: kafka-consumer-groups tells offsets and lag" "$(awk '$1 == "console" {at += $4; lag += $6} END {print at, lag}' "$work/out")" "50 0"
  check "console: kafka-consumer-groups knows the stream's group" \
    "$(console org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --describe --group group1 | awk '$1 == "group1" {n++} END {print (n > 0)}')" 1
  check "console: kafka-get-offsets counts the records" \
    "$(console org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$broker" --command-config "$work/console.properties" --topic console-topic | awk -F: '{n += $3} END {print n}')" 50
  console kafka.admin.ConfigCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --alter --entity-type topics --entity-name console-topic --add-config retention.ms=1000000 >/dev/null
  check "console: kafka-configs alters a topic" \
    "$(console kafka.admin.ConfigCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --describe --entity-type topics --entity-name console-topic | grep -o 'retention.ms=[0-9]* ')" "retention.ms=1000000 "
  console org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --delete --topic console-topic
  check "console: kafka-topics deletes it" "$(console org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --command-config "$work/console.properties" --list | grep -c '^console-topic$')" 0
fi

echo "kafka_tools: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
