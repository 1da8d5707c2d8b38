// A reason stands beside each direct dependency. Versions are pinned for what the comments say.
module mkt

go 1.26.0

require (
	github.com/Azure/azure-sdk-for-go/sdk/azcore v1.23.3 // credentials, retry policies and errors of the Azure SDK
	github.com/Azure/azure-sdk-for-go/sdk/azidentity v1.15.0 // the DefaultAzureCredential chain
	github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/eventgrid/armeventgrid/v2 v2.3.0 // event subscriptions; @latest fails, so the version is named
	github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/v2 v2.0.0
	github.com/Azure/azure-sdk-for-go/sdk/storage/azblob v1.8.0 // Blob, fixed by our user; v1.8.3 asks for an API version that Azurite refuses
	github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2 v2.1.2 // storage queues
	github.com/BurntSushi/toml v1.4.0 // Snowflake's connections.toml and config.toml
	github.com/agext/levenshtein v1.2.1 // "did you mean"
	github.com/apache/arrow-go/v18 v18.5.1 // Arrow IPC, in which Snowflake answers a SELECT
	github.com/bmatcuk/doublestar/v4 v4.10.0 // patterns of files with **, as in Terraform; errors of folders, which the standard library's leave out
	github.com/cenkalti/backoff/v5 v5.0.3 // retries with jitter that obey Retry-After
	github.com/cespare/xxhash/v2 v2.3.0 // the running digest of a source
	github.com/confluentinc/confluent-kafka-go/v2 v2.15.1 // Kafka and registry clients, fixed by our user; @latest answers an older version
	github.com/duckdb/duckdb-go/v2 v2.10506.0 // the embedded warehouse; v2.20000 needs libraries that cannot be had everywhere
	github.com/dustin/go-humanize v1.0.1 // numbers and sizes as people read them
	github.com/gofrs/flock v0.13.1 // one owner of a folder, one writer of a ledger
	github.com/google/renameio/v2 v2.0.2 // atomic, synced writes
	github.com/hashicorp/go-version v1.9.0 // required_version
	github.com/hashicorp/hcl/v2 v2.25.0 // the language, fixed by our user
	github.com/jedib0t/go-pretty/v6 v6.8.3 // tables and colour in a terminal
	github.com/klauspost/compress v1.20.3 // gzip and zstd at half the standard library's cost
	github.com/parquet-go/parquet-go v0.32.0 // Parquet files; data page version 1 has to be asked for
	github.com/prometheus/client_golang v1.25.0 // metrics as Prometheus scrapes them
	github.com/rogpeppe/go-internal v1.16.0 // testscript: the whole command line tested by txtar scripts
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests hold the JSON schemas against what is printed and read
	github.com/snowflakedb/gosnowflake/v2 v2.1.0 // Snowflake, fixed by our user; @latest fails, so the version is named
	github.com/spf13/cobra v1.10.2 // commands, help and completion
	github.com/twmb/avro v1.9.0 // Avro schemas and their compatibility; hamba/avro is archived
	github.com/twmb/franz-go v1.22.2 // sends what the stream produces (docs/adr/0012), and requests that librdkafka lacks (docs/adr/0010); goes with kfake: the embedded broker repairs its own data with it, and tests read with a second client
	github.com/twmb/franz-go/pkg/kadm v1.18.0 // reassignment of replicas; admin calls of the embedded broker to itself, and of its tests
	github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c // the embedded broker; older ones do not compile with franz-go v1.22
	github.com/twmb/franz-go/pkg/kmsg v1.15.0 // names of requests; those that the embedded broker looks at before kfake sees them
	github.com/youmark/pkcs8 v0.0.0-20240726163527-a2c0da244d78 // encrypted private keys for Snowflake key pairs
	github.com/zclconf/go-cty v1.20.0 // the values of the language, fixed by our user
	github.com/zclconf/go-cty-yaml v1.2.0 // yamlencode and yamldecode
	go.opentelemetry.io/otel v1.47.0 // traces; attributes and codes of spans
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp v1.47.0 // sends traces as the standard environment variables say
	go.opentelemetry.io/otel/sdk v1.47.0 // batches of spans, the resource
	go.opentelemetry.io/otel/trace v1.47.0 // spans
	go.opentelemetry.io/proto/otlp v1.11.0 // tests read what a collector of traces gets
	golang.org/x/oauth2 v0.37.0 // tokens for OAUTHBEARER
	golang.org/x/sync v0.23.0 // errgroup
	golang.org/x/term v0.46.0 // whether a terminal listens, and how wide it is
	golang.org/x/tools v0.49.0 // txtar, in which golden tests are written
	google.golang.org/protobuf v1.36.12 // the same
)

