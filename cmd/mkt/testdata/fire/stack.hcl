# One object of every kind, twice: as it is made, and, with changed = true, as it is altered and replaced afterwards.

variable "run" {
  type        = string
  description = "Tells the objects of one run from those of the others."
}

variable "changed" {
  type    = bool
  default = false
}

locals {
  changes = var.changed ? { "changed" = "yes" } : {}
  comment = var.changed ? "changed" : ""
}

provider "azure" {
  account = "mktlocal"
}

provider "snowflake" {
  role      = "SYSADMIN"
  warehouse = "COMPUTE_WH"
}

kafka_topic "prices" {
  name               = "prices-${var.run}"
  partitions         = var.changed ? 3 : 2
  replication_factor = var.changed ? 2 : 1
  config             = { "retention.ms" = var.changed ? "8d" : "7d" }
}

kafka_acl "reader" {
  resource_type = "TOPIC"
  resource_name = kafka_topic.prices
  principal     = "User:reader"
  operation     = var.changed ? "DESCRIBE" : "READ"
}

kafka_quota "reader" {
  user               = "reader-${var.run}"
  consumer_byte_rate = var.changed ? 2000000 : 1000000
}

schema_subject "prices" {
  name          = "${kafka_topic.prices.name}-value"
  compatibility = var.changed ? "FULL" : "BACKWARD"

  schema = jsonencode({
    type   = "record"
    name   = "price"
    fields = concat([{ name = "a", type = "double" }], var.changed ? [{ name = "b", type = "double", default = 0 }] : [])
  })
}

azure_container "market" {
  name     = "market-${var.run}"
  metadata = local.changes
}

azure_queue "events" {
  name     = "events-${var.run}"
  metadata = local.changes
}

azure_event_subscription "created" {
  name      = "created-${var.run}"
  container = azure_container.market
  queue     = azure_queue.events
  prefix    = var.changed ? "other/" : "files/"
}

# An account has one policy: each run's is of an account of its own.
azure_lifecycle_policy "blobs" {
  rule "files" {
    container    = "https://run${var.run}.blob.core.windows.net/market"
    delete_after = var.changed ? "60d" : "30d"
  }
}

snowflake_warehouse "small" {
  name    = "small_${var.run}"
  comment = local.comment
}

snowflake_database "market" {
  name    = "market_${var.run}"
  comment = local.comment
}

snowflake_schema "raw" {
  database = snowflake_database.market
  comment  = local.comment
}

snowflake_table "prices" {
  schema = snowflake_schema.raw

  column "a" { type = "FLOAT" }

  dynamic "column" {
    for_each = local.changes
    labels   = [column.key]
    content {
      type = "VARCHAR(10)"
    }
  }
}

snowflake_view "latest" {
  schema     = snowflake_schema.raw
  sql        = "SELECT a${var.changed ? ", a + 1 AS b" : ""} FROM ${snowflake_table.prices.qualified_name}"
  depends_on = [snowflake_table.prices]
}

snowflake_file_format "json" {
  schema  = snowflake_schema.raw
  type    = "JSON"
  comment = local.comment
}

snowflake_notification_integration "azure" {
  name      = "azure_${var.run}"
  queue     = azure_queue.events
  tenant_id = "00000000-0000-0000-0000-000000000000"
  comment   = local.comment
}

snowflake_storage_integration "containers" {
  name              = "containers_${var.run}"
  tenant_id         = "00000000-0000-0000-0000-000000000000"
  allowed_locations = [azure_container.market.url]
  comment           = local.comment
}

snowflake_stage "market" {
  schema    = snowflake_schema.raw
  container = azure_container.market
  path      = var.changed ? "other/" : "files/"

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
  depends_on  = [azure_event_subscription.created]

  copy {
    into                 = snowflake_table.prices
    from                 = snowflake_stage.market
    file_format          = snowflake_file_format.json
    match_by_column_name = "CASE_INSENSITIVE"
  }
}

azure_role_assignment "events" {
  queue       = azure_queue.events
  role        = "Storage Queue Data Contributor"
  principal   = snowflake_notification_integration.azure.app_name
  description = local.comment
}

snowflake_grant "reader" {
  table      = snowflake_table.prices
  role       = "READER_${var.run}"
  privileges = var.changed ? ["SELECT", "INSERT"] : ["SELECT"]
}

snowflake_stream "changes" {
  schema  = snowflake_schema.raw
  table   = snowflake_table.prices
  comment = local.comment
}

snowflake_dynamic_table "latest" {
  schema     = snowflake_schema.raw
  name       = "fresh"
  target_lag = var.changed ? "1 hour" : "5 minutes"
  warehouse  = snowflake_warehouse.small
  sql        = "SELECT a FROM ${snowflake_table.prices.qualified_name}"
}

snowflake_task "first" {
  schema    = snowflake_schema.raw
  warehouse = snowflake_warehouse.small
  schedule  = var.changed ? "90 MINUTES" : "60 MINUTES"
  sql       = "DELETE FROM ${snowflake_table.prices.qualified_name} WHERE a < 0"
}

snowflake_task "second" {
  schema    = snowflake_schema.raw
  warehouse = snowflake_warehouse.small
  after     = [snowflake_task.first.qualified_name]
  sql       = "DELETE FROM ${snowflake_table.prices.qualified_name} WHERE a > ${var.changed ? 8 : 9}"
}

output "topic" {
  value = kafka_topic.prices.name
}
