# A pipeline of stock prices: CSV → Avro → Kafka → Azure Blob → Snowpipe → a table → answers.
#
#   mkt apply -local && mkt stream -local && mkt query -local coverage && mkt audit -local
#
# runs it on this machine, and nothing but this machine. Without -local the same file is applied to Confluent Cloud, Azure
# and Snowflake: give it the name of your storage account and your tenant, and see what `mkt doctor` finds.

mkt {
  required_version = ">= 0.1"
}

variable "account" {
  type        = string
  default     = "mktlocal"
  description = "Azure storage account that holds the container and the queue."
}

variable "tenant_id" {
  type        = string
  default     = "00000000-0000-0000-0000-000000000000"
  description = "Azure tenant that Snowflake's notification integration belongs to."
}

locals {
  data = "${path.stack}/data"
}

provider "kafka" {}

provider "azure" {
  account = var.account
}

provider "snowflake" {
  role      = "SYSADMIN"
  warehouse = "COMPUTE_WH"
}

# --- Kafka ---------------------------------------------------------------------------------------------

kafka_topic "market_data" {
  partitions         = 6
  replication_factor = 3
  config = {
    "cleanup.policy" = "delete"
    "retention.ms"   = "7d"
  }
}

schema_subject "market_data" {
  name          = "${kafka_topic.market_data.name}-value"
  schema        = file("${local.data}/market_data.avsc")
  compatibility = "BACKWARD"
}

# --- Azure ---------------------------------------------------------------------------------------------

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

# --- Snowflake -----------------------------------------------------------------------------------------

snowflake_database "market" {}

snowflake_schema "raw" {
  database = snowflake_database.market
}

snowflake_table "stock_market_data" {
  schema  = snowflake_schema.raw
  comment = "Daily prices of stock indexes, one row per index and day."

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
  tenant_id = var.tenant_id
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
    into                 = snowflake_table.stock_market_data
    from                 = snowflake_stage.market
    file_format          = snowflake_file_format.json
    match_by_column_name = "CASE_INSENSITIVE"
    on_error             = "SKIP_FILE"
  }

  # Azure tells of each new blob through this subscription: without it nothing would ever load.
  depends_on = [azure_event_subscription.created]
}

# --- The app: what `mkt stream` runs -------------------------------------------------------------------

producer "prices" {
  topic   = kafka_topic.market_data
  subject = schema_subject.market_data
  key     = row.Index # all days of one index stay in order

  source "csv" {
    path   = "${local.data}/*.csv"
    rename = { "Adj Close" = "Adj_Close" }
    null   = ["", "null"]
  }

  on_error = "dead_letter"
}

consumer "blobs" {
  topic       = kafka_topic.market_data
  group       = "group1"
  from        = "earliest"
  container   = azure_container.market
  prefix      = "kafka-messages/"
  format      = "json"
  compression = "gzip"

  roll {
    rows  = 100000
    bytes = "64MiB"
    every = "10s"
  }

  dead_letter {
    prefix = "dead-letter/"
  }
}

# --- The answers: what `mkt query NAME` asks -----------------------------------------------------------

query "coverage" {
  description = "What is in the table, per index."
  sql         = <<-SQL
    SELECT Index, COUNT(*) AS days, MIN(Date) AS first_day, MAX(Date) AS last_day, ROUND(SUM(Close), 2) AS sum_close
    FROM market.raw.stock_market_data
    GROUP BY Index
    ORDER BY Index
  SQL
}

output "topic" {
  value = kafka_topic.market_data.name
}

output "table" {
  value = snowflake_table.stock_market_data.qualified_name
}