require (
	github.com/99designs/go-keychain v0.0.0-20191008050251-8e49817e8af4 // indirect
	github.com/99designs/keyring v1.2.2 // indirect
	github.com/Azure/azure-sdk-for-go/sdk/internal v1.13.0 // indirect
	github.com/Azure/azure-sdk-for-go/sdk/storage/internal v0.1.0 // indirect
	github.com/AzureAD/microsoft-authentication-library-for-go v1.10.1 // indirect
	github.com/andybalholm/brotli v1.2.0 // indirect
	github.com/apparentlymart/go-textseg/v15 v15.0.0 // indirect
	github.com/apparentlymart/go-textseg/v17 v17.0.1 // indirect
	github.com/aws/aws-sdk-go-v2 v1.38.1 // indirect
	github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream v1.6.2 // indirect
	github.com/aws/aws-sdk-go-v2/config v1.27.11 // indirect
	github.com/aws/aws-sdk-go-v2/credentials v1.17.11 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.16.1 // indirect
	github.com/aws/aws-sdk-go-v2/feature/s3/manager v1.16.15 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.3.5 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.6.5 // indirect
	github.com/aws/aws-sdk-go-v2/internal/ini v1.8.0 // indirect
	github.com/aws/aws-sdk-go-v2/internal/v4a v1.3.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.11.2 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/checksum v1.3.7 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.11.7 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/s3shared v1.17.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/s3 v1.53.1 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.20.5 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.23.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/sts v1.28.6 // indirect
	github.com/aws/smithy-go v1.22.5 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/danieljoos/wincred v1.2.2 // indirect
	github.com/duckdb/duckdb-go-bindings v0.10506.0 // indirect
	github.com/duckdb/duckdb-go-bindings/lib/darwin-amd64 v0.10506.0 // indirect
	github.com/duckdb/duckdb-go-bindings/lib/darwin-arm64 v0.10506.0 // indirect
	github.com/duckdb/duckdb-go-bindings/lib/linux-amd64 v0.10506.0 // indirect
	github.com/duckdb/duckdb-go-bindings/lib/linux-arm64 v0.10506.0 // indirect
	github.com/duckdb/duckdb-go-bindings/lib/windows-amd64 v0.10506.0 // indirect
	github.com/dvsekhvalnov/jose2go v1.7.0 // indirect
	github.com/gabriel-vasile/mimetype v1.4.7 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/go-viper/mapstructure/v2 v2.5.0 // indirect
	github.com/goccy/go-json v0.10.5 // indirect
	github.com/godbus/dbus v0.0.0-20190726142602-4481cbc300e2 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/google/flatbuffers v25.12.19+incompatible // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.30.0 // indirect
	github.com/gsterjov/go-libsecret v0.0.0-20161001094733-a6f4afe4910c // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/klauspost/cpuid/v2 v2.3.0 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/mitchellh/go-wordwrap v1.0.1 // indirect
	github.com/mtibben/percent v0.2.1 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/parquet-go/bitpack v1.0.0 // indirect
	github.com/parquet-go/jsonlite v1.0.0 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/pkg/browser v0.0.0-20240102092130-5ac0b6a4141c // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/twpayne/go-geom v1.6.1 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/exp v0.0.0-20260112195511-716be5621a96 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/telemetry v0.0.0-20260811182544-a038080d80e5 // indirect
	golang.org/x/text v0.42.0 // indirect
	golang.org/x/xerrors v0.0.0-20240903120638-7835f813f4da // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260928230214-8a89bd6388cc // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc // indirect
	google.golang.org/grpc v1.83.2 // indirect
)
