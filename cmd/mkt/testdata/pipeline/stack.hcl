# The pipeline of examples/stack.hcl, smaller: what the tests of the command line run.

variable "partitions" {
  type        = number
  default     = 2
  description = "Of the topic."
}

variable "rate" {
  type    = string
  default = "max"
}

variable "token" {
  type      = string
  default   = "hunter2"
  sensitive = true
}

locals {
  data = "${path.stack}/data"
}

provider "kafka" {}

provider "azure" {
  account = "mktlocal"
}

provider "snowflake" {
  role      = "SYSADMIN"
  warehouse = "COMPUTE_WH"
}

kafka_topic "prices" {
  partitions         = var.partitions
  replication_factor = 1
  config             = { "retention.ms" = "7d" }
}

schema_subject "prices" {
  name          = "${kafka_topic.prices.name}-value"
  schema        = file("${local.data}/market_data.avsc")
  compatibility = "BACKWARD"
}

azure_container "market" {
  name = "market-data"
}

azure_queue "events" {
  name = "market-events"
}

azure_event_subscription "created" {
  container = azure_container.market
  queue     = azure_queue.events
  prefix    = "kafka-messages/"
}

snowflake_database "market" {}

snowflake_schema "raw" {
  database = snowflake_database.market
}

snowflake_table "prices" {
  schema = snowflake_schema.raw

  column "Index" { type = "VARCHAR(256)" }
  column "Date" { type = "DATE" }

  dynamic "column" {
    for_each = ["Open", "High", "Low", "Close", "Adj_Close", "Volume", "CloseUSD"]
    labels   = [column.value]
    content {
      type = "FLOAT"
    }
  }
}

snowflake_file_format "json" {
  schema  = snowflake_schema.raw
  type    = "JSON"
  options = { TIME_FORMAT = "AUTO" }
}

snowflake_notification_integration "azure" {
  queue     = azure_queue.events
  tenant_id = "00000000-0000-0000-0000-000000000000"
}

snowflake_stage "market" {
  schema    = snowflake_schema.raw
  container = azure_container.market
  path      = "kafka-messages/"

  sas {
    permissions   = ["read", "list"]
    expires_in    = "90d"
    rotate_before = "14d"
  }
}

snowflake_pipe "market" {
  schema      = snowflake_schema.raw
  auto_ingest = true
  integration = snowflake_notification_integration.azure

  copy {
    into                 = snowflake_table.prices
    from                 = snowflake_stage.market
    file_format          = snowflake_file_format.json
    match_by_column_name = "CASE_INSENSITIVE"
    on_error             = "SKIP_FILE"
  }

  depends_on = [azure_event_subscription.created]
}

producer "prices" {
  topic   = kafka_topic.prices
  subject = schema_subject.prices
  key     = row.Index
  rate    = var.rate

  source "csv" {
    path   = "${local.data}/*.csv"
    rename = { "Adj Close" = "Adj_Close" }
    null   = ["", "null"]
  }

  on_error = "dead_letter"
}

consumer "blobs" {
  topic       = kafka_topic.prices
  group       = "group1"
  from        = "earliest"
  container   = azure_container.market
  prefix      = "kafka-messages/"
  format      = "json"
  compression = "gzip"

  roll {
    rows  = 2000
    bytes = "64MiB"
    every = "10s"
  }

  dead_letter {
    prefix = "dead-letter/"
  }
}

query "coverage" {
  description = "What is in the table, per index."
  sql         = <<-SQL
    SELECT Index, COUNT(*) AS days, COUNT(DISTINCT Volume) AS distinct_days
    FROM market.raw.prices
    GROUP BY Index
    ORDER BY Index
  SQL
}

output "topic" {
  value = kafka_topic.prices.name
}

output "table" {
  value = snowflake_table.prices.qualified_name
}

output "token" {
  value     = var.token
  sensitive = true
}
