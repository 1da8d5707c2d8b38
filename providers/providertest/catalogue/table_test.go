package catalogue

import (
	"github.com/zclconf/go-cty/cty"

	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
	"mkt/spec"
)

const (
	u = spec.InPlace // changed in place
	r = spec.Replace // becomes another object
	x = spec.Refuse  // refused, with what to do instead
)

const (
	dataURL  = "https://account1.blob.core.windows.net/data"
	moreURL  = "https://account1.blob.core.windows.net/more"
	farURL   = "https://account2.blob.core.windows.net/data"
	queueURL = "https://account1.queue.core.windows.net/events"
	otherURL = "https://account1.queue.core.windows.net/others"
)

// table is what every change does.
var table = []line{
	{kafka.Topic, "name", "name", s("a"), s("b"), r, "name"},
	{kafka.Topic, "more partitions", "partitions", n(3), n(5), u, "more partitions"},
	{kafka.Topic, "fewer partitions", "partitions", n(3), n(2), x, "fewer partitions"},
	{kafka.Topic, "more replicas, by reassignment", "replication_factor", n(1), n(3), u, "more replicas"},
	{kafka.Topic, "fewer replicas, by reassignment", "replication_factor", n(3), n(2), u, "fewer replicas"},
	{kafka.Topic, "settings", "config", pairs("retention.ms=1"), pairs("retention.ms=2"), u, "settings"},
	{kafka.Topic, "settings left out", "config", pairs("retention.ms=1"), pairs(), u, "no settings"},
	{kafka.Topic, "unlimited retention", "config", pairs("retention.ms=1"), pairs("retention.ms=-1"), u, "unlimited"},
	{kafka.Topic, "delete to compact,delete", "config", pairs("cleanup.policy=delete"), pairs("cleanup.policy=compact,delete"), u, "delete to compact,delete"},

	{kafka.ACL, "resource type", "resource_type", s("TOPIC"), s("GROUP"), r, "resource type"},
	{kafka.ACL, "resource name", "resource_name", s("a"), s("b"), r, "resource name"},
	{kafka.ACL, "pattern", "pattern", s("LITERAL"), s("PREFIXED"), r, "pattern"},
	{kafka.ACL, "principal", "principal", s("User:a"), s("User:b"), r, "principal"},
	{kafka.ACL, "host", "host", s("*"), s("::1"), r, "host"},
	{kafka.ACL, "operation", "operation", s("READ"), s("WRITE"), r, "operation"},
	{kafka.ACL, "permission", "permission", s("ALLOW"), s("DENY"), r, "permission"},

	{kafka.Quota, "user", "user", s("a"), s("b"), r, "user"},
	{kafka.Quota, "client id", "client_id", none, s("b"), r, "client id"},
	{kafka.Quota, "rate of producers", "producer_byte_rate", n(1), n(2), u, "rates"},
	{kafka.Quota, "rate of consumers", "consumer_byte_rate", cty.NullVal(cty.Number), n(2), u, "rates"},
	{kafka.Quota, "time of threads", "request_percentage", n(1), n(2), u, "rates"},
	{kafka.Quota, "rate of partitions", "controller_mutation_rate", n(1), n(2), u, "rates"},

	{kafka.Subject, "name", "name", s("a"), s("b"), r, "name"},
	{kafka.Subject, "format", "format", s("AVRO"), s("JSON"), r, ""}, // AVRO is the only one
	{kafka.Subject, "a new version", "schema", s(`"int"`), s(`"long"`), u, "a new version"},
	{kafka.Subject, "compatibility", "compatibility", s("BACKWARD"), s("FULL"), u, "another level"},
	{kafka.Subject, "mode", "mode", s("READWRITE"), s("READONLY"), u, "mode"},
	{kafka.Subject, "normalize", "normalize", no, yes, u, "mode, normalization and deletion"},
	{kafka.Subject, "deletion", "deletion", s("soft"), s("hard"), u, "mode, normalization and deletion"},
	{kafka.Subject, "references", "reference", reference(1), reference(2), u, "a reference"},

	{azure.Container, "name", "name", s("a"), s("b"), r, "name"},
	{azure.Container, "account", "account", s("a"), s("b"), r, "account"},
	{azure.Container, "access", "access", s("private"), s("blob"), u, "access"},
	{azure.Container, "metadata", "metadata", pairs("a=1"), pairs("a=2"), u, "metadata"},

	{azure.Queue, "name", "name", s("a"), s("b"), r, "name"},
	{azure.Queue, "account", "account", s("a"), s("b"), r, "account"},
	{azure.Queue, "metadata", "metadata", pairs("a=1"), pairs("a=2"), u, "metadata"},

	{azure.EventSubscription, "name", "name", s("a"), s("b"), r, "name"},
	{azure.EventSubscription, "scope, which is the account", "container", s(dataURL), s(farURL), r, "account"},
	{azure.EventSubscription, "container of the account, a filter", "container", s(dataURL), s(moreURL), u, "another container"},
	{azure.EventSubscription, "queue", "queue", s(queueURL), s(otherURL), u, "another queue"},
	{azure.EventSubscription, "prefix", "prefix", s(""), s("in/"), u, "prefix"},
	{azure.EventSubscription, "suffix", "suffix", s(""), s(".json"), u, "suffix"},
	{azure.EventSubscription, "event types", "event_types", set("Microsoft.Storage.BlobCreated"), set("Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"), u, ""}, // the embedded account tells of nothing else
	{azure.EventSubscription, "apis", "apis", set("PutBlob"), set("PutBlockList"), u, "apis"},
	{azure.EventSubscription, "dead letter", "dead_letter", none, s(moreURL), u, "dead letter"},

	{azure.LifecyclePolicy, "account", "account", s("a"), s("b"), r, "account"},
	{azure.LifecyclePolicy, "hot to cool", "rule", ages("1d", "", ""), ages("2d", "", ""), u, "steps"},
	{azure.LifecyclePolicy, "cool to archive", "rule", ages("", "1d", ""), ages("", "2d", ""), u, "steps"},
	{azure.LifecyclePolicy, "deletion", "rule", ages("", "", "1d"), ages("", "", "2d"), u, "steps"},

	{azure.RoleAssignment, "container", "container", s(dataURL), s(moreURL), r, "scope"},
	{azure.RoleAssignment, "queue", "queue", s(queueURL), s(otherURL), r, "scope"},
	{azure.RoleAssignment, "account", "account", s("account1"), s("account2"), r, "scope"},
	{azure.RoleAssignment, "role", "role", s("Storage Blob Data Reader"), s("Storage Blob Data Owner"), r, "role"},
	{azure.RoleAssignment, "principal", "principal", s("a"), s("b"), r, "principal"},
	{azure.RoleAssignment, "type of principal", "principal_type", s("User"), s("Group"), r, "type of principal"},
	{azure.RoleAssignment, "description", "description", s(""), s("why"), u, "description"},

	{snowflake.Table, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Table, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.Table, "add a column", "column", cols("A DATE"), cols("A DATE", "B DATE"), u, "add in the middle and drop"},
	{snowflake.Table, "drop a column", "column", cols("A DATE", "B DATE"), cols("A DATE"), u, "add in the middle and drop"},
	{snowflake.Table, "rename a column", "column", cols("A DATE"), cols("B DATE, was A"), u, "rename"},
	{snowflake.Table, "longer VARCHAR", "column", cols("A VARCHAR(10)"), cols("A VARCHAR(11)"), u, "longer and wider"},
	{snowflake.Table, "higher precision", "column", cols("A NUMBER(10,2)"), cols("A NUMBER(12,2)"), u, "longer and wider"},
	{snowflake.Table, "nullability", "column", cols("A DATE"), cols("A DATE, not null"), u, "nullability and comments"},
	{snowflake.Table, "drop a default", "column", cols("A DATE, default 1"), cols("A DATE"), u, "drop a default and not null"},
	{snowflake.Table, "comment of a column", "column", cols("A DATE"), cols("A DATE, comment c"), u, "nullability and comments"},
	{snowflake.Table, "comment", "comment", s(""), s("c"), u, "nullability and comments"},
	{snowflake.Table, "clustering", "cluster_by", list("A"), list("B"), u, "clustering and retention"},
	{snowflake.Table, "retention", "data_retention_days", n(1), n(3), u, "clustering and retention"},
	{snowflake.Table, "transient", "transient", cty.False, cty.True, r, "transient"},
	{snowflake.Table, "permanent", "transient", cty.True, cty.False, r, "permanent"},
	{snowflake.Table, "another type", "column", cols("A DATE"), cols("A FLOAT"), r, "another type"},
	{snowflake.Table, "another scale", "column", cols("A NUMBER(10,2)"), cols("A NUMBER(12,4)"), r, "another scale"},
	{snowflake.Table, "shorter VARCHAR", "column", cols("A VARCHAR(10)"), cols("A VARCHAR(9)"), r, "shorter"},
	{snowflake.Table, "add a default", "column", cols("A DATE"), cols("A DATE, default 1"), r, "a default"},
	{snowflake.Table, "change a default", "column", cols("A DATE, default 1"), cols("A DATE, default 2"), r, "another default"},

	{snowflake.FileFormat, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.FileFormat, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.FileFormat, "type", "type", s("JSON"), s("CSV"), r, "type"},
	{snowflake.FileFormat, "options", "options", pairs("TIME_FORMAT=AUTO"), pairs("TIME_FORMAT=HH24"), u, "options"},
	{snowflake.FileFormat, "comment", "comment", s(""), s("c"), u, "options"},

	{snowflake.Stage, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Stage, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.Stage, "credentials", "sas", sas("7d"), sas("30d"), u, "token, format and comment"},
	{snowflake.Stage, "storage integration", "storage_integration", none, s("A"), u, "storage integration"},
	{snowflake.Stage, "file format", "file_format", none, s("D.S.F"), u, "token, format and comment"},
	{snowflake.Stage, "encryption", "encryption", s("NONE"), s("AZURE_CSE"), u, "encryption"},
	{snowflake.Stage, "the encryption's key", "master_key", s("a"), s("b"), u, "another master key"},
	{snowflake.Stage, "comment", "comment", s(""), s("c"), u, "token, format and comment"},
	{snowflake.Stage, "container, its URL", "container", s(dataURL), s(moreURL), u, "container"}, // its pipes are replaced
	{snowflake.Stage, "path, its URL", "path", s("a/"), s("b/"), u, "path"},

	{snowflake.NotificationIntegration, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.NotificationIntegration, "queue", "queue", s(queueURL), s(otherURL), r, "queue"},
	{snowflake.NotificationIntegration, "tenant", "tenant_id", s("a"), s("b"), r, "tenant"},
	{snowflake.NotificationIntegration, "enabled", "enabled", yes, no, u, "enabled and comment"},
	{snowflake.NotificationIntegration, "comment", "comment", s(""), s("c"), u, "enabled and comment"},

	{snowflake.StorageIntegration, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.StorageIntegration, "tenant", "tenant_id", s("a"), s("b"), r, "tenant"},
	{snowflake.StorageIntegration, "enabled", "enabled", yes, no, u, "enabled and comment"},
	{snowflake.StorageIntegration, "allowed locations", "allowed_locations", set("azure://a.b/c/"), set("azure://a.b/d/"), u, "allowed locations"},
	{snowflake.StorageIntegration, "blocked locations", "blocked_locations", set("azure://a.b/c/"), set("azure://a.b/d/"), u, "blocked locations"},
	{snowflake.StorageIntegration, "comment", "comment", s(""), s("c"), u, "enabled and comment"},

	{snowflake.Pipe, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Pipe, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.Pipe, "COPY body", "copy", copyFrom("D.S.A"), copyFrom("D.S.B"), r, "copy"},
	{snowflake.Pipe, "auto_ingest", "auto_ingest", yes, no, r, "auto_ingest"},
	{snowflake.Pipe, "integration", "integration", s("A"), s("B"), r, "integration"},
	{snowflake.Pipe, "paused", "paused", no, yes, u, "paused and comment"},
	{snowflake.Pipe, "error integration", "error_integration", none, s("A"), u, "error integration"},
	{snowflake.Pipe, "comment", "comment", s(""), s("c"), u, "paused and comment"},

	{snowflake.Warehouse, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Warehouse, "size", "size", s("XSMALL"), s("MEDIUM"), u, "everything"},
	{snowflake.Warehouse, "auto_suspend", "auto_suspend", n(60), n(300), u, "everything"},
	{snowflake.Warehouse, "auto_resume", "auto_resume", yes, no, u, "everything"},
	{snowflake.Warehouse, "comment", "comment", s(""), s("c"), u, "everything"},

	{snowflake.Database, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Database, "comment", "comment", s(""), s("c"), u, "comment and retention"},
	{snowflake.Database, "retention", "data_retention_days", n(1), n(7), u, "comment and retention"},

	{snowflake.Schema, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Schema, "database", "database", s("A"), s("B"), r, "database"},
	{snowflake.Schema, "comment", "comment", s(""), s("c"), u, "comment and retention"},
	{snowflake.Schema, "retention", "data_retention_days", n(1), n(7), u, "comment and retention"},

	{snowflake.View, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.View, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.View, "text", "sql", s("SELECT 1"), s("SELECT 2"), r, "text"},
	{snowflake.View, "secure", "secure", no, yes, u, "secure"},
	{snowflake.View, "comment", "comment", s(""), s("c"), u, "comment"},

	{snowflake.DynamicTable, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.DynamicTable, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.DynamicTable, "target lag", "target_lag", s("5 minutes"), s("1 hour"), u, "lag"},
	{snowflake.DynamicTable, "as fresh as what reads it needs", "target_lag", s("5 minutes"), s("DOWNSTREAM"), u, "downstream"},
	{snowflake.DynamicTable, "warehouse", "warehouse", s("A"), s("B"), u, "warehouse"},
	{snowflake.DynamicTable, "query", "sql", s("SELECT 1"), s("SELECT 2"), r, "query"},
	{snowflake.DynamicTable, "refresh mode", "refresh_mode", s("INCREMENTAL"), s("FULL"), r, "mode"},
	{snowflake.DynamicTable, "comment", "comment", s(""), s("c"), u, "downstream"},

	{snowflake.Stream, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Stream, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.Stream, "table", "table", s("D.S.A"), s("D.S.B"), r, "table"},
	{snowflake.Stream, "mode", "append_only", no, yes, r, "mode"},
	{snowflake.Stream, "comment", "comment", s(""), s("c"), u, "comment"},

	{snowflake.Task, "name", "name", s("A"), s("B"), r, "name"},
	{snowflake.Task, "schema", "schema", s("D.A"), s("D.B"), r, "schema"},
	{snowflake.Task, "warehouse", "warehouse", s("A"), none, u, "no warehouse"},
	{snowflake.Task, "schedule", "schedule", s("5 MINUTES"), s("USING CRON 0 9 * * * UTC"), u, "schedule"},
	{snowflake.Task, "what it runs after", "after", set("D.S.A"), set("D.S.B"), u, "after one more"},
	{snowflake.Task, "statement", "sql", s("SELECT 1"), s("SELECT 2"), u, "statement"},
	{snowflake.Task, "started", "started", yes, no, u, "suspend"},
	{snowflake.Task, "comment", "comment", s(""), s("c"), u, "suspend"},

	{snowflake.Grant, "what it is on, the account", "account", no, yes, r, "object"},
	{snowflake.Grant, "what it is on, the warehouse", "warehouse", none, s("A"), r, "object"},
	{snowflake.Grant, "what it is on, the integration", "integration", none, s("A"), r, "object"},
	{snowflake.Grant, "what it is on, the database", "database", none, s("A"), r, "object"},
	{snowflake.Grant, "what it is on, the schema", "schema", none, s("D.A"), r, "object"},
	{snowflake.Grant, "what it is on, the table", "table", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the view", "view", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the file format", "file_format", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the stage", "stage", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the pipe", "pipe", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the dynamic table", "dynamic_table", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the stream", "stream", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "what it is on, the task", "task", none, s("D.S.A"), r, "object"},
	{snowflake.Grant, "role", "role", s("A"), s("B"), r, "role"},
	{snowflake.Grant, "more privileges", "privileges", set("SELECT"), set("SELECT", "INSERT"), u, "one more"},
	{snowflake.Grant, "fewer privileges", "privileges", set("SELECT", "INSERT"), set("SELECT"), u, "one less"},
	{snowflake.Grant, "the option to grant them", "with_grant_option", no, yes, u, "the option"},
	{snowflake.Grant, "no such option any more", "with_grant_option", yes, no, u, "no option"},
}

func reference(version int64) cty.Value {
	return block(kafka.Subject, "reference", map[string]cty.Value{"name": s("m.Row"), "subject": s("row"), "version": n(version)})
}

func ages(cool, archive, end string) cty.Value {
	attrs := map[string]cty.Value{"name": s("a"), "container": s(dataURL), "prefix": s(""), "enabled": yes}
	for step, age := range map[string]string{"cool_after": cool, "archive_after": archive, "delete_after": end} {
		if age != "" {
			attrs[step] = s(age)
		}
	}
	return block(azure.LifecyclePolicy, "rule", attrs)
}

func sas(life string) cty.Value {
	return block(snowflake.Stage, "sas", map[string]cty.Value{"permissions": list("list", "read"), "expires_in": s(life), "rotate_before": s("1d")})
}

func copyFrom(stage string) cty.Value {
	return block(snowflake.Pipe, "copy", map[string]cty.Value{"into": s("D.S.T"), "from": s(stage), "path": s(""), "pattern": s(""),
		"match_by_column_name": s("NONE"), "on_error": s("SKIP_FILE"), "options": pairs()})
}
